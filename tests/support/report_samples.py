"""Reports as the analysis makes them, one for each I/O model, with times as measured on Linux 6.18."""

from __future__ import annotations

import copy
from typing import Any

US, MS = 1_000, 1_000_000
TID, HELPER = 4242, 4243
NAMES = ("blocking", "nonblocking", "select", "poll", "epoll-lt", "signal", "posix-aio")
PERIOD = 10 * MS


def sample(name: str, count: int = 20, **changes: Any) -> dict[str, Any]:
    """A whole report of `count` operations for the model `name`; `changes` replace top-level keys."""
    report = _FAMILIES[name](name, count)
    report.update(copy.deepcopy(changes))
    return report


def summed(report: dict[str, Any]) -> dict[str, Any]:
    """The report with the sums over its operations as these now are."""
    operations = report["operations"]
    queued = [op["queued_ns"] for op in operations if op["queued_ns"]]
    estimated = [name for op in operations for name in op["estimated"]]
    return report | {
        "estimated": {name: estimated.count(name) for name in dict.fromkeys(estimated)},
        "queued": _distribution(queued) if queued else {"count": 0},
    }


def call(
    name: str,
    enter: int,
    leave: int | None,
    result: int | str | None,
    tid: int = TID,
    count: int = 1,
    blocked: int = 0,
    data: bool = False,
    waits: bool = False,
) -> dict[str, Any]:
    """A step of kind call; times in ns since base."""
    return {
        "kind": "call",
        "name": name,
        "enter_ns": enter,
        "exit_ns": leave,
        "result": result,
        "tid": tid,
        "fd": 3,
        "count": count,
        "blocked_ns": blocked,
        "brings_data": data,
        "waits": waits,
    }


def _operation(
    index: int,
    start: int,
    ask: int,
    ready: int,
    told: int,
    begin: int,
    end: int,
    done: int,
    estimated: list[str],
    tid: int = TID,
    queued: int = 0,
) -> dict[str, Any]:
    names = ("ask_ns", "ready_ns", "told_ns", "copy_start_ns", "copy_end_ns", "done_ns")
    times = dict(
        zip(names, (start + at for at in (ask, ready, told, begin, end, done)), strict=True)
    )
    return {
        "index": index,
        "tid": tid,
        "fd": 3,
        "bytes": 64,
        **times,
        "queued_ns": queued,
        "estimated": estimated,
    }


def _phases(operations: list[dict[str, Any]]) -> dict[str, Any]:
    ends = {
        "wait": ("ask_ns", "ready_ns"),
        "notice": ("ready_ns", "copy_start_ns"),
        "copy": ("copy_start_ns", "copy_end_ns"),
        "completion": ("copy_end_ns", "done_ns"),
    }
    return {
        name: _distribution([op[last] - op[first] for op in operations])
        for name, (first, last) in ends.items()
    }


