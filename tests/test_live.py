"""The whole of iotrace on the running kernel: every scenario against its own oracle, and what goes wrong.

Needs root and a kernel that runs BPF; no test here asserts a time."""

from __future__ import annotations

import json
import os
import re
import select
import shutil
import signal
import subprocess
from collections import Counter
from contextlib import ExitStack

import numpy as np
import pytest
from running import (
    IOTRACE,
    NOBODY,
    PYTHON,
    ROOT,
    assert_one_line,
    beside,
    check_closed_loop,
    check_counts,
    check_nothing_lost,
    check_operations,
    check_rounds,
    iotrace,
    model_of,
    report_of,
    runner,
    running,
)

from scenarios import find, names, scenarios, transport, twin
from tracer import cli, features, recording, syscalls, target
from tracer.attachment import Attachment
from tracer.records import Kind

pytestmark = pytest.mark.live

HAVE_CC = shutil.which("cc") is not None
SENT = [scenario for scenario in scenarios() if scenario.protocols != ("none",)]
NAMES = [scenario.name for scenario in SENT]
ROUNDS = [name for name in names() if name not in NAMES]  # nothing is sent
PROGRAMS = [pytest.param(scenario.name, lang, marks=pytest.mark.skipif(lang == "c" and not HAVE_CC, reason="no cc"))
            for scenario in SENT for lang in scenario.languages]
CASES = [pytest.param(*program.values, proto, marks=program.marks)
         for program in PROGRAMS for proto in find(program.values[0]).protocols]
PAIRS = [(scenario.name, proto) for scenario in SENT for proto in scenario.protocols]


def everyday(cases, wanted):
    """The cases, those that are not `wanted` of every run of the tests marked as thorough."""
    return [case if wanted(*case.values) else pytest.param(*case.values, marks=[*case.marks, pytest.mark.thorough])
            for case in cases]


def in_python(name, lang, proto=None):
    """In Python, and over the scenario's first protocol."""
    return lang == "python" and proto in (None, find(name).protocols[0])


# how often these call depends on who is quicker, and strace makes all slow
UNSTEADY = ("epoll-herd", "epoll-herd-exclusive", "epoll-et-stuck", "signal-rt-overflow")
FAST = ("--interval", "2ms", "--no-cost")

try:
    with Attachment(features.find(), 1, 4096):
        pass
except features.CannotTrace as error:
    pytest.skip(" ".join(str(error).split())[:200], allow_module_level=True)

# the oracle: what the workload did is what was seen

@pytest.mark.parametrize(("name", "lang", "proto"), everyday(
    CASES, lambda name, lang, proto: lang == "python" or proto == find(name).protocols[0]))
def test_twenty_three_messages_are_twenty_three_operations(name, lang, proto):
    report = report_of("run", name, "--lang", lang, "--proto", proto, "--messages", 23)
    check_closed_loop(report, name, 23)
    assert report["scenario"] == name
    assert report["cost"]["untraced_cpu_ns_per_op"] > 0 and report["cost"]["traced_cpu_ns_per_op"] > 0
    assert report["figure"]["model"] == model_of(name)
    assert report["options"]["lang"] == lang


@pytest.mark.parametrize(("name", "proto"), everyday(
    [pytest.param(*pair) for pair in PAIRS], lambda name, proto: proto in ("udp", "tcp")))
def test_messages_of_9000_bytes(name, proto):
    report = report_of("run", name, "--proto", proto, "--messages", 23, "--size", 9000, *FAST)
    check_closed_loop(report, name, 23, 9000)


@pytest.mark.parametrize(("name", "lang", "proto"), everyday(
    [its for its in CASES if find(its.values[0]).sockets > 1], in_python))
def test_a_thousand_sockets_and_the_order_of_the_messages(name, lang, proto):
    report = report_of("run", name, "--lang", lang, "--proto", proto, "--sockets", 1000, "--messages", 23,
                       "--interval", "1ms", "--no-cost")
    check_closed_loop(report, name, 23)
    fds = [op["fd"] for op in report["operations"]]
    assert len(set(fds)) == 23 and fds == sorted(fds)  # one after the other, as they were opened
    assert report["options"]["sockets"] == 1000


