"""Which sk_data_ready belongs to which receive of a socket.

Datagrams are taken in the order in which they came; a stream's receive takes all there is. A receive that slept, or
found nothing before, proves that the socket was empty at that moment: what was ready before is spent.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

LATE_NS = 1_000_000  # how long after a receive's exit its own sk_data_ready may still come
UNKNOWN = np.iinfo(np.int64).min


@dataclass(frozen=True)
class Match:
    """For each receive: ready (ns), the sk_data_ready that came before it ended; late (ns), the one that came after a
    polling receive which had found its data already; UNKNOWN where there was none."""

    ready: np.ndarray
    late: np.ndarray


def match(
    sockets: np.ndarray,
    ends: np.ndarray,
    empty_at: np.ndarray,
    stream: np.ndarray,
    polled: np.ndarray,
    last_end: np.ndarray,
    ready_sockets: np.ndarray,
    ready_times: np.ndarray,
) -> tuple[Match, np.ndarray]:
    """(the Match, how many readinesses of its socket are spent after each receive).

    Receives: int64[n] sockets (ascending), ends (ns, ascending within a socket), empty_at (when the socket was known
    to be empty, UNKNOWN where it was not), bool[n] stream and polled; last_end: the end of the receive before it on
    that socket (UNKNOWN for none). Readinesses: int64[m], by socket, then time.

    The index of the readiness that receive k takes, p(k), follows from the one before:
    p(k + 1) = max(spent before k + 1, min(p(k) + 1, there when k ended)), and on a stream at least what was there. With
    q(k) = p(k) − k that is a clamp, and clamps combine to clamps: all of them are found together by doubling.
    """
    count = len(sockets)
    base = np.searchsorted(ready_sockets, sockets, "left")
    stop = np.searchsorted(ready_sockets, sockets, "right")
    there = _ranks(ready_sockets, ready_times, sockets, ends, base, stop)
    known = empty_at != UNKNOWN
    spent = np.where(
        known, _ranks(ready_sockets, ready_times, sockets, empty_at - known, base, stop), base
    )
    is_first = np.append(True, sockets[1:] != sockets[:-1])[:count]
    next_end = np.where(
        np.append(is_first[1:], True), np.iinfo(np.int64).max, np.append(ends[1:], 0)
    )[:count]
    coming = _at(ready_times, there, stop)
    late = polled & (coming != UNKNOWN) & (coming - ends < LATE_NS) & (coming <= next_end)
    limit = there + late
    least = np.where(stream, there, np.iinfo(np.int64).min)  # spent by each receive itself
    low = np.where(is_first, base, np.append(0, least)[:count])
    low = np.maximum(low, spent)
    high = np.where(is_first, low, np.append(0, limit)[:count])
    number = np.arange(count)
    place = _clamped(low - number, np.maximum(low, high) - number) + number
    after = np.maximum(least, np.minimum(place + 1, limit))
    previous = np.where(is_first, base, np.append(0, after)[:count])
    taken = place < there
    ready = np.where(taken, _at(ready_times, place, stop), UNKNOWN)
    skipped = _at(ready_times, spent - 1, stop)
    between = (
        ~taken & known & ~polled & (previous < spent) & (skipped > last_end)
    )  # woken between looking and sleeping
    ready = np.where(between, skipped, ready)
    late &= ~taken & ~between
    return Match(ready, np.where(late, coming, UNKNOWN)), np.maximum(after, place) - base


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
    ready_sockets: np.ndarray,
    ready_times: np.ndarray,
    sockets: np.ndarray,
    times: np.ndarray,
    base: np.ndarray,
    stop: np.ndarray,
) -> np.ndarray:
    """The index of the first readiness of each socket that is later than each time."""
    if not len(ready_times):
        return base.copy()
    if ready_sockets[0] == ready_sockets[-1]:
        return np.clip(np.searchsorted(ready_times, times, "right"), base, stop)
    instants = np.sort(ready_times)
    width = len(instants) + 1
    code = np.cumsum(np.append(0, ready_sockets[1:] != ready_sockets[:-1]))
    places = code * width + np.searchsorted(instants, ready_times, "right")
    mine = np.where(base < stop, code[np.minimum(base, len(code) - 1)], 0)
    found = np.searchsorted(
        places, mine * width + np.searchsorted(instants, times, "right"), "right"
    )
    return np.clip(found, base, stop)


def _at(times: np.ndarray, place: np.ndarray, stop: np.ndarray) -> np.ndarray:
    """times[place], UNKNOWN where the place is not among its socket's."""
    inside = (place >= 0) & (place < stop)
    return (
        np.where(inside, times[np.clip(place, 0, max(len(times) - 1, 0))], UNKNOWN)
        if len(times)
        else np.full(len(place), UNKNOWN)
    )
