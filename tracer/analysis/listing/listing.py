"""Records → the events of a strace-like listing: calls with their arguments, signals, births and ends of threads."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Collection, Iterable, Iterator
from typing import Any, TypeAlias

import numpy as np

from tracer.analysis.identity.filenames import FdNames
from tracer.analysis.listing import decode
from tracer.kernel import syscalls
from tracer.kernel.signal_names import how_ended, signal_name
from tracer.recording.batch import RecordBatch
from tracer.recording.records import LIBRARY_NAMES, RECORD, SAYS_TRAPPED, Kind

Event: TypeAlias = dict[str, Any]
"""What a line of the listing says: `kind`, `time_ns`, `end_ns`, `tid`, and more by its kind."""

_SHOWN = (
    Kind.CALL,
    Kind.ARGS,
    Kind.OPEN,
    Kind.UNENTERED,
    Kind.SIGNAL_DELIVER,
    Kind.THREAD,
    Kind.EXIT,
    Kind.START,
    Kind.LIBRARY,
    Kind.EXEC,
    Kind.DESCRIPTOR,
    Kind.ADDRESS,
    Kind.PATH,
    Kind.FILE,
)
_OVERLAP = 256  # rows of a batch are held until the next one, so that a call and its arguments are seen together


def events(
    batches: Iterable[np.ndarray],
    facts: dict[str, Any],
    *,
    calls: Collection[int] | None = None,
    fds: Collection[int] | None = None,
    paths: Collection[str] | None = None,
) -> Iterator[Event]:
    """Each event as a dict, in order of their ends.

    calls, fds, paths: numbers of calls, descriptors, names of files; only calls with or on one of them are given; None:
    all. Times are ns from `base_ns`; `time_ns` of a call is the entry.
    """
    listing = _Listing(facts, calls, fds, paths)
    for records, settled in _overlapping(batches):
        yield from listing.feed(records, settled)
    yield from listing.rest()


class _Listing:
    """Makes the events. Those of the last records wait, since the record that names a descriptor comes after the call
    that opened it."""

    def __init__(
        self,
        facts: dict[str, Any],
        calls: Collection[int] | None,
        fds: Collection[int] | None,
        paths: Collection[str] | None,
    ) -> None:
        self._fd_names = FdNames(facts)
        self._base = facts["base_ns"]
        self._window = (
            facts.get("window_ns")
            or (facts.get("notes") or {}).get("window_ns")
            or (self._base, 1 << 63)
        )
        self._calls, self._fds, self._paths = calls, fds, paths
        self._all = calls is None and fds is None and paths is None
        self._with_descriptor, self._opening = decode.with_descriptor(), decode.opening()
        self._waiting: deque[Event] = deque()
        self._adopted: dict[int, int] = {}  # tid → when it was adopted while it ran
        self._last: dict[int, Event] = {}  # tid → its last call

    def feed(self, records: np.ndarray, settled: int) -> Iterator[Event]:
        """Takes the first `settled` of the records; the others will be given again."""
        more = _arguments_of(records)
        records = records[:settled]
        lessons = {row[0]: row for row in self._fd_names.lessons(RecordBatch.of(records))}
        columns = [
            records[name].tolist()
            for name in ("kind", "time", "start", "result", "tid", "nr", "fd", "arg")
        ]
        for index, (kind, time, start, result, tid, nr, fd, arg) in enumerate(
            zip(*columns, strict=True)
        ):
            if kind == Kind.START and start:
                self._adopted[tid] = start
            if kind == Kind.UNENTERED:
                self._waiting.append(self._unentered(time, start, result, tid, nr, fd, arg))
            elif kind in (Kind.CALL, Kind.OPEN):
                event = self._call(kind, time, start, result, tid, nr, fd, arg, more.get(index))
                self._last[tid] = event
                self._waiting.append(event)
            elif self._all and (other_event := _other(kind, result, nr, fd, arg)):
                times = {"time_ns": time - self._base, "end_ns": time, "tid": tid}
                self._waiting.append(times | other_event)
            # a call that closes a descriptor still shows its name
            if index in lessons and self._fd_names.learn(lessons[index]):
                last_call = self._last.get(tid)
                if last_call and last_call["on"] == fd:
                    last_call["file"] = self._fd_names.name(tid, fd)
            while len(self._waiting) > _OVERLAP:
                yield from self._shown(self._waiting.popleft())

    def rest(self) -> Iterator[Event]:
        while self._waiting:
            yield from self._shown(self._waiting.popleft())

    def _call(
        self,
        kind: int,
        time: int,
        start: int,
        result: int,
        tid: int,
        nr: int,
        fd: int,
        arg: int,
        more: tuple[int, int, int] | None,
    ) -> Event:
        name, opens, returned = syscalls.name_of(nr, arg), nr in self._opening, kind == Kind.CALL
        about_fd = self._about(nr, fd, result)
        return {
            "time_ns": start - self._base,
            "end_ns": time,
            "tid": tid,
            "kind": "call" if returned else "open",
            "nr": nr,
            "name": name,
            "duration_ns": time - start,
            "entered_before": start == self._adopted.get(tid),
            "on": about_fd,
            "opens": opens,
            "file": None if about_fd is None else self._fd_names.name(tid, about_fd),
            "arguments": decode.arguments(name, fd, arg, more),
            **_result(name, result if returned else None),
        }

    def _unentered(
        self, time: int, says: int, result: int, tid: int, nr: int, fd: int, arg: int
    ) -> Event:
        """A call that was answered before it began: when it returned, and no duration."""
        event = self._call(Kind.CALL, time, time, result, tid, nr, fd, arg, None)
        event |= {"unentered": True, "trapped": says == SAYS_TRAPPED, "duration_ns": None}
        if event["trapped"]:
            event |= {"result": None}
            event.pop("error", None)
            event.pop("message", None)
        return event

    def _about(self, nr: int, fd: int, result: int) -> int | None:
        """The descriptor that a call is about: the one that it opened, or the first argument; None if there is none."""
        if nr in self._opening:
            return result if result >= 0 else None
        return fd if nr in self._with_descriptor else None

    def _shown(self, event: Event) -> Iterator[Event]:
        """The event, if it lies in the window and is wanted."""
        if self._window[0] <= event["end_ns"] <= self._window[1] and (
            event["kind"] not in ("call", "open") or self._is_wanted(event)
        ):
            yield event

    def _is_wanted(self, call: Event) -> bool:
        return (
            (self._calls is None or call["nr"] in self._calls)
            and (self._fds is None or call["on"] in self._fds)
            and (self._paths is None or call["file"] in self._paths)
        )


def _overlapping(batches: Iterable[np.ndarray]) -> Iterator[tuple[np.ndarray, int]]:
    """(records for the listing, how many of them are settled), piece by piece; the others are in the next piece
    again."""
    held = np.empty(0, RECORD)
    for batch in batches:
        rows = np.concatenate([held, batch[np.isin(batch["kind"], _SHOWN)]])
        settled = max(len(rows) - _OVERLAP, 0)
        held = rows[settled:].copy()
        yield rows, settled
    yield held, len(held)


def _arguments_of(records: np.ndarray) -> dict[int, tuple[int, int, int]]:
    """Index of a call → arguments 1, 2 and 3, if a KIND_ARGS record of the same thread follows the call."""
    order = np.argsort(records["tid"], kind="stable")
    order = order[np.isin(records["kind"][order], (Kind.CALL, Kind.ARGS))]
    by_tid = records[order]
    args_rows = (
        np.flatnonzero(
            (by_tid["kind"][1:] == Kind.ARGS)
            & (by_tid["kind"][:-1] == Kind.CALL)
            & (by_tid["tid"][1:] == by_tid["tid"][:-1])
            & (by_tid["nr"][1:] == by_tid["nr"][:-1])
        )
        + 1
    )
    return {
        int(order[row - 1]): (
            int(by_tid["start"][row]),
            int(by_tid["result"][row]),
            int(by_tid["arg"][row]),
        )
        for row in args_rows
    }


def _result(name: str, result: int | None) -> Event:
    """A call's result, None where it has not returned; an error by its name, with its message."""
    if result is None:
        return {"result": None}
    if -syscalls.MOST_ERRNO <= result < 0 and name != "rt_sigreturn":
        error = syscalls.error_name(result)
        restarted = -result in syscalls.RESTARTS
        return {
            "result": -1,
            "error": error,
            "message": "to be restarted" if restarted else os.strerror(-result),
        }
    return {"result": result}


def _other(kind: int, result: int, nr: int, fd: int, arg: int) -> Event | None:
    """The event of a record that is no system call: a signal, a call of a C library function, the birth or end of a
    thread."""
    if kind == Kind.SIGNAL_DELIVER:
        return {"kind": "signal", "name": signal_name(fd), "code": int(decode.signed(arg))}
    if kind == Kind.LIBRARY:
        return {"kind": "library", "name": LIBRARY_NAMES.get(nr, f"library_{nr}"), "fd": fd}
    if kind == Kind.THREAD:
        return {"kind": "created", "by": fd, "process": result}
    if kind == Kind.START:
        return {"kind": "attached" if arg else "started", "process": result}
    return {"kind": "exited", "how": how_ended(fd)} if kind == Kind.EXIT else None
