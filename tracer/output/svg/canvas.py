"""An SVG element that grows: shapes and texts with classes, a title and a description for who does not see it."""

from __future__ import annotations

import hashlib
from xml.etree import ElementTree

from tracer.output.svg.style import sheet
from tracer.output.units import clean


class Canvas:
    """An SVG element that grows; title and desc: what a screen reader says of it; grows: whether its letters may be
    larger where it is shown small (style.GROWN)."""

    def __init__(self, title: str, description: str, grows: bool = False) -> None:
        digest = hashlib.sha256((title + description).encode()).hexdigest()
        self.prefix = f"iotrace-{digest[:8]}"  # several may stand in one page
        self._root = ElementTree.Element("svg", {"xmlns": "http://www.w3.org/2000/svg"})
        self._root.set("class", self.prefix)
        self._root.set("role", "img")
        self._root.set("aria-labelledby", f"{self.prefix}-title {self.prefix}-desc")
        for name, words in (("title", title), ("desc", description)):
            child = ElementTree.SubElement(self._root, name, {"id": f"{self.prefix}-{name}"})
            child.text = clean(words)
        self._style, self._grows = ElementTree.SubElement(self._root, "style"), grows
        self._paper = self.add("rect", "paper", x=0, y=0)

    def add(self, name: str, classes: str, **attributes: float | str) -> ElementTree.Element:
        """An element with these classes and attributes, numbers rounded."""
        values = {
            key.replace("_", "-"): value
            if isinstance(value, str)
            else f"{value:.1f}".rstrip("0").rstrip(".")
            for key, value in attributes.items()
        }
        return ElementTree.SubElement(self._root, name, {"class": classes, **values})

    def text(self, words: str, x: float, y: float, classes: str = "") -> None:
        """Words that begin (or end, or have their middle) at x, on a line at y."""
        self.add("text", classes, x=x, y=y).text = clean(words)

    def closed(self, width: float, height: float) -> str:
        """The whole element, of that size."""
        for element in (self._root, self._paper):
            element.set("width", f"{width:.0f}")
            element.set("height", f"{height:.0f}")
        self._style.text = sheet(self.prefix, width, self._grows)
        self._root.set("viewBox", f"0 0 {width:.0f} {height:.0f}")
        ElementTree.indent(self._root)
        return ElementTree.tostring(self._root, encoding="unicode")


def style_of(drawn: str) -> str:
    """The style sheet that a picture has in it, as a browser reads it."""
    return ElementTree.fromstring(drawn).findtext("{http://www.w3.org/2000/svg}style") or ""


def drawn_width(drawn: str) -> float:
    """How wide a picture is (px)."""
    return float(ElementTree.fromstring(drawn).get("width") or 0)