def _distribution(values: list[int]) -> dict[str, Any]:
    ordered = sorted(values)
    hist: dict[str, int] = {}
    for value in ordered:
        bound = str(1 << (value.bit_length() - 1) if value else 0)
        hist[bound] = hist.get(bound, 0) + 1

    def rank(percent: int) -> int:
        return ordered[max(-(-percent * len(ordered) // 100), 1) - 1]

    return {
        "count": len(ordered),
        "total_ns": sum(ordered),
        "min_ns": ordered[0],
        "p50_ns": rank(50),
        "p90_ns": rank(90),
        "p99_ns": rank(99),
        "max_ns": ordered[-1],
        "hist": hist,
    }


def _syscall(
    name: str, times: list[int], errors: dict[str, Any] | None = None, calls: int | None = None
) -> dict[str, Any]:
    spread = _distribution(times)
    spread.pop("count")
    return {"name": name, "calls": calls or len(times), "errors": errors or {}, **spread}


def _thread(
    tid: int, blocked: int, runnable: int, kernel: int, user: int, name: str = "python3"
) -> dict[str, Any]:
    return {
        "tid": tid,
        "tgid": TID,
        "name": name,
        "blocked_ns": blocked,
        "runnable_ns": runnable,
        "kernel_ns": kernel,
        "user_ns": user,
        "start_ns": 0,
        "end_ns": blocked + runnable + kernel + user,
        "cpu_ns": kernel + user,
    }


def _report(
    name: str,
    operations: list[dict[str, Any]],
    steps: list[dict[str, Any]],
    threads: list[dict[str, Any]],
    syscalls: list[dict[str, Any]],
    model: dict[str, Any],
    signals: list[dict[str, Any]] | None = None,
    calls: dict[str, Any] | None = None,
) -> dict[str, Any]:
    count = len(operations)
    counted = sum(call["calls"] for call in syscalls) * 2 + 9 * count
    return summed(
        {
            "schema": 1,
            "scenario": name,
            "base_ns": 81_234_567_890_123,
            "host": {
                "kernel": "6.18.0",
                "arch": "x86_64",
                "cpus": 2,
                "bcc": "0.26.0",
                "python": "3.11.2",
            },
            "options": {
                "messages": count,
                "interval_ns": PERIOD,
                "size": 64,
                "proto": "udp",
                "open_loop": False,
            },
            "expected": {
                "messages": count,
                "bytes": 64 * count,
                "calls": calls or {"recvfrom": count},
                "match": {"calls": True, "bytes": True},
                "differences": [],
            },
            "operations": operations,
            "phases": _phases(operations),
            "threads": threads,
            "syscalls": syscalls,
            "signals": signals or [],
            "model": {"name": name, **model},
            "ledger": {
                "counted": counted,
                "delivered": counted,
                "lost": 0,
                "open": 0,
                "missed": 0,
                "untracked": 0,
                "balanced": True,
                "checked": True,
            },
            "cost": {
                "per": "message",
                "untraced_cpu_ns": 21_400,
                "traced_cpu_ns": 29_300,
                "untraced_runs": 3,
                "untraced_spread_ns": [20_100, 23_500],
                "untraced_cpu_ns_per_op": 21_400,
                "traced_cpu_ns_per_op": 29_300,
                "ratio": 29_300 / 21_400,
            },
            "latency": {
                phase: {
                    "count": count,
                    "total_ns": count * ns,
                    **dict.fromkeys(("min_ns", "p50_ns", "p90_ns", "p99_ns", "max_ns"), ns),
                    "hist": {},
                }
                for phase, ns in (("traced", 66_000), ("untraced", 61_200))
            }
            | {
                "accuracy": {
                    key: {
                        "count": count,
                        **dict.fromkeys(("min_ns", "p50_ns", "p90_ns", "p99_ns", "max_ns"), ns),
                    }
                    for key, ns in (("done_to_user", 800), ("send_to_ready", 12_300))
                }
            },
            "window_ns": [1_200_000, 1_200_000 + count * 11 * MS],
            "ended": "completed",
            "target": {
                "command": ["python3", "-m", f"scenarios.{name}"],
                "pid": TID,
                "exit_status": 0,
            },
            "features": {"sk_data_ready": "tracepoint"},
            "figure": {"operation": count // 2, "model": name, "steps": steps}
            if operations
            else None,
        }
    )


def _spread(index: int) -> int:
    """A jitter that repeats itself, so that every sample is the same every time."""
    return (index * 7919 % 23) * 13 * US


def _start(index: int) -> int:
    return 1_200_000 + index * 11 * MS


def _blocking(name: str, count: int) -> dict[str, Any]:
    wait, waking, switch, copied = 10_900 * US, 28 * US, 29 * US, 8 * US
    operations = []
    for index in range(count):
        ready = wait - (_spread(index) if index != count // 2 else 0)
        run = ready + waking + switch
        end = run + copied
        operations.append(
            _operation(index, _start(index), 0, ready, run, run, end, end, ["copy_start"])
        )
    s = _start(count // 2)
    run = s + wait + waking + switch
    steps = [
        call("recvfrom", s, run + copied, 64, blocked=wait + 25 * US, data=True, waits=True),
        {"kind": "ready", "at_ns": s + wait, "estimated": False},
        {"kind": "wake", "at_ns": s + wait + waking, "tid": TID},
        {"kind": "run", "at_ns": run, "tid": TID},
        {"kind": "copy", "at_ns": run, "end_ns": run + copied, "estimated": True, "tid": TID},
    ]
    syscalls = [_syscall("recvfrom", [op["done_ns"] - op["ask_ns"] for op in operations])]
    return _report(
        name,
        operations,
        steps,
        [_thread(TID, 215 * MS, 600 * US, 1_100 * US, 2_300 * US)],
        syscalls,
        {
            "synchronous": True,
            "confidence": 0.99,
            "shown_by": count,
            "shown_of": count,
            "evidence": [
                f"in {count} of {count} operations the thread slept inside recvfrom until the data was there",
                "the call that waited is the call that copied",
            ],
        },
    )


def _nonblocking(name: str, count: int, polls: int = 12_345) -> dict[str, Any]:
    operations = []
    for index in range(count):
        ready = 10_012 * US + (_spread(index) if index != count // 2 else 0)
        told = ready + 2 * US
        operations.append(
            _operation(
                index,
                _start(index),
                0,
                ready,
                told,
                told,
                told + 3_100,
                told + 3_100,
                ["copy_start"] + (["ready"] if index % 3 == 0 else []),
            )
        )
    s = _start(count // 2)
    ready, told = s + 10_012 * US, s + 10_014 * US
    steps = [
        call("recvfrom", s, s + 10_011 * US, "EAGAIN", count=polls),
        {"kind": "ready", "at_ns": ready, "estimated": False},
        call("recvfrom", told, told + 3_100, 64, data=True),
        {"kind": "copy", "at_ns": told, "end_ns": told + 3_100, "estimated": True, "tid": TID},
    ]
    syscalls = [
        _syscall(
            "recvfrom",
            [460] * 900 + [3_100] * count,
            {"EAGAIN": polls * count},
            (polls + 1) * count,
        )
    ]
    return _report(
        name,
        operations,
        steps,
        [_thread(TID, 0, 2 * MS, 118 * MS, 101 * MS)],
        syscalls,
        {
            "synchronous": True,
            "confidence": 1.0,
            "shown_by": count,
            "shown_of": count,
            "evidence": [
                f"{polls * count:,} receive calls returned EAGAIN before {count} brought data",
                "the thread never slept while it waited",
            ],
        },
        calls={"recvfrom": (polls + 1) * count},
    )


def _multiplexing(name: str, count: int) -> dict[str, Any]:
    waiter = {"select": "pselect6", "poll": "poll", "epoll-lt": "epoll_wait"}[name]
    wait, waking, switch = 10_850 * US, 26 * US, 31 * US
    told, entry = wait + waking + switch + 9 * US, wait + waking + switch + 33 * US
    operations = []
    for index in range(count):
        shift = -_spread(index) if index != count // 2 else 0
        operations.append(
            _operation(
                index,
                _start(index),
                0,
                wait + shift,
                told + shift,
                entry + shift,
                entry + shift + 7_200,
                entry + shift + 7_200,
                ["copy_start"],
            )
        )
    s = _start(count // 2)
    steps = [
        call(waiter, s, s + told, 1, blocked=wait + 24 * US, waits=True),
        {"kind": "ready", "at_ns": s + wait, "estimated": False},
        {"kind": "wake", "at_ns": s + wait + waking, "tid": TID},
        {"kind": "run", "at_ns": s + wait + waking + switch, "tid": TID},
        call("recvfrom", s + entry, s + entry + 7_200, 64, data=True),
        {
            "kind": "copy",
            "at_ns": s + entry,
            "end_ns": s + entry + 7_200,
            "estimated": True,
            "tid": TID,
        },
    ]
    syscalls = [
        _syscall(waiter, [op["told_ns"] - op["ask_ns"] for op in operations]),
        _syscall("recvfrom", [7_200] * count),
    ]
    return _report(
        name,
        operations,
        steps,
        [_thread(TID, 214 * MS, 700 * US, 1_500 * US, 3_200 * US)],
        syscalls,
        {
            "synchronous": True,
            "confidence": 0.99,
            "shown_by": count,
            "shown_of": count,
            "evidence": [
                f"in {count} of {count} operations the thread slept in {waiter} until the data was there",
                "a receive call followed and did not sleep",
            ],
        },
        calls={name.split("-")[0]: count, "recvfrom": count},
    )


def _signal(name: str, count: int) -> dict[str, Any]:
    operations = []
    wait, sent, delivered, entry = 9_930 * US, 3 * US, 7 * US, 41 * US
    for index in range(count):
        ready = wait + (_spread(index) if index != count // 2 else 0)
        start = ready + entry
        operations.append(
            _operation(
                index,
                _start(index),
                0,
                ready,
                ready + delivered,
                start,
                start + 4_000,
                start + 4_000,
                ["ask", "copy_start"],
            )
        )
    s = _start(count // 2)
    ready = s + wait
    end = ready + entry + 4_000
    steps = [
        {"kind": "ready", "at_ns": ready, "estimated": False},
        {
            "kind": "signal",
            "name": "SIGIO",
            "generated_ns": ready + sent,
            "delivered_ns": ready + delivered,
        },
        call("rt_sigreturn", ready + 12 * US, ready + 13 * US, None),
        call("recvfrom", ready + entry, end, 64, data=True),
        {"kind": "copy", "at_ns": ready + entry, "end_ns": end, "estimated": True, "tid": TID},
        call("recvfrom", end + 5 * US, end + 6 * US, "EAGAIN"),
    ]
    syscalls = [
        _syscall("recvfrom", [4_000] * count + [900] * count, {"EAGAIN": count}),
        _syscall("rt_sigreturn", [800] * count),
    ]
    return _report(
        name,
        operations,
        steps,
        [_thread(TID, 0, 900 * US, 2 * MS, 216 * MS)],
        syscalls,
        {
            "synchronous": True,
            "confidence": 0.97,
            "shown_by": count,
            "shown_of": count,
            "evidence": [
                f"in {count} of {count} operations SIGIO came after the data was there and before the receive call",
                "while it waited the thread was in no call that could have brought the data",
            ],
        },
        [{"name": "SIGIO", "generated": count, "delivered": count}],
        {"recvfrom": 2 * count},
    )


def _posix_aio(name: str, count: int) -> dict[str, Any]:
    submit, wait, waking, switch, copied, signal = (
        96 * US,
        10_200 * US,
        28 * US,
        30 * US,
        9 * US,
        37 * US,
    )
    operations = []
    for index in range(count):
        ready = wait + (_spread(index) if index != count // 2 else 0)
        run = ready + waking + switch
        operations.append(
            _operation(
                index,
                _start(index),
                0,
                ready,
                run,
                run,
                run + copied,
                run + copied + signal,
                ["copy_start"],
            )
        )
    s = _start(count // 2)
    ready, run = s + wait, s + wait + waking + switch
    end = run + copied
    steps = [
        {"kind": "library", "name": "aio_read", "enter_ns": s, "tid": TID},
        call("pread64", s + submit, s + submit + 900, "ESPIPE", tid=HELPER),
        call(
            "read",
            s + submit + 4_000,
            end,
            64,
            tid=HELPER,
            blocked=wait - submit,
            data=True,
            waits=True,
        ),
        {"kind": "ready", "at_ns": ready, "estimated": False},
        {"kind": "wake", "at_ns": ready + waking, "tid": HELPER},
        {"kind": "run", "at_ns": run, "tid": HELPER},
        {"kind": "copy", "at_ns": run, "end_ns": end, "estimated": True, "tid": HELPER},
        {
            "kind": "signal",
            "name": "SIGRTMIN",
            "generated_ns": end + 11 * US,
            "delivered_ns": end + signal,
        },
    ]
    syscalls = [
        _syscall("read", [op["copy_end_ns"] - op["ask_ns"] for op in operations]),
        _syscall("pread64", [900] * count, {"ESPIPE": count}),
        {
            "name": "aio_read",
            "calls": count,
            "errors": {},
            "total_ns": 0,
            "p50_ns": None,
            "p99_ns": None,
            "max_ns": None,
            "library": True,
        },
    ]
    threads = [
        _thread(TID, 0, 1_200 * US, 800 * US, 216 * MS),
        _thread(HELPER, 214 * MS, 700 * US, 1_900 * US, 600 * US),
    ]
    return _report(
        name,
        operations,
        steps,
        threads,
        syscalls,
        {
            "synchronous": False,
            "confidence": 0.98,
            "shown_by": count,
            "shown_of": count,
            "evidence": [
                f"in {count} of {count} operations a helper thread received, "
                "and the asking thread made no receive call",
                "the asking thread was told after the copy",
            ],
        },
        [{"name": "SIGRTMIN", "generated": count, "delivered": count}],
        {"aio_read": count, "read": count, "pread64": count},
    )


_FAMILIES = {
    "blocking": _blocking,
    "nonblocking": _nonblocking,
    "select": _multiplexing,
    "poll": _multiplexing,
    "epoll-lt": _multiplexing,
    "signal": _signal,
    "posix-aio": _posix_aio,
}
