"""A new format of output is one file: here one that writes a line of CSV, put where tracer/output is looked through."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import pytest
from support.running import NOBODY, ROOT, iotrace

from tracer.cli.files import PRIVATE
from tracer.output import formats
from tracer.output.format import Kind

RECORDING = ROOT / "tests" / "data" / "nonblocking.parquet"
CSV = '''
"""A report's phases as a line of CSV."""
from tracer.output.format import Format, Kind, Switch


def render(report, options):
    yield "{" if "braces" in options.switches else ""
    yield ",".join(str(phase["count"]) for phase in report["phases"].values())
    yield "\\n"


FORMAT = Format(
    flag="--csv",
    metavar="FILE",
    help="The phases as CSV in this file.",
    renders={Kind.REPORT: render},
    switches=(Switch("--braces", "CSV with a brace.", frozenset((Kind.REPORT,)), order=61),),
    order=60,
)
'''
EVENTS = '''
"""The kinds of events, and bytes."""
from tracer.output.format import Format, Kind

FORMAT = Format(
    flag="--kinds",
    metavar="FILE",
    binary=True,
    renders={Kind.LISTING: lambda events, options: (b"%d" % len(event["kind"]) for event in events),
             Kind.REPORT: lambda report, options: [b"\\xff\\x00"]},
)
'''


Run: TypeAlias = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def extended(tmp_path: Path) -> Run:
    """Runs iotrace with the two formats above beside its own."""
    place = tmp_path / "formats"
    place.mkdir()
    (place / "comma_separated.py").write_text(CSV)
    (place / "event_kinds.py").write_text(EVENTS)
    return running(tmp_path, place)


def running(tmp_path: Path, place: Path) -> Run:
    """Runs iotrace, in tmp_path, with the formats in `place` beside its own."""
    program = (
        f"import sys; sys.path.insert(0, {str(ROOT)!r}); import tracer.output as output; "
        f"output.__path__.append({str(place)!r}); "
        "from tracer.cli.main import main; main(prog_name='iotrace')"
    )

    def run(*arguments: object, **env: str) -> subprocess.CompletedProcess[str]:
        words = map(str, arguments)
        return subprocess.run(
            [sys.executable, "-B", "-c", program, *words],
            capture_output=True,
            text=True,
            env={**os.environ, **env},
            cwd=tmp_path,
        )

    return run


@pytest.mark.parametrize(
    ("command", "offers"),
    [
        ("run", True),
        ("trace", True),
        ("attach", True),
        ("report", True),
        ("compare", False),
        ("verify", False),
        ("doctor", False),
    ],
)
def test_commands_that_show_such_a_result_offer_it(
    command: str, offers: bool, extended: Run
) -> None:
    text = extended(command, "--help").stdout
    assert ("--csv FILE" in text and "The phases as CSV in this file." in text) == offers
    assert ("--braces" in text) == offers


def test_it_is_written_beside_what_stdout_shows(extended: Run, tmp_path: Path) -> None:
    done = extended("report", RECORDING, "--csv", tmp_path / "phases.csv")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == iotrace("report", RECORDING, env={"COLUMNS": "80"}).stdout
    path = tmp_path / "phases.csv"
    counts = path.read_text().strip().split(",")
    assert len(counts) == 6 and len(set(counts)) == 1 and path.read_text().endswith("\n")
    assert path.stat().st_mode & 0o777 == PRIVATE


def test_it_has_switches_and_goes_with_json(extended: Run, tmp_path: Path) -> None:
    done = extended("report", RECORDING, "--json", "--csv", "x.csv", "--braces")
    assert done.stdout == iotrace("report", RECORDING, "--json").stdout
    assert (tmp_path / "x.csv").read_text().startswith("{")


def test_bytes_and_events_go_to_files_too(extended: Run, tmp_path: Path) -> None:
    assert extended("report", RECORDING, "--kinds", "report").returncode == 0
    assert (tmp_path / "report").read_bytes() == b"\xff\x00"
    done = extended("report", RECORDING, "--events", "--kinds", "events")
    assert done.stdout == iotrace("report", RECORDING, "--events").stdout
    assert len((tmp_path / "events").read_bytes()) == len(done.stdout.splitlines()) - 1


def test_it_is_refused_where_it_does_not_apply(extended: Run, tmp_path: Path) -> None:
    done = extended("report", RECORDING, "--events", "--csv", "x.csv")
    assert done.returncode == 2 and done.stderr.startswith("iotrace: --events is a text")
    assert not (tmp_path / "x.csv").exists()


@pytest.mark.parametrize("command", [("report", RECORDING), ("run", "blocking"), ("trace", "true")])
def test_a_place_that_cannot_be_written_is_said_at_once(
    command: tuple[object, ...], extended: Run, tmp_path: Path
) -> None:
    (tmp_path / "link").symlink_to("precious")
    for place, why in (("none/x.csv", "no such directory"), ("link", "is not a regular file")):
        done = extended(command[0], "--csv", place, *command[1:])
        assert done.returncode == (125 if command[0] == "trace" else 1)
        assert why in done.stderr and len(done.stderr.splitlines()) == 1 and not done.stdout
    assert not (tmp_path / "precious").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_it_is_the_file_of_who_called_sudo(extended: Run, tmp_path: Path) -> None:
    extended("report", RECORDING, "--csv", "x", SUDO_UID=str(NOBODY), SUDO_GID=str(NOBODY))
    assert (tmp_path / "x").stat().st_uid == NOBODY


@pytest.mark.parametrize("kind", Kind)
def test_every_kind_of_result_has_one_format_by_default(kind: Kind) -> None:
    assert len([its for its in formats() if its.flag is None and kind in its.renders]) == 1


def test_names_are_unique() -> None:
    flags = [its.flag for its in formats() if its.flag]
    flags += [switch.flag for its in formats() for switch in its.switches]
    assert len(set(flags)) == len(flags) and all(flag.startswith("--") for flag in flags)


def test_the_example_of_contributing_is_a_format(tmp_path: Path) -> None:
    section = (ROOT / "CONTRIBUTING.md").read_text().partition("## Adding a format of output")[2]
    place = tmp_path / "formats"
    place.mkdir()
    (place / "medians.py").write_text(section.split("```")[1].removeprefix("python"))
    iotrace_extended = running(tmp_path, place)
    assert "--csv FILE" in iotrace_extended("trace", "--help").stdout
    assert iotrace_extended("report", RECORDING, "--csv", "x").returncode == 0
    assert len((tmp_path / "x").read_text().split(",")) == 6
