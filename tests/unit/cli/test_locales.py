"""Names that are no text, in every locale and every output: shown alike, and nothing of them moves a cursor."""

from __future__ import annotations

import json
import os
import struct
import subprocess
from pathlib import Path

import pytest
from support.recordings import write_recording
from support.records_builder import Trace
from support.running import IOTRACE, PYTHON, ROOT

from tracer import text
from tracer.recording.records import Kind

LOCALES = [
    {"LC_ALL": "C"},
    {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    {"LC_ALL": "de_DE.ISO-8859-1"},  # where it is not installed, C's
    {"PYTHONIOENCODING": "ascii"},
    {"PYTHONIOENCODING": "iso8859-1"},
    {"PYTHONIOENCODING": "koi8-r:strict"},
    {"PYTHONIOENCODING": "utf-16"},
]


@pytest.fixture(scope="module")
def odd_names(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recording with names of threads and files that no terminal may be given as they are, in a directory of such a
    name."""
    raw = [b"\xff" * 15, "имя".encode(), b"\x1b[31mred\n", "\u202egpj.exe".encode(), "é€".encode()]
    trace = Trace()
    for tid, name in enumerate(raw, 200):
        low, high = struct.unpack("<qq", name.ljust(16, b"\0"))
        trace.add(Kind.THREAD, tid, tid=tid, result=100, fd=100)
        trace.add(Kind.NAME, tid, tid=tid, start=low, result=high, arg=100)
        trace.preempted(1000, 1100, tid=tid).call("read", 2000, 2100, 7, fd=4, tid=tid)
    directory = tmp_path_factory.mktemp("odd") / os.fsdecode(b"\xff\n\x1b[31m")
    directory.mkdir()
    files_ = [{"pid": 1, "fd": 4, "inode": 9000, "name": text.shown(raw[2]), "flags": 0}]
    write_recording(directory / "run", trace.records(), files=files_, comms={"7": None})
    return directory / "run"


@pytest.mark.parametrize("locale", LOCALES, ids=lambda its: "-".join(its.values()))
def test_every_locale_is_written_to(locale: dict[str, str], odd_names: Path) -> None:
    """A name is shown in every locale, by escapes where the locale has no letters for it; JSON is UTF-8 in all."""
    encoding = locale.get("PYTHONIOENCODING", "utf-8").partition(":")[0]
    if "PYTHONUTF8" in locale:
        encoding = "ascii"
    if PYTHON[1:]:  # -I: Python's own variables say nothing
        encoding = "utf-8"
    shown = {"report": []}
    if encoding in ("ascii", "utf-16"):
        shown |= {"json": ["--json"], "events": ["--events"]}
    for what, options in shown.items():
        done = subprocess.run(
            [*IOTRACE, "report", *options, os.fsencode(odd_names)],
            capture_output=True,
            cwd=ROOT,
            env={**os.environ, **locale},
        )
        assert done.returncode == 0 and not done.stderr, done.stderr
        if what == "json":
            names = {thread["name"] for thread in json.loads(done.stdout.decode())["threads"]}
            assert {r"\xff" * 15, "имя", r"\x1b[31mred\n", r"\u202egpj.exe", "é€"} <= names
            continue
        drawn = done.stdout.decode(encoding)
        assert all(letter.isprintable() or letter == "\n" for letter in drawn)
        assert r"\x1b[31mred\n" in drawn
        if what == "report":
            plain = "utf" in encoding and "LC_ALL" not in locale  # a locale without UTF-8
            assert ("имя" if plain else r"\u0438\u043c\u044f") in drawn


def test_a_path_that_is_no_text_is_named_safely(odd_names: Path) -> None:
    for name in (b"/none", b"/run/none"):
        done = subprocess.run(
            [*IOTRACE, "report", os.fsencode(odd_names.parent) + name],
            capture_output=True,
            cwd=ROOT,
        )
        assert done.returncode == 1 and done.stdout == b""
        assert rb"/\xff\n\x1b[31m/" in done.stderr and done.stderr.count(b"\n") == 1
