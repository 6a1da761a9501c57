"""What single scenarios show of the running kernel's behaviour, beyond their own oracle."""

from __future__ import annotations

import json
import os
import shutil
import sys

import pytest
from support.cases import FAST, ROUNDS, lacking
from support.running import check_closed_loop, check_rounds, iotrace, report_of, runner

from scenarios import find
from tracer.capture import spawn
from tracer.cli.main import main
from tracer.kernel import features
from tracer.run import twin


@pytest.mark.parametrize("name", ROUNDS)
def test_twenty_three_rounds(name):
    report = report_of("run", name, "--messages", 23)
    check_rounds(report, 23)
    assert report["cost"]["per"] in ("message", "event") and report["latency"] is None


def test_two_threads_on_one_cpu_never_run_at_the_same_time():
    lanes = report_of("run", "concurrent", "--messages", 23, *FAST)["lanes"]
    assert (
        len(lanes["pairs"]) == 1
        and lanes["pairs"][0]["overlap_ns"] == 0 < lanes["pairs"][0]["possible_ns"]
    )
    assert all(len(thread["cpus"]) == 1 for thread in lanes["threads"])


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="only one CPU")
def test_two_threads_on_two_cpus_do():
    lanes = report_of("run", "parallel", "--messages", 23)["lanes"]
    assert 0 < lanes["pairs"][0]["overlap_ns"] <= lanes["pairs"][0]["possible_ns"]


def test_a_mutex_is_waited_for_by_both_and_a_semaphore_by_one():
    lock = report_of("run", "lock", "--messages", 23, *FAST)["locks"]
    assert [word["kind"] for word in lock] == ["mutual exclusion"] and lock[0]["waits"] <= 23
    assert sorted(pair["count"] for pair in lock[0]["between"])[-1] <= 12
    wakers = {pair["waker"] for pair in lock[0]["between"]} - {None}  # of some it is not known
    assert {pair["waiter"] for pair in lock[0]["between"]} == wakers
    event = report_of("run", "condition", "--messages", 23, *FAST)["locks"]
    assert [word["kind"] for word in event] == ["synchronisation"]
    assert len({pair["waiter"] for pair in event[0]["between"]}) == 1


@pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler")
@pytest.mark.parametrize(
    ("program", "kind"),
    [
        ("mutex", "mutual exclusion"),
        ("lock_pi", "mutual exclusion"),
        ("barrier", "two-way waiting"),
        ("condvar", "two-way waiting"),
    ],
)
def test_a_lock_is_told_from_what_only_looks_like_one(program, kind):
    """Of all four each thread waits and wakes the other in turn."""
    built = twin.built(twin.SOURCES / "trials" / f"{program}.c")
    command = f"exec {built} --messages 24 --interval-ns 200000 > /dev/null"
    done = iotrace("trace", "--no-cost", "--json", "--", "sh", "-c", command)
    report = json.loads(done.stdout)
    assert report["locks"][0]["kind"] == kind
    assert (report["locks"][0]["owned"] > 0) == (kind == "mutual exclusion")


def test_a_herd_wakes_for_nothing_and_epollexclusive_tames_it():
    (herd,) = report_of("run", "epoll-herd", "--messages", 23)["wakeups"]
    (tame,) = report_of("run", "epoll-herd-exclusive", "--messages", 23)["wakeups"]
    for its in (herd, tame):
        assert its["call"] == "epoll_wait" and its["threads"] == 4
        assert its["woken"] <= its["returned"] + its["slept_again"]
    assert herd["slept_again"] + herd["found_nothing"] > tame["slept_again"] + tame["found_nothing"]


def test_what_was_left_behind_is_said():
    stuck = report_of("run", "epoll-et-stuck", "--messages", 23)
    left = [line for line in stuck["model"]["evidence"] if "no wake-up came" in line]
    assert len(left) == 1 and all(op["queued_ns"] > 0 for op in stuck["operations"][1:])
    again = report_of("run", "epoll-lt-left", "--messages", 23)["model"]["evidence"]
    assert "11 wake-ups told again of data that the receive before had left" in again
    for name in ("epoll-et", "epoll-lt"):
        for line in report_of("run", name, "--messages", 23, *FAST)["model"]["evidence"]:
            assert "left" not in line and "no wake-up" not in line