@pytest.mark.parametrize(("name", "lang"), [its for its in PROGRAMS if find(its.values[0]).sockets > 1])
def test_messages_go_round_the_sockets(name, lang):
    report = report_of("run", name, "--lang", lang, "--sockets", 5, "--messages", 23, *FAST)
    check_closed_loop(report, name, 23)
    fds = [op["fd"] for op in report["operations"]]
    assert len(set(fds)) == 5 and fds == [fds[index % 5] for index in range(23)]
    done = report_of("run", name, "--lang", lang, "--sockets", 5, "--messages", 500, "--interval", 0, "--open-loop",
                     "--no-cost")
    assert len(done["operations"]) == done["expected"]["messages"] == 500 - done["expected"]["dropped"]
    check_counts(done)


def test_more_sockets_than_the_limit_allows():
    command = 'ulimit -n 1500; exec "$@"'
    done = subprocess.run(["sh", "-c", command, "sh", *IOTRACE, "run", "poll", "--sockets", "2000"], cwd=ROOT,
                          capture_output=True, text=True)
    assert_one_line(done, 3, "2000 sockets", "ulimit")
@pytest.mark.parametrize("name", ROUNDS)
def test_twenty_three_rounds(name):
    report = report_of("run", name, "--messages", 23)
    check_rounds(report, 23)
    assert report["cost"]["untraced_cpu_ns_per_op"] > 0


def test_two_threads_on_one_cpu_never_run_at_the_same_time():
    lanes = report_of("run", "concurrent", "--messages", 23, *FAST)["lanes"]
    assert len(lanes["pairs"]) == 1 and lanes["pairs"][0]["overlap_ns"] == 0 < lanes["pairs"][0]["possible_ns"]
    assert all(len(thread["cpus"]) == 1 for thread in lanes["threads"])


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="only one CPU")
def test_two_threads_on_two_cpus_do():
    lanes = report_of("run", "parallel", "--messages", 23)["lanes"]
    assert 0 < lanes["pairs"][0]["overlap_ns"] <= lanes["pairs"][0]["possible_ns"]


def test_a_mutex_is_waited_for_by_both_and_a_semaphore_by_one():
    lock = report_of("run", "lock", "--messages", 23, *FAST)["locks"]
    assert [word["kind"] for word in lock] == ["mutual exclusion"] and lock[0]["waits"] <= 23
    assert sorted(pair["count"] for pair in lock[0]["between"])[-1] <= 12
    assert {pair["waiter"] for pair in lock[0]["between"]} == {pair["waker"] for pair in lock[0]["between"]}
    event = report_of("run", "condition", "--messages", 23, *FAST)["locks"]
    assert [word["kind"] for word in event] == ["synchronisation"]
    assert len({pair["waiter"] for pair in event[0]["between"]}) == 1


def test_a_herd_wakes_for_nothing_and_epollexclusive_tames_it():
    herd, = report_of("run", "epoll-herd", "--messages", 23)["wakeups"]
    tame, = report_of("run", "epoll-herd-exclusive", "--messages", 23)["wakeups"]
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


@pytest.mark.parametrize(("name", "generated", "merged", "overflowed"), [
    ("signal-rt", {"SIGRTMIN+1": 23}, 0, 0), ("signal-rt-burst", {"SIGRTMIN+1": 23}, 0, 0),
    ("signal-burst", {"SIGIO": 6}, 17, 0)])
def test_signals_are_queued_or_merged(name, generated, merged, overflowed):
    report = report_of("run", name, "--messages", 23, *FAST)
    check_closed_loop(report, name, 23)
    assert {its["name"]: its["generated"] for its in report["signals"]} == generated
    assert sum(its["merged"] for its in report["signals"]) == merged
    assert sum(its["overflowed"] for its in report["signals"]) == overflowed


def test_a_signal_that_finds_the_queue_full_is_followed_by_sigio():
    report = report_of("run", "signal-rt-overflow", "--messages", 23, *FAST)
    check_closed_loop(report, "signal-rt-overflow", 23)
    queued, sigio = (next((its for its in report["signals"] if its["name"] == name), None)
                     for name in ("SIGRTMIN+1", "SIGIO"))
    assert queued["generated"] + queued["overflowed"] == 23  # how many fit in depends on the user's other signals
    assert queued["overflowed"] >= 11 and queued["taken"] == queued["generated"]
    assert sigio["generated"] == sigio["taken"] == 3 and sigio["generated"] + sigio["merged"] == queued["overflowed"]


