"""What a stamping receiver (stamps.c) printed, and how far a trace's boundaries lie from its stamps: numbers alone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from operator import attrgetter, itemgetter
from typing import Any

import numpy as np

WARM_UP = 11  # messages at the beginning that are left out: the kernel begins to stamp arrivals a little later
_UNSEEN = -(1 << 60)
_COLUMNS = ("sent", "arrived", "asking", "receiving", "received")


@dataclass(frozen=True)
class Reading:
    """Both clocks read at one moment (ns): CLOCK_MONOTONIC, CLOCK_REALTIME, CLOCK_MONOTONIC again."""

    before: int
    realtime: int
    after: int

    @property
    def offset(self) -> int:
        """CLOCK_REALTIME − CLOCK_MONOTONIC, to half of what the reading took. In integers: a float has steps of 256 ns
        where CLOCK_REALTIME is."""
        return self.realtime - (self.before + self.after) // 2

    @property
    def took(self) -> int:
        """How long the reading took: the offset can be wrong by half of it."""
        return self.after - self.before


@dataclass(frozen=True)
class Stamped:
    """A run of n messages: fd, the socket; delayed, how long the receiver waited for a CPU (ns); first and last, the
    clocks before and after it; int64[n] ns each, of CLOCK_MONOTONIC: sent, asking, receiving, received (stamps.c);
    arrived, of CLOCK_REALTIME, 0 where there is none."""

    fd: int
    delayed: int
    first: Reading
    last: Reading
    sent: np.ndarray
    arrived: np.ndarray
    asking: np.ndarray
    receiving: np.ndarray
    received: np.ndarray

    @classmethod
    def parse(cls, lines: Iterable[str]) -> Stamped:
        """Raises ValueError where these are no such lines."""
        head, *rows = ([int(word) for word in line.split()] for line in lines)
        fd, delayed, *clocks = head
        table = np.array(rows, np.int64).reshape(-1, len(_COLUMNS))
        columns = dict(zip(_COLUMNS, table.T, strict=True))
        return cls(fd, delayed, Reading(*clocks[:3]), Reading(*clocks[3:]), **columns)


def on_monotonic(realtime: np.ndarray, first: Reading, last: Reading) -> np.ndarray | None:
    """Times of CLOCK_REALTIME (ns) as CLOCK_MONOTONIC's, int64. None where the clock was set between the two readings:
    both tick alike, adjusted by NTP or not (clock_gettime(2)), so the offset moves in steps alone."""
    if abs(last.offset - first.offset) > (first.took + last.took + 1) // 2:
        return None
    converted: np.ndarray = realtime - min(first, last, key=attrgetter("took")).offset
    return converted


def distances(
    run: Stamped, operations: Iterable[Mapping[str, Any]], base_ns: int, *, asks: bool = True
) -> dict[str, np.ndarray]:
    """int64[≤ n] ns each, of the messages after the warm-up; negative where what comes later was seen earlier:

    done    from `done` to the receiver's stamp after its call
    ask     from the receiver's stamp before its first call to `ask`; empty where it makes none (asks)
    ready   from the kernel's stamp of the arrival to `ready`, of operations whose `ready` was seen; empty where the
            kernel did not stamp, or stamped at the receive (most stamps are later than `ready`), or a clock was set

    operations: the report's. Those of the socket must be as many as the messages, else ValueError.
    """
    mine = sorted((its for its in operations if its["fd"] == run.fd), key=itemgetter("done_ns"))
    if len(mine) != len(run.sent):
        raise ValueError(f"{len(mine)} operations of {len(run.sent)} messages")
    done, ask = (np.array([its[key] for its in mine]) + base_ns for key in ("done_ns", "ask_ns"))
    ready = np.array([_ready(its) for its in mine]) + base_ns
    warm = np.arange(len(mine)) >= WARM_UP
    arrived = on_monotonic(run.arrived, run.first, run.last)
    after = np.empty(0, np.int64)
    if arrived is not None:
        after = (ready - arrived)[warm & (ready > base_ns + _UNSEEN) & (run.arrived > 0)]
    return {
        "done": (run.received - done)[warm],
        "ask": (ask - run.asking)[warm & asks],
        "ready": after if len(after) and np.median(after) >= 0 else after[:0],
    }


def _ready(operation: Mapping[str, Any]) -> int:
    """When readiness was seen (ns from base_ns), also where the boundary was moved; _UNSEEN where it was not."""
    if "ready" not in operation["estimated"]:
        return int(operation["ready_ns"])
    return int(operation.get("raw", {}).get("ready_ns", _UNSEEN))
