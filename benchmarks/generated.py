"""Recordings made by arithmetic, as large as wanted: what the analysis is measured on.

    python generated.py polls|blocking|processes|again RECORDS PATH

polls: one thread that asks an empty socket again and again and gets a datagram every thousandth time.
blocking: one thread that sleeps in recvfrom for every datagram: five records an operation.
processes: short-lived processes, one after the other: 24 records each. again: the same, and their IDs come round.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

from tracer.kernel import syscalls
from tracer.recording.batch import RecordBatch
from tracer.recording.parquet import Writer
from tracer.recording.records import RECORD, Kind

TID, FD, INODE, SOCKET, EAGAIN = 100, 4, 9000, 0o140777, 11
BATCH = 1 << 18


def head() -> np.ndarray:
    """The thread starts and its socket is learnt."""
    rows = np.zeros(2, RECORD)
    rows["time"], rows["tid"] = (1, 2), TID
    rows["kind"], rows["result"] = (Kind.START, Kind.DESCRIPTOR), (TID, 2)
    rows["start"], rows["fd"], rows["arg"] = (0, INODE), (-1, FD), (0, SOCKET)
    return rows


def polls(first: int, count: int) -> np.ndarray:
    """`count` calls from number `first` on; a success and its readiness at every thousandth."""
    rows = _blank(count)
    number = first + np.arange(count)
    rows["time"] = 1000 + number * 700 + 400
    rows["start"] = rows["time"] - 350
    rows["kind"], rows["nr"] = Kind.CALL, syscalls.numbers()["recvfrom"]
    rows["result"] = np.where(number % 1000 == 999, 64, -EAGAIN)
    ready = number % 1000 == 998  # takes the place of a call
    rows["kind"][ready], rows["start"][ready], rows["tid"][ready] = Kind.READY, INODE, 7
    return rows


def blocking(first: int, count: int) -> np.ndarray:
    """Records from number `first` on of: switched out, ready, woken, switched in, recvfrom returned."""
    rows = _blank(count)
    number = first + np.arange(count)
    operation, step = number // 5, number % 5
    begin = 1000 + operation * 50_000
    rows["time"] = begin + np.array([1_000, 40_000, 41_000, 45_000, 46_000])[step]
    kinds = np.array(
        [Kind.SWITCH_OUT, Kind.READY, Kind.WAKING, Kind.SWITCH_IN, Kind.CALL], np.uint16
    )
    rows["kind"] = kinds[step]
    rows["start"] = np.select([step == 4, step == 1], [begin, INODE])
    rows["result"] = np.where(step == 4, 64, 0)
    rows["nr"] = np.where(step == 4, syscalls.numbers()["recvfrom"], 0)
    rows["arg"] = step == 0
    rows["fd"][(step == 0) | (step == 3)] = 0
    return rows


def processes(first: int, count: int, ids: int = 1 << 22) -> np.ndarray:
    """Records from number `first` on of processes that execute a program, read a file, send, sleep for a datagram,
    write, sleep on a futex and exit. ids: after so many their IDs are used again."""
    rows = _blank(count)
    number = first + np.arange(count)
    process, step = number // len(STEPS), number % len(STEPS)
    kinds, names, fds, results, args, starts = (
        np.array(column) for column in zip(*STEPS, strict=True)
    )
    calls = syscalls.numbers()
    numbers = np.array([calls.get(name, 0) for name in names])
    rows["time"] = 1000 + number * 5000
    rows["tid"] = FIRST_ID + process % (ids - FIRST_ID)
    rows["kind"], rows["nr"], rows["fd"], rows["arg"] = (
        kinds[step],
        numbers[step],
        fds[step],
        args[step],
    )
    is_call = rows["kind"] == Kind.CALL
    socket, file = INODE + process, 77 + process % 100
    its = {"inode": socket, "file": file}
    rows["start"] = np.select(
        [is_call, *(starts[step] == what for what in (*its, "path", "name"))],
        [rows["time"] - 4000, *its.values(), _text(b"/etc/x"), _text(b"short")],
        0,
    )
    of_process = np.isin(rows["kind"], (Kind.THREAD, Kind.EXIT, Kind.EXEC))
    rows["result"] = np.where(of_process, rows["tid"], results[step])
    rows["tid"][rows["kind"] == Kind.READY] = 7
    return rows


def again(first: int, count: int) -> np.ndarray:
    """`processes` with the IDs that a system with a pid_max of 32,768 has."""
    return processes(first, count, 32768)


def _text(text: bytes) -> int:
    return int.from_bytes(text.ljust(8, b"\0"), "little")


FIRST_ID, FILE = 1000, 0o100644
STEPS = (  # kind, call, descriptor or thread, result, arg, start
    (Kind.THREAD, "", TID, 0, 0, ""),
    (Kind.SWITCH_IN, "", TID, 0, 0, ""),
    (Kind.CALL, "execve", 0, 0, 0, ""),
    (Kind.EXEC, "", -1, 0, 0x33, ""),
    (Kind.NAME, "", -1, 0, 0, "name"),
    (Kind.CALL, "openat", -100, 3, 0, ""),
    (Kind.DESCRIPTOR, "", 3, 0, FILE, "file"),
    (Kind.PATH, "", 3, 0, 0, "path"),
    (Kind.CALL, "read", 3, 100, 4096, ""),
    (Kind.CALL, "socket", 2, 4, 0, ""),
    (Kind.DESCRIPTOR, "", 4, 0, SOCKET, "inode"),
    (Kind.CALL, "sendto", 4, 64, 64, ""),
    (Kind.SWITCH_OUT, "", 0, 0, 1, ""),
    (Kind.READY, "", -1, 0, 0, "inode"),
    (Kind.WAKING, "", TID, 0, 0, ""),
    (Kind.SWITCH_IN, "", TID, 0, 0, ""),
    (Kind.CALL, "recvfrom", 4, 64, 64, ""),
    (Kind.CALL, "write", 1, 10, 10, ""),
    (Kind.SWITCH_OUT, "", 0, 0, 1, ""),
    (Kind.WAKING, "", TID, 0, 0, ""),
    (Kind.SWITCH_IN, "", TID, 0, 0, ""),
    (Kind.CALL, "futex", 4096, 0, 128, ""),
    (Kind.NAME, "", -1, 0, 0, "name"),
    (Kind.EXIT, "", -1, 0, 0, ""),
)


def facts(last: int) -> dict[str, Any]:
    """A recording's metadata, as `iotrace trace` would write it."""
    return {
        "version": "",
        "scenario": None,
        "ended": "completed",
        "options": {"seconds": None, "follow": True, "ring_bytes": 0, "trace": []},
        "base_ns": 1,
        "end_ns": last,
        "features": {},
        "target": {"command": ["generated"], "pid": TID, "exit_status": 0},
        "host": {"kernel": "none", "arch": "x86_64", "cpus": 1, "bcc": None, "python": ""},
        "ledger": {
            "counted": 0,
            "delivered": 0,
            "lost": 0,
            "open": 0,
            "missed": 0,
            "untracked": 0,
            "unlearnt": 0,
            "balanced": True,
        },
    }


def main(argv: list[str]) -> int:
    """argv: which, RECORDS, PATH"""
    which = {its.__name__: its for its in (polls, blocking, processes, again)}[argv[0]]
    records, path = int(argv[1]), argv[2]
    writer = Writer(path)
    writer.write(RecordBatch.of(head()))
    last = 0
    for first in range(0, records, BATCH):
        rows = which(first, min(BATCH, records - first))
        writer.write(RecordBatch.of(rows))
        last = int(rows["time"][-1])
    writer.close(facts(last))
    return 0


def _blank(count: int) -> np.ndarray:
    rows = np.zeros(count, RECORD)
    rows["tid"], rows["fd"] = TID, FD
    return rows


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