@pytest.mark.parametrize(
    ("name", "generated", "merged", "overflowed"),
    [
        ("signal-rt", {"SIGRTMIN+1": 23}, 0, 0),
        ("signal-rt-burst", {"SIGRTMIN+1": 23}, 0, 0),
        ("signal-burst", {"SIGIO": 6}, 17, 0),
    ],
)
def test_signals_are_queued_or_merged(name, generated, merged, overflowed):
    report = report_of("run", name, "--messages", 23, *FAST)
    check_closed_loop(report, name, 23)
    assert {its["name"]: its["generated"] for its in report["signals"]} == generated
    assert sum(its["merged"] for its in report["signals"]) == merged
    assert sum(its["overflowed"] for its in report["signals"]) == overflowed


def test_a_signal_that_finds_the_queue_full_is_followed_by_sigio():
    report = report_of("run", "signal-rt-overflow", "--messages", 23, *FAST)
    check_closed_loop(report, "signal-rt-overflow", 23)
    queued, sigio = (
        next((its for its in report["signals"] if its["name"] == name), None)
        for name in ("SIGRTMIN+1", "SIGIO")
    )
    assert (
        queued["generated"] + queued["overflowed"] == 23
    )  # how many fit in depends on the user's other signals
    assert queued["overflowed"] >= 11 and queued["taken"] == queued["generated"]
    assert (
        sigio["generated"] == sigio["taken"] == 3
        and sigio["generated"] + sigio["merged"] == queued["overflowed"]
    )


@pytest.mark.parametrize("lang", ["python", "c"])
@pytest.mark.parametrize(
    ("name", "variants"),
    [
        ("posix-aio", {"signal": 23}),
        ("posix-aio-thread", {"thread": 23}),
        ("posix-aio-suspend", {"suspend": 23}),
        ("linux-aio", {"after io_submit": 23}),
        ("linux-aio-socket", {"in io_submit": 23}),
        ("io-uring", {"poll-armed": 23}),
        ("io-uring-inline", {"inline": 23}),
        ("io-uring-worker", {"worker": 23}),
        ("io-uring-multishot", {"multishot": 23}),
    ],
)
def test_how_asynchronous_requests_went(name, variants, lang):
    if why := lacking(find(name), lang):
        pytest.skip(why)
    report = report_of("run", name, "--lang", lang, "--messages", 23)
    check_closed_loop(report, name, 23)
    assert report["model"]["variants"] == variants
    assert {op["how"] for op in report["operations"]} == set(variants)
    if name == "io-uring-worker":
        assert all(op["helper_tid"] != op["tid"] for op in report["operations"])


@pytest.mark.parametrize("lang", ["python", "c"])
@pytest.mark.parametrize(("taskrun", "calls"), [("default", 23), ("coop", 23), ("defer", 46)])
def test_task_work_lies_in_a_call_where_it_is_deferred(taskrun, calls, lang):
    """Interrupting or at the next entry, the copy is in no call of the program's; deferred, in one that was made for
    it, and tells of it."""
    if why := lacking(find("io-uring"), lang):
        pytest.skip(why)
    report = report_of(
        "run", "io-uring", "--lang", lang, "--taskrun", taskrun, "--messages", 23, *FAST
    )
    check_closed_loop(report, "io-uring", 23)
    assert report["options"]["taskrun"] == taskrun
    assert report["expected"]["calls"] == {"io_uring_enter": calls}
    told = [op for op in report["operations"] if "done" not in op["estimated"]]
    assert len(told) == (23 if taskrun == "defer" else 0)
    assert all(op["done_ns"] > op["copy_end_ns"] for op in told)