@pytest.mark.parametrize(("name", "variants"), [
    ("posix-aio", {"signal": 23}), ("posix-aio-thread", {"thread": 23}), ("posix-aio-suspend", {"suspend": 23}),
    ("linux-aio", {"after io_submit": 23}), ("linux-aio-socket", {"in io_submit": 23}),
    ("io-uring", {"poll-armed": 23}), ("io-uring-inline", {"inline": 23}), ("io-uring-worker", {"worker": 23}),
    ("io-uring-multishot", {"multishot": 23})])
def test_how_asynchronous_requests_went(name, variants):
    report = report_of("run", name, "--messages", 23)
    check_closed_loop(report, name, 23)
    assert report["model"]["variants"] == variants
    assert {op["how"] for op in report["operations"]} == set(variants)
    if name == "io-uring-worker":
        assert all(op["helper_tid"] != op["tid"] for op in report["operations"])


def test_what_this_kernel_does_not_allow_is_status_3(monkeypatch):
    """A filter refuses io_uring_setup as containers' filters do."""
    real = target.start

    def filtered(command, *rest, **options):
        return real(["/usr/bin/env", "python3", "-c", REFUSE_IO_URING, *command], *rest, **options)

    monkeypatch.setattr(target, "start", filtered)
    for options in ((), ("--no-cost",)):
        done = runner().invoke(cli.main, ["run", "io-uring", "--messages", "3", *options, "--json"])
        assert done.exit_code == 3 and done.stdout == "" and len(done.stderr.splitlines()) == 1
        assert "io_uring_setup" in done.stderr


# seccomp(2): allow all but io_uring_setup (425), which fails with EPERM
REFUSE_IO_URING = """
import ctypes, os, struct, sys
rules = (0x20, 0, 0, 0), (0x15, 0, 1, 425), (6, 0, 0, 0x50001), (6, 0, 0, 0x7fff0000)
code = b"".join(struct.pack("HBBI", *rule) for rule in rules)
program = ctypes.create_string_buffer(code)
libc = ctypes.CDLL(None)
libc.prctl(38, 1, 0, 0, 0)
libc.prctl(22, 2, ctypes.create_string_buffer(struct.pack("HxxxxxxQ", len(code) // 8, ctypes.addressof(program))), 0, 0)
os.execvp(sys.argv[1], sys.argv[1:])
"""


def test_two_seconds_between_messages():
    models = ("blocking", "nonblocking")
    with ExitStack() as stack:
        runs = [stack.enter_context(running("run", name, "--messages", 3, "--interval", "2s", "--no-cost", "--json"))
                for name in models]
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
    report = report_of("run", name, "--lang", lang, "--proto", proto, "--open-loop", "--messages", 1000,
                       "--interval", 0, "--no-cost")
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
@pytest.mark.parametrize(("name", "lang"), everyday(
    [its for its in PROGRAMS if its.values[0] not in UNSTEADY], in_python))
def test_strace_counts_the_same_calls(name, lang, tmp_path):
    path = tmp_path / "strace"
    scenario = find(name)
    program = [twin.built(scenario.twin)] if lang == "c" else [*PYTHON, "-m", scenario.module]
    follow = ["-f"] * name.startswith("posix-aio")  # its receive is made by another thread
    subprocess.run(["strace", *follow, "-o", path, *program, "--messages", "23", "--interval-ns", "2000000"],
                   check=True, capture_output=True, cwd=ROOT, timeout=100)
    traced = path.read_text()
    if follow:
        sender = re.search(r"^(\d+) +execve\(.*scenarios\.sender", traced, re.M)[1]
        lines = [line.split(maxsplit=1)[1] for line in traced.splitlines() if line.split()[0] != sender]
    else:
        lines = traced.splitlines()
    seen = Counter(syscalls.class_of(line.partition("(")[0]) for line in lines if re.match(r"[a-z]\w+\(", line))
    report = report_of("run", name, "--lang", lang, "--messages", 23, *FAST)
    check_closed_loop(report, name, 23)
    expected = report["expected"]["calls"]
    if name == "nonblocking":  # how often it polls is the machine's affair, the structure is not
        empty = sum(line.startswith("recvfrom(") and "EAGAIN" in line for line in lines)
        assert seen["recvfrom"] - empty == 23 == expected["recvfrom"] - report["expected"]["errors"]["recvfrom"]["EAGAIN"]
        assert empty > 23
        return
    for call in expected.keys() - {"aio_read", "aio_suspend", "epoll_ctl", "read", "pread64"}:  # outside the loop, too
        assert seen[call] == expected[call], call
    for call, errors in report["expected"]["errors"].items():
        for error, count in errors.items():
            assert sum(call in line.partition("(")[0] and f"= -1 {error}" in line for line in lines) == count
    handled = {signal["name"] for signal in report["signals"] if signal["delivered"]}  # not taken by a wait
    for name, count in report["expected"]["signals"].items():
        if name not in handled:
            continue
        name = {"SIGRTMIN": "SIGRT_2"}.get(name, name)  # strace counts from the kernel's first, glibc keeps two
        assert sum(line.startswith(f"--- {name} ") for line in lines) == count


