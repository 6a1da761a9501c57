"""Colours and letters of the picture: light and dark, on paper always light, every text with a contrast of 4.5 or more
(WCAG 2.1, 1.4.3)."""

from __future__ import annotations

BODY, SMALL, HEAD, TITLE = 15, 13, 15, 18  # px of letters
GROWN = 1.4  # times as large are letters where the picture is shown small
READABLE = 9 / BODY  # shown at less than this part of its size, letters are smaller than 9 px
FAMILY = "Helvetica, Arial, 'Liberation Sans', 'DejaVu Sans', sans-serif"

# class → (property, light, dark)
_COLOURS = {
    "paper": ("fill", "#ffffff", "#0d1117"),
    "lane": ("fill", "#f3f5f8", "#161b22"),
    "ink": ("fill", "#1b1f24", "#e6edf3"),
    "faint": ("fill", "#57606a", "#9da7b3"),
    "line": ("stroke", "#1b1f24", "#e6edf3"),
    "rule": ("stroke", "#8c959f", "#6e7681"),
    "tip": ("fill", "#1b1f24", "#e6edf3"),
    "cpu": ("stroke", "#1b1f24", "#e6edf3"),
    "away": ("stroke", "#8c959f", "#6e7681"),
    "bad": ("fill", "#b3261e", "#ff8a80"),
    "wait": ("fill", "#0a58ca", "#79b8ff"),
    "notice": ("fill", "#8a5300", "#f0b429"),
    "copy": ("fill", "#9b1c80", "#f29ad9"),
    "completion": ("fill", "#1a7037", "#6bd48a"),
}
_STROKES = {  # phases as lines too
    f"{name}-line": ("stroke", *_COLOURS[name][1:])
    for name in ("wait", "notice", "copy", "completion")
}
# a row's style (tracer/output/figure) → class
CLASSES = {
    "green": "completion",
    "cyan": "wait",
    "magenta": "copy",
    "yellow": "notice",
    "red": "bad",
    "dim": "faint",
}
_NARROW, _WIDE = frozenset("ijlI.,:;'|!()[]ft r-"), frozenset("mwMW@%—…")


def classes_of(style: str, otherwise: str = "ink") -> str:
    """The classes for a row's style, such as 'bold red'."""
    words = style.split()
    colour = next((CLASSES[word] for word in words if word in CLASSES), otherwise)
    return f"{colour} bold" if "bold" in words else colour


def sheet(prefix: str, width: float = 0, grows: bool = False) -> str:
    """The style sheet of a picture that is `width` px wide. prefix: of its classes, so that it can stand in a page with
    others; grows: whether it has room for larger letters (GROWN) where it is shown small."""
    rules = [
        f".{prefix} text{{font-family:{FAMILY};font-size:{BODY}px;fill:#1b1f24}}",
        f".{prefix} .small{{font-size:{SMALL}px}}",
        f".{prefix} .title{{font-size:{TITLE}px}}",
        f".{prefix} .bold{{font-weight:bold}}",
        f".{prefix} .italic{{font-style:italic}}",
        f".{prefix} .end{{text-anchor:end}}",
        f".{prefix} .middle{{text-anchor:middle}}",
        f".{prefix} .open{{fill:none}}",
    ]
    colours = _COLOURS | _STROKES
    rules += [f".{prefix} .{name}{{{kind}:{light}}}" for name, (kind, light, _) in colours.items()]
    rules += [f".{prefix} text.{name}{{fill:{light}}}" for name, (_, light, _) in _COLOURS.items()]
    dark = [f".{prefix} text{{fill:#e6edf3}}"]
    dark += [f".{prefix} .{name}{{{kind}:{colour}}}" for name, (kind, _, colour) in colours.items()]
    dark += [f".{prefix} text.{name}{{fill:{colour}}}" for name, (_, _, colour) in _COLOURS.items()]
    if grows:
        sizes = "".join(
            f".{prefix} {name}{{font-size:{size * GROWN:.3g}px}}"
            for name, size in (("text", BODY), (".small", SMALL))
        )
        rules.append(
            f"@media (max-width:{width * READABLE:.0f}px){{{sizes}.{prefix} .title{{font-size:{TITLE}px}}}}"
        )
    # on paper no darkness: the rule holds for screens alone
    rules.append("@media screen and (prefers-color-scheme:dark){" + "".join(dark) + "}")
    return "".join(rules)


def width_of(text: str, size: int, bold: bool = False) -> float:
    """About how wide the text is in px, rather more than less: letters of any sans-serif are to fit."""
    em = sum(map(_em, text))
    return em * size * (1.1 if bold else 1.0)


def _em(letter: str) -> float:
    """A letter's width as a part of the size of letters: DejaVu Sans has the widest of the usual sans-serifs."""
    if letter in _NARROW:
        return 0.36
    if letter in _WIDE:
        return 0.92
    return 0.72 if letter.isupper() or letter == "~" else 0.62


def wrapped(text: str, width: float, size: int = SMALL) -> list[str]:
    """The text in lines of at most `width` px, parted between words; a number stays with its unit, a
    sign that is explained (~, +) with what it means, and a · ends a line and begins none."""
    lines = [""]
    words = text.split(" ")
    joined: list[str] = []
    for word in words:
        explains = joined and joined[-1].rpartition(" ")[2] in ("~", "+")
        if joined and (explains or word.rstrip(".,;:") in ("ns", "µs", "ms", "s", "·")):
            joined[-1] += f" {word}"
        else:
            joined.append(word)
    for word in joined:
        longer = f"{lines[-1]} {word}".strip()
        if lines[-1] and width_of(longer, size) > width:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines
