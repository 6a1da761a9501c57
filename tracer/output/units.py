"""Numbers for people: nanoseconds, counts, shares and bars as short text; speaks to no kernel interface."""

from __future__ import annotations

from typing import Any

from tracer import text
from tracer.quantities import MISSING, duration, share, three_digits

__all__ = [
    "MISSING",
    "bits",
    "clean",
    "drawable",
    "duration",
    "number",
    "plural",
    "share",
    "size",
    "stacked",
    "to_ascii",
]


# One character for one character, so that a drawing keeps its columns where no Unicode is to be had.
_ASCII = str.maketrans(
    {
        "┃": "#",
        "┊": ":",
        "│": "|",
        "─": "-",
        "┄": ".",
        "━": "=",
        "┈": ".",
        "┌": "+",
        "┐": "+",
        "└": "+",
        "┘": "+",
        "├": "+",
        "┤": "+",
        "┬": "+",
        "┴": "+",
        "┠": "#",
        "┡": "+",
        "╌": "-",
        "►": ">",
        "◄": "<",
        "↓": "v",
        "→": ">",
        "×": "x",
        "µ": "u",
        "…": ".",
        "–": "-",
        "—": "-",
        "−": "-",
        "·": ".",
        "•": "*",
        "≠": "!",
        "█": "#",
        "▓": "%",
        "▒": "+",
        "░": "-",
        "▪": "#",
        "▫": ".",
        "✓": "+",
        "≥": ">",
        "±": "~",
        "≈": "=",
        "≤": "<",
        "’": "'",
        "‘": "'",
        "“": '"',
        "”": '"',
    }
)


def bits(count: int) -> str:
    """So many bits as tc(8) spells a rate: '1 Mbit', '512 kbit', '2.5 Gbit'."""
    for scale, unit in ((10**9, "Gbit"), (10**6, "Mbit"), (10**3, "kbit")):
        if count >= scale:
            return f"{three_digits(count / scale, False)} {unit}"
    return f"{count} bit"


def number(value: int | None) -> str:
    """An integer with thousands separators, '–' for None."""
    return MISSING if value is None else f"{value:,}"


def size(count: int | None) -> str:
    """`count` bytes in binary units, three digits: '512 B', '9.10 MiB'; '–' for None."""
    if count is None:
        return MISSING
    value, units = float(count), ["B", "KiB", "MiB", "GiB", "TiB"]
    while value >= 999.5 and len(units) > 1:
        value, units = value / 1024, units[1:]
    return f"{round(value)} B" if units[0] == "B" else f"{three_digits(value, True)} {units[0]}"


def plural(count: int | None, noun: str) -> str:
    """'1 operation', '20 operations', '2 processes'."""
    return f"{number(count)} {noun}" + (
        "" if count == 1 else "es" if noun.endswith(("s", "ch")) else "s"
    )


def stacked(parts: list[int], glyphs: str, width: int) -> list[str]:
    """`width` cells divided among `parts`, a string of its glyph for each; what is not zero keeps a cell if it can."""
    total = sum(parts)
    if total <= 0:
        return ["" for _ in parts]
    cells = [int(part * width / total) for part in parts]
    for index, part in enumerate(parts):
        if part > 0 and cells[index] == 0:
            cells[index] = 1
    while sum(cells) > width:
        cells[cells.index(max(cells))] -= 1
    if sum(cells) < width:
        cells[parts.index(max(parts))] += width - sum(cells)
    return [glyph * count for glyph, count in zip(glyphs, cells, strict=True)]


def clean(value: object) -> str:
    """Text from outside (a thread's name, a command), what would move a cursor escaped as in tracer/text.py."""
    return text.printable(str(value))


def to_ascii(line: str) -> str:
    """`line` in pure ASCII: drawing characters replaced one for one, other letters escaped. Newlines and the colours'
    escape sequences stay."""
    drawn = line.translate(_ASCII)
    if drawn.isascii():
        return drawn
    return "".join(
        character if character.isascii() else text.printable(character, ascii_only=True)
        for character in drawn
    )


def drawable(value: Any, unicode: bool = True) -> Any:
    """A result, or a part of one, all of whose texts are `clean`; without `unicode`, letters that `to_ascii` would
    escape are escaped here: a drawing has to know how wide a text is. What is neither list nor dict (operations, which
    are made as they are asked for) stays."""
    if isinstance(value, str):
        line = clean(value)
        return line if unicode or line.isascii() else _spelled(line)
    if isinstance(value, dict):
        return {drawable(key, unicode): drawable(item, unicode) for key, item in value.items()}
    if isinstance(value, list):
        return [drawable(item, unicode) for item in value]
    return value


def _spelled(line: str) -> str:
    return "".join(
        character
        if character.isascii() or ord(character) in _ASCII
        else text.printable(character, ascii_only=True)
        for character in line
    )
