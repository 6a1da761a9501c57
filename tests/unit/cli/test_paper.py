"""tracer/cli/paper.py and progress.py: what a stream can show, and what is said while something lasts."""

from __future__ import annotations

import io
import os
import pty
import subprocess
import sys

import click
import pytest
from support.running import IOTRACE, RECORDING, ROOT, iotrace

from tracer.cli import paper, progress

ESCAPE = "\x1b["


class Stream(io.StringIO):
    """A stream with an encoding, that may be a terminal."""

    def __init__(self, terminal: bool = True, encoding: str = "utf-8") -> None:
        super().__init__()
        self._terminal, self._encoding = terminal, encoding

    @property
    def encoding(self) -> str:  # type: ignore[override]  # an attribute there
        return self._encoding

    def isatty(self) -> bool:
        return self._terminal


@pytest.mark.parametrize(
    ("terminal", "environment", "auto"),
    [
        (True, {"TERM": "xterm"}, True),
        (True, {"TERM": "dumb"}, False),
        (False, {"TERM": "xterm"}, False),
        (True, {"NO_COLOR": "1"}, False),
        (True, {"NO_COLOR": ""}, True),
        (False, {"FORCE_COLOR": "1"}, True),
        (True, {"FORCE_COLOR": "0", "TERM": "xterm"}, False),
        (False, {"FORCE_COLOR": "1", "TERM": "dumb"}, True),
        (True, {"NO_COLOR": "1", "FORCE_COLOR": "1"}, False),
    ],
)
def test_colours_as_terminal_and_environment_say_unless_color_does(
    terminal: bool, environment: dict[str, str], auto: bool
) -> None:
    for wish, coloured in (("auto", auto), ("always", True), ("never", False)):
        with click.Context(click.Command("x")) as context:
            context.meta[paper.COLOR] = wish
            assert paper.colored(Stream(terminal), environment) is coloured, wish
    assert paper.colored(Stream(terminal), environment) is auto


@pytest.mark.parametrize(
    ("environment", "encoding", "unicode"),
    [
        ({}, "utf-8", True),
        ({"LANG": "C.UTF-8"}, "utf-8", True),
        ({"LANG": "en_GB.utf8"}, "utf-8", True),
        ({"LC_ALL": "C"}, "utf-8", False),
        ({"LC_ALL": "", "LANG": "POSIX"}, "utf-8", False),
        ({"LC_ALL": "de_DE.ISO-8859-1"}, "utf-8", False),
        ({"LC_ALL": "C", "LANG": "en_GB.UTF-8"}, "utf-8", False),
        ({"LC_CTYPE": "C.UTF-8", "LANG": "C"}, "utf-8", False),  # Python's own doing (PEP 538)
        ({"LC_CTYPE": "C.UTF-8"}, "utf-8", True),
        ({"LANG": "en_GB.UTF-8"}, "iso8859-1", False),
    ],
)
def test_letters_as_locale_and_encoding_say(
    environment: dict[str, str], encoding: str, unicode: bool
) -> None:
    assert paper.unicode(Stream(encoding=encoding), environment) is unicode


def on_a_terminal(*arguments: str, **environment: str) -> str:
    """What the command writes to a terminal that is its stdout and stderr."""
    parent, child = pty.openpty()
    variables = {key: value for key, value in os.environ.items() if key not in ("NO_COLOR",)}
    process = subprocess.Popen(
        [*IOTRACE, *arguments], stdout=child, stderr=child, env=variables | environment, cwd=ROOT
    )
    os.close(child)
    written = b""
    while True:
        try:
            piece = os.read(parent, 1 << 16)
        except OSError:  # EIO: all that had it open are gone
            break
        if not piece:
            break
        written += piece
    os.close(parent)
    assert process.wait() == 0, written
    return written.decode()


def test_a_dumb_terminal_gets_no_escapes_and_others_do() -> None:
    report = ("report", str(RECORDING))
    assert ESCAPE in on_a_terminal(*report, TERM="xterm", COLUMNS="80")
    assert ESCAPE not in on_a_terminal(*report, TERM="dumb", COLUMNS="80")
    assert ESCAPE not in on_a_terminal(*report, "--color", "never", TERM="xterm", COLUMNS="80")


def test_color_may_stand_before_the_command_and_behind_it() -> None:
    for arguments in (
        ("--color", "always", "report", RECORDING),
        ("report", RECORDING, "--color=always"),
    ):
        assert ESCAPE in iotrace(*arguments).stdout
    wrong = iotrace("report", RECORDING, "--color", "blue")
    assert wrong.returncode == 2 and wrong.stderr.count("\n") == 1


def test_a_locale_without_utf_8_gets_ascii() -> None:
    for arguments in (("report", RECORDING), ("list",), ("report", RECORDING, "-v", "--hist")):
        assert iotrace(*arguments, env={"LC_ALL": "C"}).stdout.isascii()


def test_a_dumb_terminal_is_as_wide_as_it_is() -> None:
    done = iotrace("report", RECORDING, env={"TERM": "dumb", "COLUMNS": "100"})
    assert max(map(len, done.stdout.splitlines())) > 90


KINDS = ("terminal", "file", "dumb")


def stderr(kind: str, monkeypatch: pytest.MonkeyPatch) -> Stream:
    """A stderr of that kind, in the place of this process's."""
    stream = Stream(kind != "file")
    monkeypatch.setenv("TERM", "dumb" if kind == "dumb" else "xterm")
    monkeypatch.setattr(sys, "stderr", stream)
    return stream


@pytest.mark.parametrize("kind", KINDS)
def test_runs_are_told_in_one_style(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    stream = stderr(kind, monkeypatch)
    with progress.of_runs(30) as say:
        for done in range(30):
            say(done, f"epoll-lt (c), round {done}")
        say.note("6.1: booted")
    said = stream.getvalue()
    if kind == "terminal":
        assert "\r\x1b[K1/30  epoll-lt (c), round 0" in said and said.endswith("\r\x1b[K")
        assert "\n" not in said
    else:
        assert ESCAPE not in said and "\r" not in said
        lines = said.splitlines()
        assert lines[:2] == ["iotrace: 0 of 30 runs made", "iotrace: 3 of 30 runs made"]
        assert len(lines) == 11 and lines[-1] == "iotrace: 6.1: booted"


def test_runs_beside_each_other_are_counted_as_they_begin(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = stderr("terminal", monkeypatch)
    with progress.of_runs(4) as say:
        for number, line in enumerate(("6.1: poll", "7.2: poll", "6.1: select", "7.2: select"), 1):
            say.note(line, begins=True)
            assert stream.getvalue().endswith(f"{number}/4  {line}")


def test_events_are_counted_on_a_terminal_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    for kind in KINDS:
        stream = stderr(kind, monkeypatch)
        with progress.of_events(True) as say:
            say(12_345)
        assert ("12,345 events" in stream.getvalue()) is (kind == "terminal")
