"""tracer/analysis/operations/readiness.py: which readiness is whose, against the same rules followed one by one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from reference.readiness import LATE_NS, Receive, one_by_one

from tracer.analysis.operations import readiness
from tracer.analysis.operations.readiness import Match, Readinesses, SocketReceives, match
from tracer.analysis.operations.table import UNKNOWN

SCALE = LATE_NS // 10  # so that some late ones are too late
SOCKETS = (1, 2)
receives = st.lists(
    st.tuples(
        st.sampled_from(SOCKETS),
        st.integers(1, 12),
        st.one_of(st.none(), st.integers(0, 3)),
        st.booleans(),
        st.sampled_from((1, 1, 2, 5)),
    ),
    max_size=25,
)
readies = st.lists(
    st.tuples(st.sampled_from(SOCKETS), st.integers(0, 150), st.integers(0, 1)), max_size=30
)


def matched(by_socket: dict[int, list[Receive]], times: dict[int, list[int]]) -> Match:
    """What match says of some sockets' receives and readinesses."""
    rows = [(socket, row) for socket, mine in sorted(by_socket.items()) for row in mine]
    ends = np.array([row.end for _, row in rows], np.int64)
    sockets = np.array([socket for socket, _ in rows], np.int64)
    last_end = np.append(UNKNOWN, ends[:-1])[: len(rows)]
    last_end[np.append(True, sockets[1:] != sockets[:-1])[: len(rows)]] = UNKNOWN
    empty_at = [UNKNOWN if row.empty_at is None else row.empty_at for _, row in rows]
    ready = sorted((socket, time) for socket, mine in times.items() for time in mine)
    return match(
        SocketReceives(
            sockets,
            ends,
            np.array(empty_at, np.int64),
            np.array([row.stream for _, row in rows], bool),
            np.array([row.polled for _, row in rows], bool),
            np.array([row.messages for _, row in rows], np.int64),
            last_end,
        ),
        Readinesses(
            np.array([socket for socket, _ in ready], np.int64),
            np.array([time for _, time in ready], np.int64),
        ),
    )


def pairs(found: Match) -> list[tuple[int | None, int | None]]:
    """(ready, late) of each receive; None where there was none."""
    both = zip(found.ready.tolist(), found.late.tolist(), strict=True)
    return [
        (None if ready == UNKNOWN else ready, None if late == UNKNOWN else late)
        for ready, late in both
    ]


def test_late_is_as_late_as_the_rule_says() -> None:
    assert readiness.LATE_NS == LATE_NS


@given(receives, readies, st.booleans())
def test_the_same_as_one_by_one(
    steps: list[tuple[int, int, int | None, bool, int]],
    events: list[tuple[int, int, int]],
    stream: bool,
) -> None:
    now = 0
    by_socket: dict[int, list[Receive]] = {socket: [] for socket in SOCKETS}
    for socket, gap, before, polled, messages in steps:
        now += gap * SCALE
        empty_at = None if before is None else now - before * SCALE
        by_socket[socket].append(Receive(now, empty_at, polled, stream, messages))
    times = {
        socket: [time * SCALE + after for its, time, after in events if its == socket]
        for socket in SOCKETS
    }
    wanted = [pair for socket in SOCKETS for pair in one_by_one(by_socket[socket], times[socket])]
    assert pairs(matched(by_socket, times)) == wanted


def spent(receives: list[Receive], times: list[int]) -> list[int]:
    """How many readinesses are used up after each receive of one socket."""
    found: list[int] = matched({1: receives}, {1: times}).spent.tolist()
    return found


def test_what_is_spent_is_what_was_taken_skipped_or_came_late() -> None:
    at_100 = Receive(100, None, polled=False, stream=False)
    assert spent([at_100], [50, 60, 150]) == [1]  # a datagram each
    assert spent([Receive(100, None, False, stream=True)], [50, 60, 150]) == [2]  # all there is
    assert spent([Receive(100, 90, False, False)], [50, 60, 150]) == [2]  # it was empty at 90
    assert spent([Receive(100, None, polled=True, stream=False)], [150]) == [1]  # its own, late
    assert spent([at_100], [150]) == [0]
    several = Receive(100, None, polled=False, stream=False, messages=2)
    assert spent([several, Receive(200, None, False, False)], [50, 60, 70, 150]) == [2, 3]
    assert spent([at_100, Receive(200, None, False, False)], [50, 60]) == [1, 2]
    assert spent([], []) == []


@pytest.mark.parametrize("times", [{1: [50, 105]}, {3: [50, 105]}, {1: [50, 105], 3: [50, 105]}])
def test_other_sockets_readinesses_are_not_its_own(times: dict[int, list[int]]) -> None:
    for empty_at in None, 0, 90:
        for polled in False, True:
            found = matched({2: [Receive(100, empty_at, polled, stream=False)]}, times)
            assert pairs(found) == [(None, None)] and found.spent.tolist() == [0]


def test_a_polling_receives_readiness_comes_soon_and_not_after_the_next_receive() -> None:
    polling = Receive(100, None, polled=True, stream=False)
    later = Receive(200, None, polled=False, stream=False)
    assert pairs(matched({1: [polling]}, {1: [100 + LATE_NS - 1]})) == [(None, 100 + LATE_NS - 1)]
    assert pairs(matched({1: [polling]}, {1: [100 + LATE_NS]})) == [(None, None)]
    assert pairs(matched({1: [polling, later]}, {1: [200]})) == [(None, 200), (None, None)]
    assert pairs(matched({1: [polling, later]}, {1: [201]})) == [(None, None), (None, None)]
