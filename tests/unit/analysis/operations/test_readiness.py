"""tracer/analysis/operations/readiness.py: which readiness is whose, against the same rules followed one by one."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tracer.analysis.operations.readiness import LATE_NS, UNKNOWN, match

SCALE = LATE_NS // 10  # so that some late ones are too late
receives = st.lists(
    st.tuples(
        st.integers(1, 2),
        st.integers(1, 12),
        st.one_of(st.none(), st.integers(0, 3)),
        st.booleans(),
    ),
    max_size=25,
)
readies = st.lists(st.tuples(st.integers(1, 2), st.integers(0, 150)), max_size=30)


def one_by_one(rows, events, stream):
    """[(ready, late)] of the receives of one socket, in order."""
    queue, found, last_end = sorted(events), [], UNKNOWN
    for i, (end, empty_at, polled) in enumerate(rows):
        ready, late, before = UNKNOWN, UNKNOWN, None
        while empty_at is not None and queue and queue[0] < empty_at:
            before = queue.pop(0)
        following = rows[i + 1][0] if i + 1 < len(rows) else np.inf
        if queue and queue[0] <= end:
            ready = queue.pop(0)
            while stream and queue and queue[0] <= end:
                queue.pop(0)
        elif before is not None and not polled and before > last_end:
            ready = before
        elif polled and queue and queue[0] - end < LATE_NS and queue[0] <= following:
            late = queue.pop(0)
        found.append((ready, late))
        last_end = end
    return found


@given(receives, readies, st.booleans())
def test_the_same_as_one_by_one(steps, events, stream):
    now, sockets = 0, {1: [], 2: []}
    for socket, gap, before, polled in steps:
        now += gap * SCALE
        sockets[socket].append((now, None if before is None else now - before * SCALE, polled))
    by_socket = {
        socket: [time * SCALE + 1 for its, time in events if its == socket] for socket in (1, 2)
    }
    wanted = [
        pair for socket in (1, 2) for pair in one_by_one(sockets[socket], by_socket[socket], stream)
    ]
    rows = [(socket, *row) for socket in (1, 2) for row in sockets[socket]]
    count = len(rows)
    ids, ends, empty_at, polled = (
        np.array([row[i] if row[i] is not None else UNKNOWN for row in rows], np.int64)
        for i in range(4)
    )
    last_end = np.append(UNKNOWN, ends[:-1])[:count]
    last_end[np.append(True, ids[1:] != ids[:-1])[:count]] = UNKNOWN
    ready = sorted((socket, time) for socket in (1, 2) for time in by_socket[socket])
    matched, _ = match(
        ids,
        ends,
        empty_at,
        np.full(count, stream),
        polled.astype(bool),
        last_end,
        np.array([s for s, _ in ready], np.int64),
        np.array([t for _, t in ready], np.int64),
    )
    assert list(zip(matched.ready.tolist(), matched.late.tolist(), strict=True)) == wanted