@pytest.mark.parametrize(
    ("name", "call"),
    [
        ("io-uring", "io_uring_enter"),
        (
            "io-uring-worker",
            None,
        ),  # the thread that asked posts the completion, the worker has copied
        ("io-uring-multishot", "io_uring_enter"),
    ],
)
def test_of_deferred_task_work_it_is_said_which_call_copies(name, call):
    if why := lacking(find(name), "python"):
        pytest.skip(why)
    model = report_of("run", name, "--taskrun", "defer", "--messages", 7, *FAST)["model"]
    assert not model["synchronous"] and model.get("copies_in") == call


@pytest.mark.parametrize(
    ("taskrun", "lang", "errno", "word"),
    [
        (None, "python", 1, "io_uring_setup"),
        (None, "c", 1, "io_uring_setup"),
        ("coop", "python", 22, "IORING_SETUP_COOP_TASKRUN"),
        ("coop", "c", 22, "IORING_SETUP_COOP_TASKRUN"),
        ("defer", "python", 22, "IORING_SETUP_DEFER_TASKRUN"),
        ("defer", "c", 22, "IORING_SETUP_DEFER_TASKRUN"),
    ],
)
def test_what_this_kernel_does_not_allow_is_status_3(taskrun, lang, errno, word, monkeypatch):
    """A filter refuses io_uring_setup as containers' filters do (EPERM), or as a kernel without the flag (EINVAL)."""
    if why := lacking(find("io-uring"), lang):
        pytest.skip(why)
    real, refuse = spawn.start, f"errno = {errno}\n{REFUSE_IO_URING}"
    asked = ("--lang", lang, *(("--taskrun", taskrun) if taskrun else ()))

    def filtered(command, *rest, **options):
        return real([sys.executable, "-I", "-S", "-c", refuse, *command], *rest, **options)

    monkeypatch.setattr(spawn, "start", filtered)
    for options in ((), ("--no-cost",)):
        done = runner().invoke(
            main, ["run", "io-uring", "--messages", "3", *asked, *options, "--json"]
        )
        assert done.exit_code == 3, done.output[:2000]
        assert done.stdout == "" and len(done.stderr.splitlines()) == 1
        assert word in done.stderr


# seccomp(2): allow all but io_uring_setup (425), which fails with `errno`. The program is not run where that does not.
REFUSE_IO_URING = """
import ctypes, os, struct, sys
rules = (0x20, 0, 0, 0), (0x15, 0, 1, 425), (6, 0, 0, 0x50000 | errno), (6, 0, 0, 0x7fff0000)
code = b"".join(struct.pack("HBBI", *rule) for rule in rules)
program = ctypes.create_string_buffer(code)
filter = ctypes.create_string_buffer(struct.pack("HxxxxxxQ", len(code) // 8, ctypes.addressof(program)))
libc = ctypes.CDLL(None, use_errno=True)
libc.prctl.argtypes = [ctypes.c_int] + [ctypes.c_ulong] * 4
for option, value, at in (38, 1, 0), (22, 2, ctypes.addressof(filter)):
    if libc.prctl(option, value, at, 0, 0):
        sys.exit(f"prctl {option}: {os.strerror(ctypes.get_errno())}")
if libc.syscall(425, 0, None) != -1 or ctypes.get_errno() != errno:
    sys.exit("the filter does not refuse io_uring_setup")
os.execvp(sys.argv[1], sys.argv[1:])
"""


@pytest.mark.parametrize("name", ["nonblocking", "io-uring", "threads"])
def test_programs_that_are_there_twice_count_everything_once(name, monkeypatch):
    """As where a program can be preempted, and is skipped meanwhile (Linux 7.0)."""
    found = features.find()
    found.preemptible = True
    found.constants["HAVE_PREEMPTION"] = 1
    monkeypatch.setattr(features, "find", lambda: found)
    done = runner().invoke(
        main, ["run", name, "--messages", "23", "--interval", "2ms", "--no-cost", "--json"]
    )
    check_closed_loop(json.loads(done.stdout), name, 23)
