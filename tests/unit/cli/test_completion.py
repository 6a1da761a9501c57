"""What a shell offers on Tab, in the shells that are here: words of iotrace's own, without root and without BCC."""

from __future__ import annotations

import os
import pty
import select
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from support.running import ROOT

from tracer.cli import completion
from tracer.cli.main import main

TIMEOUT = 30  # s
BARE = {"LC_ALL": "C.UTF-8", "TERM": "dumb"}


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A directory with the command, the scripts where shells look for them, and files to choose from."""
    place = tmp_path_factory.mktemp("completion")
    command = place / "bin" / "iotrace"
    command.parent.mkdir()
    # bcc is hidden: where it would be imported, there would be no words
    hidden = "import sys; sys.modules['bcc'] = None; sys.path[:0] = [{root!r}]; "
    run = hidden.format(root=str(ROOT)) + "from tracer.__main__ import main; main()"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -B -c "{run}" "$@"\n')
    command.chmod(0o755)
    for path, text in completion.scripts(main).items():
        script = place / "share" / path
        script.parent.mkdir(parents=True)
        script.write_text(text)
    (place / "here" / "dir").mkdir(parents=True)
    for name in ("one.parquet", "two.parquet", "notes.txt"):
        (place / "here" / name).touch()
    return place


def environment(place: Path) -> dict[str, str]:
    path = f"{place / 'bin'}:/usr/bin:/bin"
    return {**BARE, "PATH": path, "HOME": str(place), "XDG_DATA_DIRS": str(place / "share")}


def typed(place: Path, shell: list[str], setup: str, line: str, awaited: str) -> str:
    """What an interactive shell shows after `line` was typed, up to `awaited` or its end."""
    pid, fd = pty.fork()
    if pid == 0:
        os.chdir(place / "here")
        os.execve(shell[0], shell, environment(place))
    shown = ""
    try:
        for text, until in ((f"{setup}; echo rea''dy\r", "ready\r\n"), (line, awaited)):
            os.write(fd, text.encode())
            begun = len(shown)
            while until not in shown[begun:] and select.select([fd], [], [], TIMEOUT)[0]:
                try:
                    piece = os.read(fd, 4096)
                except OSError:  # the shell has ended
                    break
                shown += piece.decode(errors="replace")
        return shown[begun:]
    finally:
        os.kill(pid, 9)
        os.waitpid(pid, 0)
        os.close(fd)


def of_bash(place: Path, line: str, awaited: str) -> str:
    script = place / "share" / "bash-completion" / "completions" / "iotrace"
    setup = f"PS1=; bind 'set enable-bracketed-paste off'; source {script}"
    return typed(place, ["/usr/bin/bash", "--norc", "--noprofile", "-i"], setup, line, awaited)


@pytest.mark.skipif(not os.path.exists("/usr/bin/bash"), reason="no bash here")
@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("iotrace repo\t", "iotrace report "),  # a command
        ("iotrace lab mat\t", "iotrace lab matrix "),  # one below a command
        ("iotrace run --mess\t", "iotrace run --messages "),  # an option
        ("iotrace run --lang py\t", "iotrace run --lang python "),  # its value
        ("iotrace run nonb\t", "iotrace run nonblocking "),  # a scenario
        ("iotrace run polli\t", "iotrace run polling "),  # by its other name
        ("iotrace report tw\t", "iotrace report two.parquet "),  # a recording
        ("iotrace report not\t", "iotrace report notes.txt "),  # of another name
        ("iotrace verify fd-\t", "iotrace verify fd-set "),  # a claim
        ("iotrace lab run new\t", "iotrace lab run newest "),  # a kernel
        ("iotrace trace -- iotr\t", "iotrace trace -- iotrace "),  # a program
    ],
)
def test_bash_completes(place, line, shown):
    assert shown in of_bash(place, line, shown)


@pytest.mark.skipif(not os.path.exists("/usr/bin/bash"), reason="no bash here")
def test_wrong_usage_is_not_told_in_the_middle_of_a_line(place):
    shown = of_bash(place, "iotrace run --bogus 1 \t\x15echo e''nd\r", "end\r\n")
    assert "end" in shown and "no such option" not in shown.lower() and "Traceback" not in shown


@pytest.mark.skipif(not shutil.which("zsh"), reason="no zsh here")
@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("iotrace run nonb\t", "nonblocking"),
        ("iotrace report tw\t", "two.parquet"),
        ("iotrace repo\t", "report"),
    ],
)
def test_zsh_completes(place, line, shown):
    functions = place / "share" / "zsh" / "site-functions"
    setup = f"PS1=; fpath=({functions} $fpath); autoload -U compinit; compinit -u -D"
    assert shown in typed(place, ["/usr/bin/zsh", "-f", "-i"], setup, line, shown)


@pytest.mark.skipif(not shutil.which("fish"), reason="no fish here")
def test_fish_completes(place):
    script = place / "share" / "fish" / "vendor_completions.d" / "iotrace.fish"
    lines = ("iotrace run nonb", "iotrace report tw", "iotrace repo")
    asked = "; ".join(f'complete -C "{line}"' for line in lines)
    done = subprocess.run(
        ["fish", "-N", "-c", f"source {script}; {asked}"],
        cwd=place / "here",
        env=environment(place),
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
    )
    words = [line.split("\t")[0] for line in done.stdout.splitlines()]
    assert words == ["nonblocking", "two.parquet", "report"], done.stderr


def words(items):
    return [item.value for item in items]


def test_a_directory_is_not_hidden_by_a_recording(place, monkeypatch):
    monkeypatch.chdir(place / "here")
    context, param = None, None
    assert words(completion.of_recordings(context, param, "o")) == ["one.parquet"]
    assert [item.type for item in completion.of_recordings(context, param, "")] == ["file"]
    assert [item.type for item in completion.of_recordings(context, param, "no/such")] == ["file"]


def test_processes_are_those_that_run(place):
    parent = str(os.getppid())
    items = completion.of_processes(parent)
    assert parent in words(items) and str(os.getpid()) not in words(completion.of_processes(""))
    assert all(item.value.startswith(parent) and item.help for item in items)


def test_names_come_before_other_names():
    assert words(completion.of_scenarios("sig"))[0].startswith("signal")
    assert words(completion.of_scenarios("polli")) == ["polling"]
    assert "polling" not in words(completion.of_scenarios(""))
