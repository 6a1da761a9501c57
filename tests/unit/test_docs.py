"""What the documentation names is there: files, links, commits of the kernel by subject; tests mirror tracer."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.running import ROOT

NOT_OURS = {".git", ".venv", ".vagrant", ".hypothesis", ".pytest_cache", "build", "__pycache__"}
WIDTH = 120
PROSE = {".md"}
CODE = {".py", ".c", ".h", ".sh", ".toml", ".yaml", ""}
TREES = ("tracer", "tests", "probes", "scenarios", "docs", "setup", "benchmarks")
# A path from the clone's root. One with a placeholder in capitals (scenarios/NAME.py) names no file.
NAMED = re.compile(rf"(?<![\w/.-])(?:{'|'.join(TREES)})/[\w*./-]+")
PLACEHOLDER = re.compile(r"\b[A-Z]{2,}\b")
# What CONTRIBUTING.md lets its reader add.
EXAMPLES = {
    "scenarios/recvmsg.py",
    "scenarios/c/recvmsg.c",
    "tracer/analysis/counts/naps.py",
    "tracer/output/csv.py",
}
LINK = re.compile(r"\]\((?!https?:)([^)#\s]*)(?:#([^)\s]+))?\)")
HASH = re.compile(r"\b(?=[0-9a-f]*[a-f])(?=[0-9a-f]*\d)[0-9a-f]{12}\b(?! \(\"|$)")

pytestmark = pytest.mark.skipif(not (ROOT / "docs").is_dir(), reason="no clone here")


def files(*endings: str) -> Iterator[Path]:
    """The clone's own files, as git would have them."""
    for path in ROOT.rglob("*"):
        inside = path.relative_to(ROOT)
        if path.suffix in endings and path.is_file() and not NOT_OURS & set(inside.parts):
            yield path


def lines(path: Path) -> Iterator[tuple[str, str]]:
    """(README.md:12, its text) of each line."""
    for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1):
        yield f"{path.relative_to(ROOT)}:{number}", line


def is_there(name: str) -> bool:
    name = name.rstrip(".*/-")
    return name in EXAMPLES or (ROOT / name).exists() or any(ROOT.glob(f"{name}*"))


def test_every_file_that_is_named_is_there():
    wrong = [
        f"{where}: there is no {name}"
        for path in files(*PROSE, *CODE)
        if path != Path(__file__)
        for where, line in lines(path)
        for name in NAMED.findall(line)
        if not PLACEHOLDER.search(name) and not is_there(name)
    ]
    assert not wrong, "\n".join(wrong)


def anchors(path: Path) -> set[str]:
    """The headings of a page, as GitHub names them."""
    heads = (line.lstrip("#").strip().lower() for _, line in lines(path) if line.startswith("#"))
    return {re.sub(r"[^\w -]", "", head).replace(" ", "-") for head in heads}


def test_every_link_leads_somewhere():
    wrong = []
    for path in files(".md"):
        for where, line in lines(path):
            for target, anchor in LINK.findall(line):
                page = path.parent / target if target else path
                if not page.exists():
                    wrong.append(f"{where}: there is no {target}")
                elif anchor and anchor not in anchors(page):
                    wrong.append(f"{where}: {target} has no heading #{anchor}")
    assert not wrong, "\n".join(wrong)


def test_prose_is_not_wider_than_code_is():
    """Lines of more than 120 characters are for tables and for what a program printed."""
    wrong = []
    for path in files(".md"):
        fenced = False
        for where, line in lines(path):
            fenced ^= line.startswith("```")
            if len(line) > WIDTH and not fenced and not line.startswith(("|", "    ")):
                wrong.append(f"{where}: {len(line)} characters, more than {WIDTH}")
    assert not wrong, "\n".join(wrong)


def test_commits_of_the_kernel_have_their_subject():
    """hash ("subject"), in VERSION: a hash alone says nothing to who reads."""
    wrong = [
        f'{where}: cite it as {found} ("subject"), in VERSION'
        for path in files(".md")
        for where, line in lines(path)
        for found in HASH.findall(line)
    ]
    assert not wrong, "\n".join(wrong)


def test_the_tree_in_internals_is_the_tree():
    """Every folder of tracer/ and scenarios/ has its line, but for what its parent's line names; no other has."""
    text = (ROOT / "docs" / "internals.md").read_text()
    named: set[str] = set()
    above: list[str] = []
    for indent, name in re.findall(r"^    ( *)(\w+)/(?: +\S|$)", text, re.M):
        above[len(indent) // 2 :] = [name]
        named.add("/".join(above))
    shown = {
        str(path.relative_to(ROOT))
        for path in (*(ROOT / "tracer").rglob("*"), *(ROOT / "scenarios").iterdir())
        if path.is_dir()
        and path.name not in {"__pycache__", "data", "guest", "terminal", "arch", "wording"}
    }
    wrong = [f"docs/internals.md: no line for {name}/" for name in sorted(shown - named)]
    wrong += [
        f"docs/internals.md: there is no {name}/"
        for name in sorted(named)
        if not (ROOT / name).is_dir()
    ]
    assert len(named) > 20 and not wrong, "\n".join(wrong)


def test_tests_mirror_the_folders_of_tracer():
    """tests/unit has a folder only for what is a folder of tracer/; scenarios and benchmarks have their own."""
    unit = ROOT / "tests" / "unit"
    folders = {
        path.relative_to(unit)
        for path in unit.rglob("*")
        if path.is_dir() and path.name != "__pycache__"
    }
    wrong = [
        f"tests/unit/{folder}: there is no tracer/{folder}"
        for folder in sorted(folders)
        if folder.parts[0] not in ("scenarios", "benchmarks")
        and not (ROOT / "tracer" / folder).is_dir()
    ]
    assert folders and not wrong, "\n".join(wrong)
