"""A page without scripts, of a result that is read and not gone through."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from xml.etree.ElementTree import Element

from tracer.output.html.elements import el, html
from tracer.output.html.shell import asset, opening
from tracer.output.svg.canvas import style_of


def plain(title: str, said: Sequence[str], parts: Sequence[Element | str]) -> Iterator[str]:
    """The page in pieces. said: the lines below its title; parts: elements, and drawings (SVG) as text."""
    drawings = [part for part in parts if isinstance(part, str)]
    yield opening(title, [asset("page.css"), *map(style_of, drawings)])
    yield html(el("header", el("h1", title), *(el("p", line) for line in said)))
    yield "<main>"
    for part in parts:
        if isinstance(part, str):
            yield '<div class="scroll figure" tabindex="0" role="region" aria-label="Figure">'
            yield f"{part}</div>"
        else:
            yield html(part)
    yield "</main></body></html>\n"
