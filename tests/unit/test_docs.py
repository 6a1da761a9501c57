"""What the documentation names is there: files, links, commits of the kernel by subject; tests mirror tracer."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from support import documents_shown
from support.documents_shown import check_site, examples, shown
from support.running import ROOT

from tracer.claims import claims

NOT_OURS = {".git", ".venv", ".vagrant", ".hypothesis", ".pytest_cache", "build", "__pycache__"}
WIDTH = 120
PROSE = {".md"}
NO_PROSE = (
    "|",
    "    ",
    "![",
    "<!-- ",
)  # of lines: tables, code, pictures, what is made of commands
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
            if len(line) > WIDTH and not fenced and not line.startswith(NO_PROSE):
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


# what the pages show


def test_the_readme_is_read_at_once():
    assert len((ROOT / "README.md").read_text().splitlines()) <= 150


def test_the_readmes_test_command_is_what_ci_runs():
    assert "    sudo make test " in (ROOT / "README.md").read_text()
    assert "make test" in (ROOT / ".ci" / "run").read_text()


def test_every_command_that_is_shown_would_be_taken():
    shown = [each for page in documents_shown.pages() for each in documents_shown.lines(page)]
    wrong = [
        f"{where}: {command}: {fault}"
        for where, command in shown
        if (fault := documents_shown.fault(command))
    ]
    assert len(shown) > 100 and not wrong, "\n".join(wrong)


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("iotrace run blocking --messages 23", ""),
        ("iotrace run blokcing", "no scenario"),
        ("iotrace run blocking --mesages 23", "no such option"),
        ("iotrace walk", "no such command"),
        ("iotrace lab run 6.1 -- run nosuch", "no scenario"),
        ("iotrace lab matrix blocking -- --intervall 1ms", "no such option"),
        ("iotrace attach -p PID -d 10", ""),
        ("make runn", "no target"),
        ("make run SCENARIO=signal", ""),
        ("python3 -m scenarios.nosuch", "no module"),
    ],
)
def test_a_command_that_would_not_be_taken_is_told(line, fault):
    found = documents_shown.fault(line).lower()
    assert fault in found and bool(found) == bool(fault)


def test_what_is_made_of_a_command_has_been_made():
    """`make examples` fills it: a block that is not empty, a picture that is there."""
    places = [each for page in documents_shown.pages() for each in shown.of_page(page)]
    empty = [each.where for each in places if not each.picture and each.begin == each.end]
    missing = [each.where for each in places if each.picture and not each.picture.is_file()]
    assert len(places) > 50 and not empty and not missing


def test_no_picture_is_left_over():
    wanted = {each.picture for page in documents_shown.pages() for each in shown.of_page(page)}
    assert set((ROOT / "docs" / "figures").iterdir()) == wanted - {None}


OUTPUT = """iotrace  x  UDP
Linux 6

A figure
  0 ┃ recvfrom
legend

── Phases ───── ask → done
wait   1
── Verdict ─────
model       blocking I/O
            It sleeps.
because     • one
              and more
            • two
