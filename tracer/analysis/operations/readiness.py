"""Which sk_data_ready belongs to which receive of a socket.

Datagrams are taken in the order in which they came; a stream's receive takes all there is. A receive that slept, or
found nothing before, proves that the socket was empty at that moment, and so does a wait that timed out: what was ready
before is spent.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tracer.analysis.operations.table import UNKNOWN
from tracer.analysis.tables.table import Table

LATE_NS = 1_000_000  # how long after a receive's exit its own sk_data_ready may still come
_NO_LEAST, _NO_END = np.iinfo(np.int64).min, np.iinfo(np.int64).max


@dataclass(slots=True)
class SocketReceives(Table):
    """n receives, by socket, and by their end within one.

    socket    its inode
    end       when the receive ended (ns)
    empty_at  when the socket was last known to be empty before it (ns, UNKNOWN: it never was)
    stream    whether it takes all there is
    polled    whether its thread asked again and again without a sleep: its readiness may come late
    messages  how many messages it takes, and with them their readinesses
    last_end  when the receive before it on that socket ended (ns, UNKNOWN: there was none)
    """

    socket: np.ndarray
    end: np.ndarray
    empty_at: np.ndarray
    stream: np.ndarray
    polled: np.ndarray
    messages: np.ndarray
    last_end: np.ndarray


@dataclass(slots=True)
class Readinesses(Table):
    """m sk_data_ready, by socket (its inode), and by time (ns) within one."""

    socket: np.ndarray
    time: np.ndarray


@dataclass(slots=True)
class Match(Table):
    """For each of n receives: ready (ns), the sk_data_ready that came before it ended; late (ns), the one that came
    after a polling receive which had found its data already; both UNKNOWN where there was none. spent: how many
    readinesses of its socket are used up after it."""

    ready: np.ndarray
    late: np.ndarray
    spent: np.ndarray


@dataclass(slots=True)
class _Ranges:
    """Of each receive, indices into all readinesses: begin and stop of its socket's; there: the first that came after
    the receive ended; from_empty: the first that came when the socket had been empty, or begin."""

    begin: np.ndarray
    stop: np.ndarray
    there: np.ndarray
    from_empty: np.ndarray


def match(receives: SocketReceives, readies: Readinesses) -> Match:
    """Each receive's readiness."""
    first = np.append(True, receives.socket[1:] != receives.socket[:-1])[: len(receives)]
    ranges = _ranges(receives, readies)
    coming = _at(readies.time, ranges.there, ranges.stop)
    late = receives.polled & _comes_soon(receives, first, coming)
    place, after = _places(receives, ranges, ranges.there + late)
    taken = place < ranges.there
    skipped = _at(readies.time, ranges.from_empty - 1, ranges.stop)
    before = np.where(first, ranges.begin, _shifted(after))  # the first that is not spent before it
    between = ~taken & _came_between(receives, ranges, before, skipped)
    ready = np.where(taken, _at(readies.time, place, ranges.stop), UNKNOWN)
    return Match(
        ready=np.where(between, skipped, ready),
        late=np.where(late & ~taken & ~between, coming, UNKNOWN),
        spent=np.maximum(after, place) - ranges.begin,
    )


def _ranges(receives: SocketReceives, readies: Readinesses) -> _Ranges:
    """Which readinesses each receive may have to do with."""
    begin = np.searchsorted(readies.socket, receives.socket)
    stop = np.searchsorted(readies.socket, receives.socket, "right")
    there = _ranks(readies, receives.end, begin, stop)
    known = receives.empty_at != UNKNOWN
    # one that comes at that very moment is not spent
    from_empty = _ranks(readies, receives.empty_at - known, begin, stop)
    return _Ranges(begin, stop, there, np.where(known, from_empty, begin))


