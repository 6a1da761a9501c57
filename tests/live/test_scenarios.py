"""Every scenario on the running kernel against its own oracle; no test asserts a time."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections import Counter
from contextlib import ExitStack

import pytest
from support.cases import CASES, FAST, NAMES, PAIRS, PROGRAMS, ROUNDS, everyday, in_python
from support.running import (
    IOTRACE,
    PYTHON,
    ROOT,
    assert_one_line,
    beside,
    check_closed_loop,
    check_counts,
    check_nothing_lost,
    check_operations,
    iotrace,
    report_of,
    running,
)

from scenarios import find
from scenarios.kit import transport
from tracer.kernel import syscalls
from tracer.run import twin


@pytest.mark.parametrize(
    ("name", "lang", "proto"),
    everyday(
        CASES,
        # test_twins.py has the others in C
        lambda name, lang, proto: (
            in_python(name, lang, proto)
            or (lang, name) in (("python", "blocking"), ("python", "epoll-lt"))
            or (lang, name, proto) == ("c", "blocking", "udp")
        ),
    ),
)
def test_twenty_three_messages_are_twenty_three_operations(name, lang, proto):
    report = report_of("run", name, "--lang", lang, "--proto", proto, "--messages", 23)
    check_closed_loop(report, name, 23)
    assert report["scenario"] == name
    assert report["cost"]["per"] == "event" or report["cost"]["traced_cpu_ns"] > 0
    assert name != "nonblocking" or report["cost"]["per"] == "call"
    assert proto not in ("udp", "unix") or report["latency"]["traced"]["count"] == 23
    assert report["figure"]["model"] == find(name).model
    assert report["options"]["lang"] == lang


@pytest.mark.parametrize(
    ("name", "proto"),
    everyday([pytest.param(*pair) for pair in PAIRS], lambda name, proto: proto in ("udp", "tcp")),
)
def test_messages_of_9000_bytes(name, proto):
    report = report_of("run", name, "--proto", proto, "--messages", 23, "--size", 9000, *FAST)
    check_closed_loop(report, name, 23, 9000)


@pytest.mark.parametrize(
    ("name", "lang", "proto"),
    everyday([its for its in CASES if find(its.values[0]).sockets > 1], in_python),
)
def test_a_thousand_sockets_and_the_order_of_the_messages(name, lang, proto):
    report = report_of(
        "run",
        name,
        "--lang",
        lang,
        "--proto",
        proto,
        "--sockets",
        1000,
        "--messages",
        23,
        "--interval",
        "1ms",
        "--no-cost",
    )
    check_closed_loop(report, name, 23)
    fds = [op["fd"] for op in report["operations"]]
    assert len(set(fds)) == 23 and fds == sorted(fds)  # one after the other, as they were opened
    assert report["options"]["sockets"] == 1000


@pytest.mark.parametrize(
    ("name", "lang"), [its for its in PROGRAMS if find(its.values[0]).sockets > 1]
)
def test_messages_go_round_the_sockets(name, lang):
    report = report_of("run", name, "--lang", lang, "--sockets", 5, "--messages", 23, *FAST)
    check_closed_loop(report, name, 23)
    fds = [op["fd"] for op in report["operations"]]
    assert len(set(fds)) == 5 and fds == [fds[index % 5] for index in range(23)]
    done = report_of(
        "run",
        name,
        "--lang",
        lang,
        "--sockets",
        5,
        "--messages",
        500,
        "--interval",
        0,
        "--open-loop",
        "--no-cost",
    )
    assert (
        len(done["operations"]) == done["expected"]["messages"] == 500 - done["expected"]["dropped"]
    )
    check_counts(done)


@pytest.mark.parametrize("lang", find("threads").languages)
def test_a_thread_for_each_connection(lang):
    report = report_of("run", "threads", "--lang", lang, "--sockets", 7, "--messages", 23, *FAST)
    check_closed_loop(report, "threads", 23)
    tids = [op["tid"] for op in report["operations"]]
    assert len(set(tids)) == 7 and tids == [tids[index % 7] for index in range(23)]
    assert "in 7 threads, one for each of 7 descriptors" in report["model"]["evidence"]
    assert (
        report["expected"]["threads"] == len(report["threads"]) == 8
    )  # and the one that started them
    one = report_of("run", "epoll-lt", "--lang", lang, "--sockets", 7, "--messages", 23, *FAST)
    assert one["expected"]["threads"] == len(one["threads"]) == 1
    assert one["expected"]["anonymous_bytes"] < report["expected"]["anonymous_bytes"]
    for its in (one, report):
        assert (
            sum(thread["switches"] for thread in its["threads"]) >= 23
        )  # one for each message that was waited for


def test_more_sockets_than_the_limit_allows():
    command = 'ulimit -n 1500; exec "$@"'
    done = subprocess.run(
        ["sh", "-c", command, "sh", *IOTRACE, "run", "poll", "--sockets", "2000"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert_one_line(done, 3, "2000 sockets", "ulimit")


def test_two_seconds_between_messages():
    models = ("blocking", "nonblocking")
    with ExitStack() as stack:
        runs = [
            stack.enter_context(
                running("run", name, "--messages", 3, "--interval", "2s", "--no-cost", "--json")
            )
            for name in models
        ]
        ends = [run.end() for run in runs]
    for name, done in zip(models, ends, strict=True):
        assert done.returncode == 0, done.stderr
        check_closed_loop(json.loads(done.stdout), name, 3)


@pytest.mark.parametrize(("name", "lang"), everyday(PROGRAMS, in_python))
def test_while_every_cpu_is_kept_busy(name, lang):
    with beside("while True: pass", os.cpu_count()):
        check_closed_loop(report_of("run", name, "--lang", lang, "--messages", 23, *FAST), name, 23)


@pytest.mark.parametrize(("name", "lang", "proto"), everyday(CASES, in_python))
def test_open_loop_says_what_was_dropped_and_what_queued(name, lang, proto):
    report = report_of(
        "run",
        name,
        "--lang",
        lang,
        "--proto",
        proto,
        "--open-loop",
        "--messages",
        1000,
        "--interval",
        0,
        "--no-cost",
    )
    expected, operations = report["expected"], report["operations"]
    assert expected["sent"] == 1000
    assert expected["messages"] == 1000 - expected["dropped"]
    if proto != "file":  # where the next message is there already, a whole block is read
        assert expected["bytes"] == 64 * expected["messages"]
    if proto in transport.DATAGRAMS:  # a datagram is an operation; a stream merges them
        assert len(operations) == expected["messages"]
    assert len(operations) <= 1000
    assert proto == "udp" or expected["dropped"] == 0
    if expected["dropped"]:  # because the queue was full
        assert any(op["queued_ns"] > 0 for op in operations)
    check_counts(report)
    check_operations(report)
    check_nothing_lost(report)


def test_recording_shows_again_what_the_run_showed(tmp_path):
    path = tmp_path / "run.parquet"
    first = report_of("run", "poll", "--messages", 23, *FAST, "-o", path)
    assert report_of("report", path) == first
    check_closed_loop(first, "poll", 23)
    assert os.listdir(tmp_path) == ["run.parquet"]


@pytest.mark.parametrize("name", [*NAMES, *ROUNDS])
def test_what_is_printed_fits_in_80_columns(name):
    done = iotrace("run", name, *FAST, "--hist", env={"COLUMNS": "80", "PYTHONIOENCODING": "utf-8"})
    assert done.returncode == 0 and done.stderr == ""
    assert max(map(len, done.stdout.splitlines())) <= 80


# the same counts as another tool's


@pytest.mark.skipif(not shutil.which("strace"), reason="strace is not installed")
@pytest.mark.parametrize(
    ("name", "lang"),
    everyday([its for its in PROGRAMS if find(its.values[0]).steady], in_python),
)
def test_strace_counts_the_same_calls(name, lang, tmp_path):
    scenario = find(name)
    program = [twin.built(scenario.twin)] if lang == "c" else [*PYTHON, "-m", scenario.module]
    follow = ["strace", "-ff", "-o", tmp_path / "thread"]  # a file a thread
    subprocess.run(
        [*follow, *program, "--messages", "23", "--interval-ns", "2000000"],
        check=True,
        capture_output=True,
        cwd=ROOT,
        timeout=100,
    )
    traced = [path.read_text() for path in tmp_path.iterdir()]
    senders = [
        text for text in traced if re.search(r"^execve\(.*scenarios\.kit\.sender", text, re.M)
    ]
    assert len(senders) == 1
    lines = [line for text in traced if text not in senders for line in text.splitlines()]
    seen = Counter(
        syscalls.class_of(line.partition("(")[0]) for line in lines if re.match(r"[a-z]\w+\(", line)
    )
    seen -= Counter(
        syscalls.class_of(found[1])
        for line in lines  # ended inside the call: of threads, with the process
        if (found := re.match(r"(?:<\.\.\. )?([a-z]\w+)\b.* = \?$", line))
    )
    report = report_of("run", name, "--lang", lang, "--messages", 23, *FAST)
    check_closed_loop(report, name, 23)
    expected = report["expected"]["calls"]
    if name == "nonblocking":  # how often it polls is the machine's affair, the structure is not
        empty = sum(line.startswith("recvfrom(") and "EAGAIN" in line for line in lines)
        assert (
            seen["recvfrom"] - empty
            == 23
            == expected["recvfrom"] - report["expected"]["errors"]["recvfrom"]["EAGAIN"]
        )
        assert empty > 23
        return
    for call in expected.keys() - {
        "aio_read",
        "aio_suspend",
        "epoll_ctl",
        "read",
        "pread64",
    }:  # outside the loop, too
        assert seen[call] == expected[call], call
    for call, errors in report["expected"]["errors"].items():
        for error, count in errors.items():
            assert (
                sum(call in line.partition("(")[0] and f"= -1 {error}" in line for line in lines)
                == count
            )
    handled = {
        signal["name"] for signal in report["signals"] if signal["delivered"]
    }  # not taken by a wait
    for name, count in report["expected"]["signals"].items():
        if name not in handled:
            continue
        name = {"SIGRTMIN": "SIGRT_2"}.get(
            name, name
        )  # strace counts from the kernel's first, glibc keeps two
        assert sum(line.startswith(f"--- {name} ") for line in lines) == count