# only the target, and as the right user

def test_other_processes_never_appear(tmp_path):
    path = tmp_path / "run.parquet"
    noise = """
import socket, os
a, b = socket.socketpair(); s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(("127.0.0.1", 0))
while True:
    s.sendto(b"x", s.getsockname()); s.recv(1); a.send(b"x"); b.recv(1)
    if not os.fork(): os._exit(0)
    os.wait()
"""
    with beside(noise):
        report = report_of("run", "posix-aio", "--messages", 23, "-o", path, *FAST)
    check_closed_loop(report, "posix-aio", 23)
    records = np.concatenate(list(recording.read(str(path))))
    born = records[np.isin(records["kind"], (Kind.START, Kind.THREAD))]
    assert set(born["result"]) == {report["target"]["pid"]}
    # readiness is told on the thread that sent: what counts there is the socket
    ready = records["kind"] == Kind.READY
    assert set(records["tid"][~ready]) <= set(born["tid"])
    learnt = records["start"][records["kind"] == Kind.DESCRIPTOR]
    assert ready.any() and set(records["start"][ready]) <= set(learnt)


@pytest.mark.parametrize(("arguments", "wanted"), [((), NOBODY), (("--as-root",), 0)])
def test_scenario_runs_as_the_invoking_user(arguments, wanted, tmp_path):
    path = tmp_path / "run.parquet"
    user = {"SUDO_UID": str(NOBODY), "SUDO_GID": str(NOBODY)}
    with running("run", "blocking", "--messages", 23, "--json", "-o", path, *FAST, *arguments, env=user) as run:
        run.await_messages(1)
        uids = [[line.split()[1:] for line in open(f"/proc/{pid}/status") if line.startswith(("Uid", "Gid"))]
                for pid in (run.receiver, run.sender)]
        done = run.end()
    assert done.returncode == 0, done.stderr
    assert uids == [[[str(wanted)] * 4] * 2] * 2
    check_closed_loop(json.loads(done.stdout), "blocking", 23)
    assert path.stat().st_uid == wanted


# the ledger can fail

def test_ring_of_one_page_loses_and_says_exactly_how_much():
    done = iotrace("run", "nonblocking", "--ring-size", 4096, "--messages", 23, *FAST, "--json", "--strict")
    assert done.returncode == 4 and len(done.stderr.splitlines()) == 1
    ledger = json.loads(done.stdout)["ledger"]
    assert ledger["lost"] > 0
    assert ledger["counted"] == ledger["delivered"] + ledger["lost"]
    assert str(ledger["lost"]) in done.stderr


def test_loss_is_said_without_strict_too():
    done = iotrace("run", "nonblocking", "--ring-size", 4096, "--messages", 23, *FAST)
    assert done.returncode == 0
    assert "lost" in done.stdout


# runs that end early

@pytest.mark.parametrize(("name", "lang"), everyday(
    PROGRAMS, lambda name, lang: in_python(name, lang) and name in ("blocking", "nonblocking", "signal", "io-uring")))
def test_ctrl_c_shows_what_there_is(name, lang):
    with running("run", name, "--lang", lang, "--messages", 100000, "--no-cost", "--json") as run:
        run.await_messages(13)  # some let as many as eight be on their way
        run.process.send_signal(signal.SIGINT)
        done = run.end()
        assert run.processes() == []
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    report = json.loads(done.stdout)
    assert report["ended"] == "interrupted"
    assert len(report["operations"]) >= 5
    assert report["model"]["name"] == model_of(name)
    assert report["expected"]["messages"] >= 5  # it was asked to stop, and could still say what it did
    check_operations(report)
    check_nothing_lost(report)


