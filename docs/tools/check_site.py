"""Looks at a built site as a browser without a network would: every file that a page names is in it, every heading that
a link names is in its page, and nothing is loaded from another host.

    python3 docs/tools/check_site.py build/site
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

# Attributes whose target a browser fetches by itself, by the element that has them.
LOADS = {
    "script": ("src",),
    "img": ("src",),
    "iframe": ("src",),
    "source": ("src",),
    "link": ("href",),
    "object": ("data",),
}
# Elements `link` that name a place and load nothing.
NAMES = {"canonical", "prev", "next", "edit"}


class Page(HTMLParser):
    """The names that a page gives to its parts, and what it leads to."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.anchors: set[str] = set()
        self.links: list[str] = []
        self.loads: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        self.anchors |= {values[name] for name in ("id", "name") if values.get(name)}
        if tag == "a" and "href" in values:
            self.links.append(values["href"])
        if tag == "link" and NAMES & set(values.get("rel", "").split()):
            return
        self.loads += [values[name] for name in LOADS.get(tag, ()) if values.get(name)]


def faults(site: Path) -> Iterator[str]:
    """What is wrong, one line each."""
    pages = {path: Page(path.read_text()) for path in site.rglob("*.html")}
    for path, page in sorted(pages.items()):
        where = path.relative_to(site)
        for target in page.loads:
            if urlsplit(target).netloc:
                yield f"{where}: loads {target}"
        for target in (*page.loads, *page.links):
            yield from (f"{where}: {fault}" for fault in _leads(path, target, pages, site))


def _leads(path: Path, target: str, pages: dict[Path, Page], site: Path) -> Iterator[str]:
    """What is wrong with one link of the page at `path`."""
    parts = urlsplit(target)
    if parts.scheme or parts.netloc:
        return
    above = site if parts.path.startswith("/") else path.parent
    found = (above / unquote(parts.path).lstrip("/")).resolve() if parts.path else path.resolve()
    found = found / "index.html" if found.is_dir() else found
    if not found.exists():
        yield f"there is no {target}"
    elif parts.fragment and found in pages:
        name = unquote(parts.fragment)
        if name not in pages[found].anchors and not name.startswith("__"):
            yield f"{target} names no heading"


if __name__ == "__main__":
    wrong = list(faults(Path(sys.argv[1]).resolve()))
    print(*wrong, sep="\n", file=sys.stderr, end="\n" if wrong else "")
    sys.exit(bool(wrong))
