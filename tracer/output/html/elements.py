"""HTML elements as trees, so that text from a traced system is escaped wherever it stands."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeAlias
from xml.etree.ElementTree import Element, tostring

from tracer.output.units import clean

Child: TypeAlias = "Element | str | None"


def el(name: str, *children: Child, **attributes: str | int) -> Element:
    """An element; `class_` and `data_x` stand for class and data-x. None among the children is left out."""
    element = Element(
        name, {key.rstrip("_").replace("_", "-"): str(value) for key, value in attributes.items()}
    )
    last: Element | None = None
    for child in children:
        if isinstance(child, str):
            if last is None:
                element.text = (element.text or "") + clean(child)
            else:
                last.tail = (last.tail or "") + clean(child)
        elif child is not None:
            element.append(child)
            last = child
    return element


def table(
    heads: Iterable[str], rows: Iterable[Iterable[Child]], caption: str, left: int = 1
) -> Element:
    """A table with a caption for screen readers; the first `left` columns hold words, the others numbers."""
    head = el(
        "tr",
        *(el("th", name, scope="col", class_=_side(at, left)) for at, name in enumerate(heads)),
    )
    body = [
        el("tr", *(el("td", child, class_=_side(at, left)) for at, child in enumerate(row)))
        for row in rows
    ]
    inner = el("table", el("caption", caption), el("thead", head), el("tbody", *body))
    return el("div", inner, class_="scroll", tabindex="0", role="region", aria_label=caption)


def _side(column: int, left: int) -> str:
    return "words" if column < left else "number"


def section(identity: str, title: str, *children: Child) -> Element:
    """A part of the page, with its title."""
    heading = el("h2", title, id=f"{identity}-title")
    return el("section", heading, *children, id=identity, aria_labelledby=f"{identity}-title")


def html(element: Element) -> str:
    """The element as HTML."""
    return tostring(element, encoding="unicode", method="html")