def test_ctrl_c_leaves_a_recording(tmp_path):
    path = tmp_path / "run.parquet"
    with running("run", "select", "--messages", 100000, "--no-cost", "-o", path) as run:
        run.await_messages(5)
        run.process.send_signal(signal.SIGINT)
        done = run.end()
    assert done.returncode == 0 and "select" in done.stdout
    assert os.listdir(tmp_path) == ["run.parquet"]
    assert len(report_of("report", path)["operations"]) >= 5


def test_timeout_is_a_failure_that_leaves_its_recording(tmp_path):
    path = tmp_path / "run.parquet"
    with running("run", "blocking", "--interval", "60s", "--timeout", 1, "--no-cost", "--json", "-o", path) as run:
        done = run.end()
        assert run.processes() == []
    assert_one_line(done, 1, "timeout")
    assert os.listdir(tmp_path) == ["run.parquet"]
    report = report_of("report", path)
    assert report["ended"] == "timeout" and report["operations"] == [] and report["model"]["name"] == "none"


def test_killed_receiver_is_a_failure(tmp_path):
    with running("run", "blocking", "--messages", 100000, "--no-cost", "--json", "-o", tmp_path / "run") as run:
        run.await_messages(3)
        os.kill(run.receiver, signal.SIGKILL)
        done = run.end()
        assert run.processes() == []
    assert_one_line(done, 1, "blocking", "137")
    assert os.listdir(tmp_path) == []


def test_killed_sender_is_a_failure():
    with running("run", "blocking", "--messages", 100000, "--no-cost", "--timeout", 20, "--json") as run:
        run.await_messages(3)
        os.kill(run.sender, signal.SIGKILL)
        done = run.end()
        assert run.processes() == []
    assert_one_line(done, 1, "sender")


def test_killed_iotrace_takes_the_scenario_with_it():
    with running("run", "nonblocking", "--messages", 100000, "--no-cost") as run:
        run.await_messages(3)
        ends = [os.pidfd_open(pid) for pid in (run.receiver, run.sender)]
        run.process.kill()
        for end in ends:
            assert select.select([end], [], [], 60)[0], "a process is left"
            os.close(end)


# targets that the probes do not see

def test_nothing_seen_is_an_error(monkeypatch):
    real = target.start

    def mute(command, secret, *rest, **options):
        return real(command, secret and secret + 1, *rest, **options)

    monkeypatch.setattr(target, "start", mute)
    done = runner().invoke(cli.main, ["run", "blocking", "--messages", "3", *FAST, "--json"])
    assert done.exit_code == 3
    assert done.stdout == "" and len(done.stderr.splitlines()) == 1
    assert "saw nothing" in done.stderr


def test_two_runs_at_once_do_not_see_each_other(tmp_path):
    paths = [tmp_path / "a", tmp_path / "b"]
    with running("run", "blocking", "--messages", 23, "--json", "-o", paths[0], "--no-cost") as one, \
            running("run", "select", "--messages", 23, "--json", "-o", paths[1], "--no-cost") as other:
        ends = one.end(), other.end()
    for done, name in zip(ends, ("blocking", "select"), strict=True):
        assert done.returncode == 0, done.stderr
        check_closed_loop(json.loads(done.stdout), name, 23)


def test_without_a_compiler_the_run_in_c_cannot(tmp_path):
    done = iotrace("run", "blocking", "--lang", "c", "-o", tmp_path / "run", env={"PATH": "/nonexistent"})
    assert_one_line(done, 3, "no cc", "gcc")
    assert os.listdir(tmp_path) == []


def test_doctor_says_that_the_probes_load():
    done = iotrace("doctor")
    assert done.returncode == 0 and done.stderr == ""
    assert "compile, load and attach" in done.stdout
    assert done.stdout.splitlines()[-1].startswith("--net       ") and max(map(len, done.stdout.splitlines())) <= 80


def test_no_tracefs_is_needed():
    """Where none is mounted BCC cannot detach a uprobe by its own means."""
    hide = "umount -a -t tracefs,debugfs; exec \"$@\""
    done = subprocess.run(["unshare", "--mount", "sh", "-c", hide, "sh", *PYTHON, "-m", "tracer", "doctor"],
                          capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0 and done.stderr == "" and "compile, load and attach" in done.stdout
