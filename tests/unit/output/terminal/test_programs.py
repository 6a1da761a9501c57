"""tracer/output/terminal/programs.py: what cannot be added up is not, and what is not known is said to be missing."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import pytest
from support.records_builder import FILE, TID, Trace
from support.reports import built, two_processes

from tracer.output.terminal import programs
from tracer.output.terminal.report import render
from tracer.recording.records import Kind

FILES = 5


def many_files() -> dict[str, Any]:
    """A process that writes to files, of which one has no inode."""
    trace = Trace()
    for fd in range(10, 10 + FILES):
        name = int.from_bytes(b"/tmp/f%d" % fd + b"\0", "little")
        trace.add(Kind.DESCRIPTOR, 5, start=fd, fd=fd, arg=FILE).add(
            Kind.PATH, 6, start=name, fd=fd
        )
        trace.call("write", 100 + fd, 200 + fd, 10, fd=fd)
    return built(trace)


def everything() -> dict[str, Any]:
    """A report with something in every part that programs have."""
    trace = two_processes().call("accept4", 2_000_000, 2_010_000, 9, fd=8)
    trace.call("connect", 2_020_000, 2_030_000, 0, fd=9)
    trace.add(Kind.WAKING, 2_040_000, fd=7).add(
        Kind.THREAD, 2_050_000, tid=TID + 1, fd=TID, result=TID
    )
    trace.add(Kind.NAME, 2_060_000, tid=TID + 1, start=int.from_bytes(b"other\0\0\0", "little"))
    for at in range(3_000_000, 3_400_000, 2_000):
        trace.call("recvfrom", at, at + 1_000, -11)
    report = built(trace, comms={"7": "sender"})
    report |= {
        "operations": list(report["operations"]),
        "advice": report["advice"]
        + [
            {
                "rule": "polling",
                "tgid": TID,
                "process": "x",
                "fd": 4,
                "file": "socket:[1]",
                "count": 1,
                "cost_ns": 1,
                "text": "it polls",
            }
        ],
    }
    report["target"] = {
        "attached": [{"pid": 1, "tgid": TID, "command": "x", "threads": 1, "descriptors": 1}]
    }
    return report


def places(value: object, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The way to every key's value."""
    for key, its in (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else ()
    ):
        if isinstance(value, dict):
            yield (*at, key)
        yield from places(its, (*at, key))


def without(report: dict[str, Any], place: tuple[Any, ...]) -> dict[str, Any]:
    report = copy.deepcopy(report)
    its: Any = report
    for key in place[:-1]:
        its = its[key]
    its[place[-1]] = None
    return report


@pytest.mark.parametrize("key", ["inode", "fd", "tgid", "operations", "receive_again", "wait_ns"])
@pytest.mark.parametrize("which", range(FILES))
def test_files_are_added_up_though_one_has_no_such_thing(key: str, which: str) -> None:
    report = many_files()
    report["descriptors"][which][key] = None
    drawn = [line.plain for line in programs.descriptors(report)]
    assert any("50 B" in line and f"{FILES}" in line for line in drawn) or (
        key == "tgid" and len(drawn) > 3
    )
    assert programs._grouped(report["descriptors"]) and "Descriptors" in render(report)


def test_what_is_added_up_is_counts_alone() -> None:
    (row,) = programs._grouped(many_files()["descriptors"])
    assert not row.keys() & {"tgid", "fd", "inode"} and (row["sends"], row["sent_bytes"]) == (
        FILES,
        10 * FILES,
    )


def test_the_most_used_file_names_them_all_though_one_is_not_counted() -> None:
    report = many_files()
    report["descriptors"][0]["operations"] = None
    assert programs._grouped(report["descriptors"])[0]["label"].startswith(
        "5 files, most of all /tmp/f1"
    )


@pytest.mark.thorough
def test_nothing_is_raised_for_what_is_null() -> None:
    report = everything()
    render(report)
    for place in places(report):
        render(without(report, place))  # whichever it is


LONG = "a-process-with-a-name-of-forty-characters"


def idle_beside_work(threads: int) -> dict[str, Any]:
    """A process with one thread that computes and others, each with a name of its own, that sleep."""
    trace = Trace().call("getpid", 10, 20, 1)
    for which in range(threads):
        tid, name = TID + 1 + which, int.from_bytes(b"idle%02d\0\0" % which, "little")
        trace.add(Kind.THREAD, 3, tid=tid, fd=TID, result=TID).sleep(6, None, None, tid=tid)
        trace.add(Kind.NAME, 5, tid=tid, start=name)
    return built(trace.call("getpid", 900_000, 900_010, 1))


def test_idle_threads_are_one_row_in_both_tables() -> None:
    text = render(idle_beside_work(18), width=80)
    rows = [line for line in text.splitlines() if " others " in line]
    assert len(rows) == 2 and "18 others" in rows[0] and " 18 " in rows[1]
    assert "nothing to do" in rows[1] and "idle07" not in text


def test_shared_objects_are_one_row_whoever_loads_them() -> None:
    report = many_files()
    (file, *_) = report["descriptors"]
    loads = [
        file | {"tgid": tgid, "fd": 3, "file": f"/lib/{name}", "receives": 1, "sends": 0}
        for tgid in (1, 2)
        for name in ("libc.so.6", "libm-2.36.so", "libpython3.11.so.1.0")
    ]
    report["descriptors"] = [*loads, loads[0] | {"file": "/srv/notes.so.txt"}]
    labels = [row["label"] for row in programs._grouped(report["descriptors"])]
    assert labels[0].startswith("6 shared objects, read to be loaded, most of all /lib/")
    assert labels[1:] == ["3</srv/notes.so.txt>"]


@pytest.mark.parametrize("model", ["mutual exclusion", "epoll-lt"])
def test_names_are_cut_and_nothing_else_is(model: str) -> None:
    report = idle_beside_work(2)
    for process in report["processes"]:
        process |= {"tgid": 4_194_303, "name": LONG, "operations": 123_456_789}
        process["model"] = {"name": "none", "instead": model}
        process["held_back"] = {"what": "waiting for a CPU", "share": 0.854}
    text = render(report, width=80)
    (row,) = [line for line in text.splitlines() if "4194303" in line]
    for word in ("123,456,789", model, "waiting for a CPU 85.4%"):
        assert word in row
    for head in ("threads", "operations", "held back by", "runnable", "blocked"):
        assert head in text
    assert LONG[:3] in row and LONG not in row and "…" in row
    assert max(map(len, text.splitlines())) <= 80


def test_much_that_was_lost_is_said_in_a_line_of_its_own() -> None:
    report = idle_beside_work(0)
    for lost, is_said in ((95, True), (1, False), (0, False)):
        report["ledger"] |= {"counted": 100, "delivered": 100 - lost, "lost": lost}
        said = [line for line in render(report).splitlines() if line.startswith("lost  ")]
        assert bool(said) is is_said
    report["ledger"] |= {"counted": 100, "delivered": 5, "lost": 95}
    assert "lost        95.0% of the events: " in render(report, verbose=False)
