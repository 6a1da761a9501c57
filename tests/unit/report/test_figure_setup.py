"""tracer/report/figure_setup.py: what was set up before the operation of a figure, from the calls that were seen."""

from __future__ import annotations

import fcntl
import os
from typing import Any

import pytest
from support.drawn import lines_of_figure, row
from support.records_builder import EAGAIN, FD, SIGIO, TID, Trace
from support.reports import built

SIGNO = 35  # SIGRTMIN+1
F_SETSIG, FIOASYNC, FIONREAD = 10, 0x5452, 0x541B


def armed(trace: Trace, flags: int = os.O_ASYNC | os.O_NONBLOCK) -> Trace:
    """A handler, an owner and O_ASYNC."""
    trace.call("rt_sigaction", 10, 11, 0, fd=SIGIO)
    trace.args("fcntl", 20, fcntl.F_SETOWN, TID).args("fcntl", 30, fcntl.F_SETFL, flags)
    return trace


def received(trace: Trace, at: int = 1000) -> Trace:
    """A message that a signal tells of."""
    trace.call("recvfrom", at, at + 5, EAGAIN).ready(at + 100).signal(SIGIO, at + 110, at + 120)
    return trace.call("recvfrom", at + 130, at + 140, 64)


def prelude_of(trace: Trace) -> list[tuple[int, str, str, str | None]]:
    its: Any = built(trace)["figure"]
    return [(s["at_ns"], s["name"], s["what"], s["value"]) for s in its.get("prelude", [])]


def test_the_handler_the_owner_and_o_async_in_their_order() -> None:
    assert prelude_of(received(armed(Trace()))) == [
        (11, "rt_sigaction", "SIGIO", None),
        (20, "fcntl", "F_SETOWN", str(TID)),
        (30, "fcntl", "O_ASYNC", None),
    ]


def test_the_last_of_each_counts_and_what_comes_later_does_not() -> None:
    trace = received(armed(Trace()))
    trace.args("fcntl", 40, fcntl.F_SETFL, os.O_ASYNC).args("fcntl", 50, F_SETSIG, SIGNO)
    trace.args("fcntl", 2000, fcntl.F_SETFL, os.O_ASYNC)
    assert [(time, what) for time, _, what, _ in prelude_of(trace)][1:] == [
        (20, "F_SETOWN"),
        (40, "O_ASYNC"),
        (50, "F_SETSIG"),
    ]
    assert prelude_of(trace)[-1][3] == "SIGRTMIN+1"


@pytest.mark.parametrize(
    "trace",
    [
        Trace(),  # attached to later
        armed(Trace(), os.O_NONBLOCK),
        Trace().args("fcntl", 30, fcntl.F_SETFL, os.O_ASYNC, first=FD + 1),
        Trace().args("fcntl", 30, fcntl.F_SETFL, os.O_ASYNC, tid=TID + 1),
        Trace().args("ioctl", 30, FIONREAD, 1),
    ],
)
def test_there_is_none_where_nothing_was_seen_to_arm_the_descriptor(trace: Trace) -> None:
    assert prelude_of(received(trace)) == []


def test_ioctl_arms_too_and_another_signals_handler_is_none_of_it() -> None:
    trace = Trace().call("rt_sigaction", 10, 11, 0, fd=SIGNO).args("ioctl", 30, FIOASYNC, 1)
    assert prelude_of(received(trace)) == [(30, "ioctl", "FIOASYNC", None)]


def test_other_models_have_none() -> None:
    trace = armed(Trace()).sleep(110, 210, 220).ready(200).call("recvfrom", 100, 240, 64)
    assert "prelude" not in built(trace)["figure"]


def test_the_figure_begins_with_it() -> None:
    lines = lines_of_figure(built(received(armed(Trace()))))
    order = [
        row(lines, "┌"),
        row(lines, "rt_sigaction SIGIO", "►", "has its handler"),
        row(lines, "fcntl F_SETOWN", "►", f"owner: {TID}"),
        row(lines, "fcntl O_ASYNC", "►"),
        row(lines, "… 970 ns later", "◄", "return"),
        row(lines, "recvfrom", "no data ready"),
    ]
    assert order == [*range(order[0], order[0] + 6)]
    assert lines[order[-1]].split()[0] == "0" and all(
        not lines[at][:9].strip() for at in order[:-1]
    )
