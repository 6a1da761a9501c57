"""The ladder from exceptions to what is said of them: a line and a status for each kind."""

from __future__ import annotations

import click
import pytest
from support.running import RECORDING, assert_one_line, iotrace

from tracer.cli.errors import Failed, failed
from tracer.cli.main import main
from tracer.cli.trace import AsEnv
from tracer.errors import CANNOT, EventsLost, IotraceError, NothingSeen
from tracer.kernel.features import CannotTrace
from tracer.kernel.syscall_filter import FilterError
from tracer.recording.parquet import RecordingError

LADDER = [
    (IotraceError("why"), "why", 1),
    (IotraceError("why", CANNOT), "why", 3),
    (CannotTrace("no root"), "no root", 3),
    (NothingSeen("nothing"), "nothing", 3),
    (FilterError("no call"), "no call", 2),
    (RecordingError("broken"), "broken", 1),
    (click.UsageError("no such option"), "no such option", 2),
    (OSError(28, "No space left on device", "x"), "x: No space left on device", 1),
    (OSError(28, "No space left on device"), "No space left on device", 1),
    (KeyboardInterrupt(), "interrupted", 1),
    (
        ZeroDivisionError("by\nhand"),
        "iotrace failed: ZeroDivisionError: by hand (--debug shows where)",
        1,
    ),
]


@pytest.mark.parametrize(("error", "line", "status"), LADDER, ids=lambda its: type(its).__name__)
def test_every_failure_is_a_line_and_a_status(error: BaseException, line: str, status: int) -> None:
    said = failed(error)
    assert (said.format_message(), said.status) == (line, status)
    assert failed(said) is said


@pytest.mark.parametrize("error", [its[0] for its in LADDER], ids=lambda its: type(its).__name__)
def test_the_status_of_trace_is_its_own(error: BaseException) -> None:
    assert failed(error, AsEnv.own_status).status == 125


def test_that_events_were_lost_is_said_by_every_command() -> None:
    said = failed(EventsLost(23), AsEnv.own_status)
    assert (said.format_message(), said.status) == ("23 events were lost", 4)


def test_a_command_may_say_what_its_interruption_means() -> None:
    assert (
        failed(KeyboardInterrupt(), None, "the machines are ended").message
        == "the machines are ended"
    )


@pytest.mark.parametrize("name", sorted(main.commands))
def test_every_command_has_the_ladder(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a group, each of its commands."""
    command = main.commands[name]
    for its in getattr(command, "commands", {name: command}).values():
        monkeypatch.setattr(its, "callback", lambda: 1 / 0)
        with pytest.raises(Failed, match="ZeroDivisionError"):
            its.invoke(click.Context(its))


def test_debug_shows_where_it_was_raised() -> None:
    done = iotrace("report", "--debug", RECORDING.parent / "none.parquet")
    assert done.returncode == 1 and "Traceback" in done.stderr and "RecordingError" in done.stderr
    assert_one_line(iotrace("report", RECORDING.parent / "none.parquet"), 1, "none.parquet")
