"""The checks themselves: one version of each tool wherever it is run, and a reason wherever one is switched off."""

from __future__ import annotations

import re
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.running import ROOT

CONFIG = ROOT / ".pre-commit-config.yaml"
SOURCES = ("*.py", "*.c", "*.h", "*.sh")
SCRIPTS = ("setup/*", ".ci/*", "tracer/lab/guest/*")
# How a check is switched off, and what must follow: words, after a second # where the first one is the tool's own.
# clang-format takes no words in its comment: the comment before has them.
SWITCHES = (
    (
        re.compile(r"#\s*noqa\b(?P<rest>.*)"),
        re.compile(r": ?[A-Z]+\d+(, ?[A-Z]+\d+)*\s+(#\s*)?\w+"),
    ),
    (re.compile(r"#\s*type:\s*ignore(?P<rest>.*)"), re.compile(r"\[[a-z, -]+\]\s+#\s*\w+")),
    (re.compile(r"#\s*mypy:(?P<rest>.*)"), re.compile(r".*#\s*\w+")),
    (re.compile(r"#\s*fmt:\s*(off|skip)(?P<rest>.*)"), re.compile(r"\s+#\s*\S+")),
    (re.compile(r"#\s*shellcheck disable=\S+(?P<rest>.*)"), re.compile(r"\s+#\s*\S+")),
)

pytestmark = pytest.mark.skipif(not CONFIG.is_file(), reason="no clone here")


def sources() -> Iterator[Path]:
    """Every file of the clone that a check reads."""
    for tree in ("tracer", "probes", "scenarios", "tests", "benchmarks"):
        for pattern in SOURCES:
            yield from (ROOT / tree).rglob(pattern)
    for pattern in SCRIPTS:
        yield from ROOT.glob(pattern)


def bare(text: str) -> Iterator[int]:
    """The lines that switch a check off and do not say why."""
    before = ""
    for number, line in enumerate(text.splitlines(), 1):
        for switch, reason in SWITCHES:
            match = switch.search(line)
            if match and not reason.match(match["rest"]):
                yield number
        if "clang-format off" in line and not before.strip().startswith("/*"):
            yield number
        before = line


def test_the_hooks_of_pre_commit_have_the_versions_of_make_lint():
    pins = set(tomllib.loads((ROOT / "pyproject.toml").read_text())["dependency-groups"]["lint"])
    hooks = re.findall(r"[\w-]+==[\w.]+", CONFIG.read_text())
    wrong = [
        f"{CONFIG.name}:{number}: {pin} is not what pyproject.toml's group `lint` names"
        for number, line in enumerate(CONFIG.read_text().splitlines(), 1)
        for pin in re.findall(r"[\w-]+==[\w.]+", line)
        if pin not in pins
    ]
    assert not wrong, "\n".join(wrong)
    assert set(hooks) == pins


def test_whoever_switches_a_check_off_says_why():
    own = Path(__file__)
    wrong = [
        f"{path.relative_to(ROOT)}:{number}: switches a check off without a reason"
        for path in sources()
        if path != own
        for number in bare(path.read_text())
    ]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize(
    ("line", "is_bare"),
    [
        ("import a  # noqa", True),
        ("import a  # noqa: F401", True),
        ("import a  # noqa: F401  as the command would", False),
        ("x = y  # type: ignore", True),
        ("x = y  # type: ignore[misc]", True),
        ("x = y  # type: ignore[misc]  # the stub is wrong", False),
        ("# shellcheck disable=SC2086", True),
        ("# shellcheck disable=SC2086 # split on purpose", False),
        ("/* clang-format off */", True),
        ("/* A table: */\n/* clang-format off */", False),
    ],
)
def test_what_a_reason_is(line, is_bare):
    assert bool(list(bare(line))) is is_bare


def test_an_unknown_check_is_told():
    done = subprocess.run(
        [ROOT / "setup" / "lint", "--help"], capture_output=True, text=True, cwd="/", timeout=60
    )
    assert done.returncode == 2 and "there are ruff, format" in done.stderr
