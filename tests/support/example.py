"""CONTRIBUTING.md's example scenario and its twin in C, in a copy of the clone that has them among its scenarios."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

from support.running import ROOT

NAME = "recvmsg"
TEXT = ROOT / "CONTRIBUTING.md"
COPIED = ("scenarios", "tests")  # what looks for its neighbours by its own place
NOT_OURS = {".git", ".venv", ".hypothesis", ".pytest_cache"}


def pasted(directory: Path) -> Path:
    """The directory as a clone in which the example was pasted into scenarios/ as it stands; nothing else differs."""
    for path in ROOT.iterdir():
        if path.name in COPIED:
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(path, directory / path.name, ignore=ignored)
        elif path.name not in NOT_OURS:
            (directory / path.name).symlink_to(path)
    (directory / "scenarios" / f"{NAME}.py").write_text(_block("python", f'NAME = "{NAME}"'))
    (directory / "scenarios" / "c" / f"{NAME}.c").write_text(_block("c", f'"{NAME}"'))
    return directory


def _block(language: str, word: str) -> str:
    """The example in that language that has the word."""
    blocks: list[str] = re.findall(rf"```{language}\n(.*?)```", TEXT.read_text(), re.S)
    return next(block for block in blocks if word in block)


def python(clone: Path, *arguments: str) -> str:
    """What a Python program of that clone prints; it must succeed."""
    done = subprocess.run(
        [sys.executable, "-B", *arguments], cwd=clone, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def passed_in(clone: Path, *arguments: str) -> int:
    """Run pytest in that clone; how many tests have passed, where none failed."""
    printed = python(clone, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments)
    passed = re.search(r"(\d+) passed", printed)
    return int(passed[1]) if passed else 0
