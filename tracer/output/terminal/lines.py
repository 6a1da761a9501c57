"""Lines of a terminal: entries with a hanging indent, rules with a title, alarms; and how they become a text."""

from __future__ import annotations

import io
import re
import textwrap
from collections.abc import Iterable

from rich.cells import cell_len, set_cell_size
from rich.console import Console, RenderableType
from rich.text import Text

from tracer.output.units import to_ascii

NARROWEST = 80  # columns: a narrower terminal is drawn as if it had so many
INDENT = 12  # cells of an entry's label
LOUD = "bold white on red"


def printed(
    parts: Iterable[RenderableType], width: int, color: bool = False, unicode: bool = True
) -> str:
    """`parts` as text of lines of at most `width` cells, ending in a newline, with nothing behind a line's last
    character. A Text is one line, and is folded only where it is wider. `color`: ANSI colours; without `unicode`
    everything is ASCII."""
    out = io.StringIO()
    console = Console(
        file=out,
        width=width,
        height=25,  # else rich takes 80 columns on a dumb terminal, whatever the width
        force_terminal=color,
        no_color=not color,
        legacy_windows=False,
        color_system="standard" if color else None,
        highlight=False,
        markup=False,
        emoji=False,
    )
    for part in parts:
        console.print(part, soft_wrap=isinstance(part, Text) and part.cell_len <= width)
    text = "\n".join(line.rstrip() for line in out.getvalue().splitlines()).strip("\n") + "\n"
    return text if unicode else to_ascii(text)  # colours are ASCII already


def fit(text: str, width: int) -> str:
    """`text` cut or padded to exactly `width` cells; what was cut is shown by '…'."""
    if cell_len(text) > width:
        text = set_cell_size(text, max(width - 1, 0)) + "…"[:width]
    return set_cell_size(text, width)


def fitted(line: Text, width: int) -> Text:
    """The line as it is, or without its style and cut to `width` cells."""
    return Text(fit(line.plain, width)) if line.cell_len > width else line


def wrap(text: str, width: int) -> list[str]:
    """Lines of at most `width`, a number never parted from its unit."""
    unbroken = re.sub(r"(\d) (ns|µs|ms|s)\b", "\\1\u00a0\\2", text)
    return [
        line.replace("\u00a0", " ")
        for line in textwrap.wrap(unbroken, width, break_on_hyphens=False)
    ]


def entry(label: str, body: str, width: int, style: str = "") -> list[Text]:
    """'label       text …' with a hanging indent."""
    lines = []
    for index, text in enumerate(wrap(body, width - INDENT) or [""]):
        line = Text().append((label if index == 0 else "").ljust(INDENT), style="bold")
        lines.append(line.append(text, style=style))
    return lines


def alarm(text: str, width: int) -> list[Text]:
    """'!! text …' as whole lines in the loudest style."""
    return [Text(f"!! {line}".ljust(width), style=LOUD) for line in textwrap.wrap(text, width - 3)]


def rule(title: str, remark: str | Text, width: int) -> list[Text]:
    """A blank line and a rule with its title at the left and a remark at the right."""
    remark = Text(remark, style="dim") if isinstance(remark, str) else remark
    line = Text().append("── ", style="dim").append(title, style="bold").append(" ")
    tail = remark.cell_len + 1 if remark.cell_len else 0
    line.append("─" * max(width - line.cell_len - tail, 1), style="dim")
    if tail:
        line.append(" ").append_text(remark)
    return [Text(""), line]