cost        none
"""


@pytest.mark.parametrize(
    ("parts", "text"),
    [
        ("", OUTPUT.strip("\n")),
        ("head", "iotrace  x  UDP\nLinux 6"),
        ("figure", "A figure\n  0 ┃ recvfrom\nlegend"),
        ("Phases", "── Phases ───── ask → done\nwait   1"),
        (
            "Phases, Verdict(model, cost)",
            "── Phases ───── ask → done\nwait   1\n\n── Verdict ─────\n"
            "model       blocking I/O\n            It sleeps.\ncost        none",
        ),
        (
            "Verdict(because)",
            "── Verdict ─────\nbecause     • one\n              and more\n            • two",
        ),
    ],
)
def test_the_parts_of_an_output_are_chosen(parts, text):
    assert shown.chosen(OUTPUT, parts, "here") == text


@pytest.mark.parametrize("parts", ["Signals", "Verdict(workload)"])
def test_a_part_that_is_not_there_is_told(parts):
    with pytest.raises(shown.Wrong, match="here: no"):
        shown.chosen(OUTPUT, parts, "here")


# the site


def test_every_place_in_the_site_has_a_page():
    """A page without a place of its own stands at the end of the reference."""
    listed = set(re.findall(r"^ +- ([\w/.-]+\.md)$", (ROOT / "mkdocs.yml").read_text(), re.M))
    docs = ROOT / "docs"
    there = {str(path.relative_to(docs)) for path in docs.rglob("*.md")}
    assert len(listed) > 40 and listed - there == {
        *("contributing.md", "changelog.md", "security.md")
    }


@pytest.fixture
def site(tmp_path):
    (tmp_path / "a.html").write_text('<h1 id="top">A</h1><a href="b.html#part">b</a>')
    (tmp_path / "b.html").write_text('<p id="part"><img src="a.html"><a href="https://x.org">x</a>')
    return tmp_path


def test_a_site_that_is_whole_has_no_fault(site):
    assert list(check_site.faults(site)) == []


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ('<a href="none.html">', "c.html: there is no none.html"),
        ('<a href="a.html#no">', "c.html: a.html#no names no heading"),
        ('<a href="/none.html">', "c.html: there is no /none.html"),
        ('<script src="https://x.org/y.js">', "c.html: loads https://x.org/y.js"),
        ('<link rel="stylesheet" href="//x.org/y.css">', "c.html: loads //x.org/y.css"),
        ('<img src="none.svg">', "c.html: there is no none.svg"),
    ],
)
def test_a_fault_of_a_site_is_told(site, text, fault):
    (site / "c.html").write_text(text)
    assert list(check_site.faults(site)) == [fault]


MKDOCS = Path.home() / ".cache" / "iotrace" / "docs" / "made"


@pytest.mark.skipif(not MKDOCS.is_file(), reason="make docs was never called here")
def test_the_site_is_built_without_a_warning(tmp_path):
    done = subprocess.run(
        [ROOT / "setup" / "docs", "--site-dir", tmp_path / "site"],
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    commands = (tmp_path / "site" / "reference" / "commands.html").read_text()
    assert "iotrace lab matrix" in commands and "--icount" in commands
    assert 'id="report-operation"' in (tmp_path / "site" / "reference" / "schema.html").read_text()


@pytest.mark.skipif(not MKDOCS.is_file(), reason="make docs was never called here")
def test_a_warning_of_the_sites_builder_is_a_failure(tmp_path):
    clone = tmp_path / "clone"
    for name in ("docs", "setup", "requirements", "tracer", "scenarios", "probes"):
        shutil.copytree(ROOT / name, clone / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in (
        "mkdocs.yml",
        "pyproject.toml",
        "CHANGELOG.md",
        "CONTRIBUTING.md",
        "README.md",
        "SECURITY.md",
    ):
        shutil.copyfile(ROOT / name, clone / name)
    with (clone / "docs" / "faq.md").open("a") as page:
        page.write("\n[nowhere](json.md#nosuch)\n")
    done = subprocess.run([clone / "setup" / "docs"], capture_output=True, text=True, timeout=300)
    assert done.returncode == 1 and "does not contain an anchor '#nosuch'" in done.stderr


def test_a_page_is_rewritten_where_it_asks_for_it(tmp_path, monkeypatch):
    monkeypatch.setattr(shown, "ROOT", tmp_path)
    monkeypatch.setattr(examples, "ROOT", tmp_path)
    page = tmp_path / "page.md"
    block = "<!-- shown: {} -->\n```text\n{}\n```\nprose\n"
    page.write_text(block.format("a", "$ a\nold\nold") + block.format("b :: head", "stays"))
    places = list(shown.of_page(page))
    assert [(place.command, place.parts) for place in places] == [("a", ""), ("b", "head")]
    examples.rewrite(page, {examples.wish(places[0]): "one\ntwo  \nthree"})
    new = block.format("a", "$ a\none\ntwo\nthree") + block.format("b :: head", "stays")
    assert page.read_text() == new
    page.write_text("<!-- shown: c -->\nno block\n")
    with pytest.raises(shown.Wrong, match=r"page\.md:1: no fenced block"):
        list(shown.of_page(page))


def test_documents_say_how_many_claims_there_are():
    count = len(claims())
    words = dict(
        enumerate(["twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen"], 12)
    )
    digits = "十一二三四五六七"  # 10, 11 …
    for name, told in (
        ("README.md", f"{words[count]} claims"),
        ("docs/claims.md", f"{words[count]} claims"),
        ("docs/zh/index.md", f"十{digits[count - 10]}个论断"),
    ):
        assert told in (ROOT / name).read_text(), f"{name}: there are {count} claims"


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="no systemd-analyze")
def test_systemd_takes_the_unit(tmp_path):
    unit = tmp_path / "iotrace@some.service"  # an instance: a template alone names no service
    shutil.copy(ROOT / "docs" / "systemd" / "iotrace@.service", unit)
    (tmp_path / "some.service").write_text("[Service]\nExecStart=/bin/sleep 1\n")
    done = subprocess.run(["systemd-analyze", "verify", unit], capture_output=True, text=True)
    assert done.returncode == 0 and done.stderr == ""
