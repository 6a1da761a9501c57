"""What the pages show of commands: a comment says which command made the block or the picture that follows it.

    <!-- shown: COMMAND -->                  the fenced block that follows is what COMMAND prints
    <!-- shown: COMMAND :: PART, PART -->    only these parts of it, in this order
    <!-- drawn: COMMAND -->                  the picture in the next line is what COMMAND draws with --svg

A part is `head` (what was run, where), `figure`, the beginning of a section's title (`Phases`), or a section with the
rows of it that are wanted (`Verdict(model, because)`). `COMMAND (status 3)` is one that ends so.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
COMMENT = re.compile(r"<!-- (?P<kind>shown|drawn): (?P<command>.+?)(?: :: (?P<parts>.+?))? -->")
STATUS = re.compile(r" \(status (\d+)\)$")
PICTURE = re.compile(r"(?:!\[[^]]*\]\(|<img [^>]*src=\")(?P<path>[^)\"]+\.svg)")
PART = re.compile(r"\s*([^,(]+?)\s*(?:\(([^)]*)\))?\s*(?:,|$)")
FENCE = "```"
_SECTION = re.compile(r"^(?:──|-- ) ?(?P<title>[^─]+?)(?: ─.*)?$")


class Wrong(Exception):
    """A comment that cannot be followed, or an output that has not what is wanted; one line that says where."""


@dataclass(frozen=True)
class Shown:
    """One block or picture of a page. line: of its comment, from 0 on; begin, end: of the block's inner lines."""

    page: Path
    line: int
    command: str
    status: int
    parts: str
    begin: int
    end: int
    picture: Path | None

    @property
    def where(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line + 1}"


def pages() -> list[Path]:
    """README and the documentation."""
    return [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def of_page(page: Path) -> Iterator[Shown]:
    """What a page shows; raises Wrong."""
    lines = page.read_text().splitlines()
    for number, line in enumerate(lines):
        if not (match := COMMENT.fullmatch(line.strip())):
            continue
        status = STATUS.search(match["command"])
        command = STATUS.sub("", match["command"])
        where = f"{page.relative_to(ROOT)}:{number + 1}"
        begin, end, picture = number, number, None
        if match["kind"] == "drawn":
            picture = _picture(page, lines, number, where)
        else:
            begin, end = _block(lines, number, where)
        yield Shown(
            page,
            number,
            command,
            int(status[1]) if status else 0,
            match["parts"] or "",
            begin,
            end,
            picture,
        )


def _picture(page: Path, lines: list[str], number: int, where: str) -> Path:
    following = " ".join(lines[number + 1 : number + 3])
    if not (found := PICTURE.search(following)):
        raise Wrong(f"{where}: no picture follows")
    return (page.parent / found["path"]).resolve()


def _block(lines: list[str], number: int, where: str) -> tuple[int, int]:
    begin = number + 2
    if not lines[number + 1 : begin] or not lines[number + 1].startswith(FENCE):
        raise Wrong(f"{where}: no fenced block follows")
    if begin < len(lines) and lines[begin].startswith("$ "):  # the command, as one types it
        begin += 1
    for end in range(begin, len(lines)):
        if lines[end] == FENCE:
            return begin, end
    raise Wrong(f"{where}: the block has no end")


def chosen(output: str, parts: str, where: str) -> str:
    """The wanted parts of what a command printed; raises Wrong where it has not got them."""
    if not parts:
        return output.strip("\n")
    sections = _sections(output)
    found = [
        _part(sections, name, rows.split(",") if rows else [], where)
        for name, rows in PART.findall(parts)
    ]
    return "\n\n".join(found)


def _sections(output: str) -> dict[str, list[str]]:
    """The lines of a report by the title they stand under; above the first are `head` and `figure`."""
    sections: dict[str, list[str]] = {"head": []}
    title = "head"
    for line in output.strip("\n").splitlines():
        if match := _SECTION.match(line):
            title = match["title"].strip()
        elif title == "head" and not line and sections["head"]:
            title = "figure"
            continue
        sections.setdefault(title, []).append(line)
    return sections


def _part(sections: dict[str, list[str]], name: str, rows: list[str], where: str) -> str:
    titles = [title for title in sections if title.startswith(name)]
    if not titles:
        raise Wrong(f"{where}: no part {name!r}; there are {', '.join(sections)}")
    lines = sections[titles[0]]
    if rows:
        lines = [lines[0], *(line for row in rows for line in _row(lines, row.strip(), where))]
    return "\n".join(lines).strip("\n")


def _row(lines: list[str], row: str, where: str) -> list[str]:
    """A row and the lines that continue it."""
    begins = [number for number, line in enumerate(lines) if number and line.startswith(row)]
    if not begins:
        raise Wrong(f"{where}: no row {row!r}")
    end = begins[0] + 1
    while end < len(lines) and lines[end].startswith(" "):
        end += 1
    return lines[begins[0] : end]
