"""Runs every command that README.md and the pages show, once, and puts what it prints and draws into their place.

    python3 docs/tools/examples.py [PAGE...]     as root, with the Python that iotrace is installed in (`make examples`)

What runs is the clone as it stands. Each command has real-time priority where that can be had (chrt -r 1), so that
other work on the machine does not come between; the pages say so. Where one fails, or prints no such part, nothing of
it is changed, and the status is 1. docs/tools/shown.py says how a page asks for it.
"""

from __future__ import annotations

import os
import platform
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import shown
from shown import ROOT, Shown, Wrong

TIMEOUT = 300  # s, of one command
ATTEMPTS = 3  # a machine that is too busy for one run has time for another
# The kernel's own number is what matters to who reads; what a builder appended is not.
RELEASE = platform.release()
NUMBER = re.split(r"[-+_]", RELEASE)[0]
# The programs that commands name, by what is run in their place.
PROGRAMS = {
    "iotrace": f"exec {shlex.quote(sys.executable)} -B -m tracer",
    "python3": f"exec {shlex.quote(sys.executable)} -B",
    "sudo": "exec",
}


def main(names: list[str]) -> int:
    pages = [Path(name).resolve() for name in names] or shown.pages()
    wanted = [each for page in pages for each in shown.of_page(page)]
    commands: dict[tuple[str, int], list[Shown]] = {}
    for each in wanted:
        commands.setdefault((each.command, each.status), []).append(each)
    texts: dict[Shown, str] = {}
    wrong = []
    with tempfile.TemporaryDirectory() as directory:
        programs(Path(directory))
        for (command, status), places in commands.items():
            for left in reversed(range(ATTEMPTS)):
                try:
                    texts |= made(command, status, places, Path(directory))
                    break
                except Wrong as error:
                    say(f"{error} ({left} attempts left)")
                    wrong += [f"WRONG {error}"] * (left == 0)
    by_wish = {wish(each): text for each, text in texts.items()}
    for page in pages:
        rewrite(page, by_wish)
    counts = f"{len(commands)} commands, {len(wanted)} places, {len(wrong)} wrong"
    say("\n".join([*wrong, counts]))
    return bool(wrong)


def say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def programs(directory: Path) -> None:
    """Puts what commands name into `directory`, which is first in their PATH."""
    for name, runs in PROGRAMS.items():
        script = directory / name
        script.write_text(f'#!/bin/sh\n{runs} "$@"\n')
        script.chmod(0o755)


def made(command: str, status: int, places: list[Shown], directory: Path) -> dict[Shown, str]:
    """Runs a command and gives what each place shows of it; writes the pictures. Raises Wrong."""
    pictures = [place.picture for place in places if place.picture]
    svg = directory / "picture.svg"
    svg.unlink(missing_ok=True)
    begun = time.monotonic()
    output = run(f"{command} --svg {svg}" if pictures else command, status, places[0], directory)
    say(f"{time.monotonic() - begun:5.1f} s  {command}")
    texts = {
        place: shown.chosen(output, place.parts, place.where)
        for place in places
        if not place.picture
    }
    for picture in pictures:
        picture.parent.mkdir(parents=True, exist_ok=True)
        picture.write_text(svg.read_text().replace(RELEASE, NUMBER))
        give(picture)
    return texts


def run(line: str, status: int, place: Shown, directory: Path) -> str:
    """What it prints; on stderr too where that is all, or where it fails as it is to. Raises Wrong."""
    priority = ["chrt", "-r", "1"] if can("chrt", "-r", "1", "true") else []
    kept = {key: value for key, value in os.environ.items() if not key.startswith("SUDO_")}
    try:
        done = subprocess.run(
            [*priority, "sh", "-c", line],
            cwd=ROOT,
            env={**kept, "PATH": f"{directory}:{os.environ['PATH']}", "COLUMNS": "80"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=TIMEOUT,
        )
    except subprocess.TimeoutExpired as error:
        raise Wrong(f"{place.where}: {line}: not ended after {TIMEOUT} s") from error
    if done.returncode != status:
        last = " / ".join(done.stderr.strip().splitlines()[-3:])
        raise Wrong(f"{place.where}: {line}: status {done.returncode}: {last}")
    text = done.stdout if done.stdout and not status else done.stdout + done.stderr
    return text.replace(RELEASE, NUMBER)


def can(*words: str) -> bool:
    return (
        bool(shutil.which(words[0])) and not subprocess.run(words, capture_output=True).returncode
    )


def wish(each: Shown) -> tuple[str, int, str]:
    """What a block wants: its text is the same wherever that is wanted."""
    return each.command, each.status, each.parts


def rewrite(page: Path, texts: dict[tuple[str, int, str], str]) -> None:
    """The page, as it is by now, with these texts in their blocks; from the last on, since they move what follows."""
    before = page.read_text()
    lines = before.splitlines()
    places = [each for each in shown.of_page(page) if not each.picture and wish(each) in texts]
    for each in reversed(places):
        lines[each.begin : each.end] = [line.rstrip() for line in texts[wish(each)].splitlines()]
    after = "\n".join(lines) + "\n"
    if after != before:
        page.write_text(after)
        give(page)


def give(path: Path) -> None:
    """To the clone's owner: who runs this is root."""
    owner = ROOT.stat()
    os.chown(path, owner.st_uid, owner.st_gid)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
