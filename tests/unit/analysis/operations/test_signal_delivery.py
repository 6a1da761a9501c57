"""tracer/analysis/operations/signal_delivery.py: which signals say that there is data, and to which receive."""

from __future__ import annotations

import numpy as np
import pytest
from support.analysing import analyse, only
from support.records_builder import HELPER, SIGIO, TID, Trace

from tracer.analysis.operations.signal_delivery import says_data
from tracer.recording.records import Kind

SI_ASYNCIO, SI_KERNEL = -4, 0x80
POLL_IN, POLL_HUP = 1, 6
KERNELS_SIGRTMIN = 32


@pytest.mark.parametrize(
    ("number", "code", "says"),
    [
        (SIGIO, SI_KERNEL, True),
        (SIGIO, POLL_IN, True),
        (SIGIO, SI_ASYNCIO, False),
        (KERNELS_SIGRTMIN, POLL_IN, True),
        (KERNELS_SIGRTMIN, POLL_HUP, True),
        (KERNELS_SIGRTMIN, POLL_HUP + 1, False),
        (KERNELS_SIGRTMIN, POLL_IN - 1, False),
        (KERNELS_SIGRTMIN - 1, POLL_IN, False),
        (64, POLL_IN, True),
        (64, SI_ASYNCIO, False),
    ],
)
def test_what_says_that_there_is_data(number: int, code: int, says: bool) -> None:
    assert says_data(np.array([number]), np.array([code])).tolist() == [says]


def test_a_signal_without_a_descriptor_names_none() -> None:
    trace = Trace().add(Kind.DESCRIPTOR, 3, start=8, fd=0, arg=0o140777)
    op = only(trace.signal(SIGIO, 100, 120).call("recvfrom", 130, 140, 64, fd=0))
    assert op.wait_kind == "signal" and not op.named


def test_another_threads_receive_takes_no_signal_away() -> None:
    trace = Trace().add(Kind.THREAD, 3, tid=HELPER, result=TID).signal(SIGIO, 50, 60, tid=HELPER)
    trace.call("recvfrom", 100, 110, 64).call("recvfrom", 120, 130, 64, tid=HELPER)
    assert [op.wait_kind for op in analyse(trace)] == ["at once", "signal"]


def test_a_signal_that_came_as_an_operation_ended_told_of_that_one() -> None:
    trace = Trace().signal(SIGIO, 100, 120).call("recvfrom", 110, 120, 64)
    first, second = analyse(trace.call("recvfrom", 130, 140, 64))
    assert (first.wait_kind, first.told) == ("signal", 110)
    assert second.wait_kind == "at once"
