"""What the terminal renderers drew, as text in which a test can look for words."""

from __future__ import annotations

from typing import Any

from rich.text import Text

from tracer.output.terminal import figure


def lines_of_figure(report: dict[str, Any]) -> list[str]:
    """The figure's lines, without their colours."""
    return [line.plain for line in figure.draw(report)]


def row(lines: list[str], *words: str) -> int:
    """The first line that holds all `words`."""
    return next(index for index, line in enumerate(lines) if all(word in line for word in words))


def plain(lines: list[Text]) -> str:
    """The lines as they stand, without their colours."""
    return "\n".join(line.plain for line in lines)


def squeezed(lines: list[Text]) -> str:
    """One line, so that a test does not depend on where text was wrapped."""
    return " ".join(plain(lines).replace("!!", "").split())
