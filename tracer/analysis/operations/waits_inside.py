"""Waits inside a receive: sleeps after its first bytes, where a call goes on until it has all that was asked for
(MSG_WAITALL of recv(2), recvmmsg(2) without MSG_WAITFORONE)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tracer.analysis.operations.table import Operations
from tracer.analysis.tables.asof import following
from tracer.analysis.tables.table import Table
from tracer.analysis.threads.timeline import NEVER, Calls, OffCpu, TimelineBatch
from tracer.kernel import syscalls


@dataclass(slots=True)
class WaitsInside(Table):
    """serial: the operation's; begin, end (ns): when the thread fell asleep, and when it was back on a CPU."""

    serial: np.ndarray
    begin: np.ndarray
    end: np.ndarray

    def of(self, serial: int) -> list[tuple[int, int]]:
        """(begin, end) of each wait of one operation; the table is in the order of `in_order`."""
        first, last = np.searchsorted(self.serial, [serial, serial + 1])
        rows = slice(int(first), int(last))
        return list(zip(self.begin[rows].tolist(), self.end[rows].tolist(), strict=True))

    def rows_in(self, operations: Operations) -> np.ndarray:
        """The row of each wait's operation, −1 where it is not among these."""
        if not len(operations):
            return np.full(len(self), -1)
        order = np.argsort(operations.serial, kind="stable")
        place = np.searchsorted(operations.serial[order], self.serial)
        row = order[np.minimum(place, len(order) - 1)]
        return np.where(operations.serial[row] == self.serial, row, -1)


def no_waits() -> WaitsInside:
    """A table without rows."""
    none = np.empty(0, np.int64)
    return WaitsInside(none, none, none)


def split(receive: Calls, part: TimelineBatch, serials: np.ndarray) -> tuple[Calls, WaitsInside]:
    """(the receives as if each had slept before its first bytes alone, its sleeps after these).

    receive: n calls of the batch; serials: int64[n], their operations'. `out`, `woken`, `back` and `last_in` become
    those of the last time off the CPU before the first bytes; `slept` stays the sum of all.
    """
    first = _first_bytes_known(receive)
    chosen = np.flatnonzero((receive.woken > 0) & (first | _wants_several(receive)))
    chosen = chosen[~first[chosen] | (receive.back[chosen] > receive.copy[chosen])]
    if not len(chosen):
        return receive, no_waits()
    call = following(part.tid, part.end, receive.tid[chosen], receive.end[chosen])
    away, of = _inside(part, call)
    asleep = away.woken != NEVER
    had = receive.copy[chosen]
    had = np.where(had > 0, had, _ends_of_first_sleeps(away, of, asleep, len(chosen)))
    early = away.out < had[of]
    receive = receive.take(slice(None))
    _replace(
        receive, chosen, away.where(early & asleep), of[early & asleep], ("out", "woken", "back")
    )
    _replace(receive, chosen, away.where(early), of[early], ("last_in",))
    late, of = away.where(asleep & ~early), of[asleep & ~early]
    return receive, WaitsInside(serials[chosen[of]], late.out, late.back)


def in_order(waits: WaitsInside, operations: Operations) -> WaitsInside:
    """Those of these operations, by serial and time, each between the copy's begin and its end."""
    row = waits.rows_in(operations)
    waits, row = waits.take(row >= 0), row[row >= 0]
    begin = np.maximum(waits.begin, operations.copy_start[row])
    end = np.minimum(waits.end, operations.copy_end[row])
    waits = WaitsInside(waits.serial, begin, end).where(begin < end)
    return waits.take(np.lexsort((waits.begin, waits.serial)))


def sums(waits: WaitsInside, operations: Operations) -> np.ndarray:
    """int64[n], ns: how long each operation waited inside."""
    size = int(operations.serial.max()) + 1 if len(operations) else 0
    total = np.zeros(size, np.int64)
    np.add.at(total, waits.serial, waits.end - waits.begin)
    inside: np.ndarray = total[operations.serial]
    return inside


def _first_bytes_known(receive: Calls) -> np.ndarray:
    known: np.ndarray = receive.copy > 0
    return known


def _wants_several(receive: Calls) -> np.ndarray:
    """Whether a call took several messages, or one and asked for more (`arg`: how many): it may have slept after the
    first, for the next or, where none came in time (SO_RCVTIMEO), in vain."""
    more = (receive.result > 1) | (receive.arg > 1)
    several: np.ndarray = (receive.nr == syscalls.numbers()["recvmmsg"]) & more
    return several


def _inside(part: TimelineBatch, call: np.ndarray) -> tuple[OffCpu, np.ndarray]:
    """(times off the CPU inside these calls, by call and time; for each the index into `call`)."""
    rows = np.flatnonzero(np.isin(part.of, call) & (part.inside.out >= part.start[part.of]))
    order = np.argsort(call)
    of = order[np.searchsorted(call[order], part.of[rows])]
    rows = rows[by_time := np.lexsort((part.inside.out[rows], of))]
    return part.inside.take(rows), of[by_time]


def _ends_of_first_sleeps(
    away: OffCpu, of: np.ndarray, asleep: np.ndarray, count: int
) -> np.ndarray:
    """int64[count], ns: when each call's first sleep ended: where no copy shows the first bytes, that sleep is taken
    for the wait for them."""
    ends = np.zeros(count, np.int64)
    ends[of[asleep][::-1]] = away.back[asleep][::-1]
    return ends


def _replace(
    receive: Calls, chosen: np.ndarray, away: OffCpu, of: np.ndarray, names: tuple[str, ...]
) -> None:
    """Sets these columns of the chosen receives, in place: to their last time off the CPU in `away`, 0 for none."""
    for name in names:
        column, values = getattr(receive, name).copy(), np.zeros(len(chosen), np.int64)
        values[of] = away.back if name == "last_in" else getattr(away, name)
        column[chosen] = values
        setattr(receive, name, column)