def _comes_soon(receives: SocketReceives, first: np.ndarray, coming: np.ndarray) -> np.ndarray:
    """Whether the next readiness (ns) comes soon after a receive's end, and not after the next receive's."""
    is_last = np.append(first[1:], True)[: len(first)]
    next_end = np.where(is_last, _NO_END, np.roll(receives.end, -1))
    in_time = (coming - receives.end < LATE_NS) & (coming <= next_end)
    soon: np.ndarray = (coming != UNKNOWN) & in_time
    return soon


def _places(
    receives: SocketReceives, ranges: _Ranges, limit: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """(the index of the readiness that each receive takes first, if it is below `there`; the first not spent after it).

    The index of receive k, p(k), follows from the one before, which took n(k) messages:
    p(k + 1) = max(from_empty(k + 1), min(p(k) + n(k), limit(k))), and on a stream at least there(k). With
    q(k) = p(k) − (n(0) + … + n(k − 1)) that is a clamp, and clamps combine to clamps: all of them are found together by
    doubling.
    """
    # spent by each receive itself
    least = np.where(receives.stream, ranges.there, _NO_LEAST)
    low = np.maximum(_shifted(least), ranges.from_empty)
    # a socket's first receive is held by no limit of the socket before: that has lower indices
    high = np.maximum(low, _shifted(limit))
    taken = np.cumsum(receives.messages) - receives.messages
    place = _clamped(low - taken, high - taken) + taken
    return place, np.maximum(least, np.minimum(place + receives.messages, limit))


def _came_between(
    receives: SocketReceives, ranges: _Ranges, before: np.ndarray, skipped: np.ndarray
) -> np.ndarray:
    """Whether the last readiness that is spent since the socket was empty (`skipped`, ns) is a sleeper's own: it came
    after the thread had looked and before it slept. No receive before has spent it, and none ended after it."""
    asleep = (receives.empty_at != UNKNOWN) & ~receives.polled
    own: np.ndarray = asleep & (before < ranges.from_empty) & (skipped > receives.last_end)
    return own


def _clamped(low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """q(k) = max(low(k), min(q(k − 1), high(k))), where low(0) = high(0): by combining neighbours, twice as far each
    time, until each is known to be a constant."""
    low, high = low.copy(), high.copy()
    todo, step = np.flatnonzero(high > low), 1
    while len(todo):
        before = todo - step
        before_low, before_high = low[before], high[before]
        new_low = np.maximum(low[todo], np.minimum(before_low, high[todo]))
        new_high = np.maximum(low[todo], np.minimum(before_high, high[todo]))
        low[todo], high[todo] = new_low, new_high
        todo, step = todo[new_high > new_low], step * 2
    return low


def _ranks(
    readies: Readinesses, times: np.ndarray, begin: np.ndarray, stop: np.ndarray
) -> np.ndarray:
    """The index of the first readiness of each receive's socket (begin to stop) that is later than each time."""
    if not len(readies):
        return begin.copy()
    if readies.socket[0] == readies.socket[-1]:
        return np.clip(np.searchsorted(readies.time, times, "right"), begin, stop)
    # socket and time as one number: where the socket's begin, and the time's rank among all (of a readiness 1 or more)
    instants = np.sort(readies.time)
    begins = np.searchsorted(readies.socket, readies.socket)
    keys = begins * len(instants) + np.searchsorted(instants, readies.time, "right")
    asked = begin * len(instants) + np.searchsorted(instants, times, "right")
    ranks: np.ndarray = np.minimum(np.searchsorted(keys, asked, "right"), stop)
    return ranks


def _at(times: np.ndarray, place: np.ndarray, stop: np.ndarray) -> np.ndarray:
    """times[place], UNKNOWN where the place is not among its socket's (it is −1 or more)."""
    if not len(times):
        return np.full(len(place), UNKNOWN)
    inside = (place >= 0) & (place < stop)
    return np.where(inside, times[np.minimum(place, len(times) - 1)], UNKNOWN)


def _shifted(values: np.ndarray) -> np.ndarray:
    """Of each receive the value of the one before it."""
    return np.append(0, values)[: len(values)]
