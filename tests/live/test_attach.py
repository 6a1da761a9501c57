"""`iotrace attach` on the running kernel: what is there already is learnt completely, and nothing is disturbed."""

from __future__ import annotations

import json
import os
import signal
import subprocess

import numpy as np
import pytest
from support.attaching import STEP, attached, await_attached, calls, ended, target
from support.running import (
    PYTHON,
    ROOT,
    assert_one_line,
    check_nothing_lost,
    check_operations,
    iotrace,
    report_of,
    running,
)

from tracer.kernel import syscalls
from tracer.kernel.proc import Process
from tracer.recording import parquet
from tracer.recording.records import Kind


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_what_happens_while_attached_is_seen_and_nothing_else(number):
    with target("a, b = socket.socketpair()", STEP) as its:
        its.step()
        with attached(its) as run:
            its.step()
            report = ended(run, number)
        its.step()
        assert its.end() == 0
    mine = [op for op in report["operations"] if op["bytes"] == 7]
    assert len(mine) == 23 and calls(report)["recvfrom"] == calls(report)["sendto"] == 23
    assert report["ended"] == "interrupted" and report["target"]["pid"] == its.pid
    assert [p["pid"] for p in report["target"]["attached"]] == [its.pid]
    check_operations(report)
    check_nothing_lost(report)


def test_sockets_that_were_there_are_ready_when_they_are():
    """Their readiness is seen, since they were learnt when we came."""
    step = "[a.send(b'x' * 7) and b.recv(9) for _ in range(23)]"
    with target("a, b = socket.socketpair()", step) as its, attached(its) as run:
        its.step()
        report = ended(run)
    mine = [op for op in report["operations"] if op["bytes"] == 7]
    assert len(mine) == 23 and not any(
        "ready" in op["estimated"] and "raw" not in op for op in mine
    )


BLOCKED = """
pairs = [socket.socketpair() for _ in range(5)]
def work(b):
    while b.recv(9): pass
threads = [threading.Thread(target=work, args=(b,), daemon=True) for a, b in pairs]
[t.start() for t in threads]
def asleep(t): return open(f'/proc/self/task/{t.native_id}/syscall').read().startswith('45 ')
while not all(map(asleep, threads)): pass
"""


def test_calls_that_threads_were_in_are_open_or_end(tmp_path):
    """Of five threads asleep in recvfrom one gets its data; its call counts from when we came."""
    path = tmp_path / "run"
    with target(BLOCKED, "pairs[2][0].send(b'xyz')") as its, attached(its, "-o", path) as run:
        its.step()
        while not asleep_again(its.pid):
            pass
        report = ended(run)
    assert [op["bytes"] for op in report["operations"] if op["bytes"] == 3] == [3]
    records = np.concatenate(list(parquet.read(str(path))))
    starts = {int(row["tid"]): int(row["start"]) for row in records[records["kind"] == Kind.START]}
    receive = syscalls.numbers()["recvfrom"]
    still = records[(records["kind"] == Kind.OPEN) & (records["nr"] == receive)]
    came = records[(records["kind"] == Kind.CALL) & (records["nr"] == receive)]
    assert len(starts) == 6 and len(still) == 5 and len(came) == 1
    assert came["start"][0] == starts[int(came["tid"][0])]
    assert sum(row["start"] == starts[int(row["tid"])] for row in still) == 4
    assert len(set(still["fd"])) == 5 and still["fd"].min() > 2
    check_nothing_lost(report)


def asleep_again(pid: int) -> bool:
    return all(
        Process(tid).call() and Process(tid).call()[0] in (0, 45) for tid in Process(pid).threads()
    )


def test_a_thread_that_computes_is_in_no_call(tmp_path):
    path = tmp_path / "run"
    spin = "def spin():\n    while True: pass\nthreading.Thread(target=spin, daemon=True).start()"
    with target(spin) as its, attached(its, "-o", path) as run:
        its.step()
        report = ended(run)
    records = np.concatenate(list(parquet.read(str(path))))
    still = records[records["kind"] == Kind.OPEN]
    # the spinning thread shares an interpreter: it may wait for its lock, never be in a read
    assert all(syscalls.name_of(int(row["nr"])) in ("read", "futex") for row in still)
    user = max(thread["user_ns"] for thread in report["threads"])
    assert user > 0


def test_a_thousand_threads():
    setup = """
threading.stack_size(65536)
gate = threading.Barrier(1001)
def work():
    while True: gate.wait(); os.getppid(); gate.wait()
[threading.Thread(target=work, daemon=True).start() for _ in range(1000)]
"""
    with target(setup, "gate.wait(); gate.wait()") as its, attached(its) as run:
        its.step()
        report = ended(run)
    assert calls(report)["getppid"] == 1000
    assert report["target"]["attached"][0]["threads"] == 1001 == len(report["threads"])
    check_nothing_lost(report)


def test_ten_thousand_descriptors(tmp_path):
    setup = """
import resource
resource.setrlimit(resource.RLIMIT_NOFILE, (11000, 11000))
pairs = [socket.socketpair() for _ in range(5000)]
"""
    step = "[(a.send(b'x'), b.recv(9)) for a, b in pairs]"
    path = tmp_path / "run"
    with target(setup, step) as its, attached(its, "-o", path) as run:
        its.step()
        report = ended(run)
    ours = [op for op in report["operations"] if op["bytes"] == 1 and op["fd"] > 2]
    assert len(ours) == 5000 and not any(
        "ready" in op["estimated"] and "raw" not in op for op in ours
    )
    records = np.concatenate(list(parquet.read(str(path))))
    learnt = records[records["kind"] == Kind.DESCRIPTOR]
    assert len(set(learnt["fd"].tolist())) >= 10000
    assert len(parquet.read_facts(str(path))["files"]) >= 10000
    check_nothing_lost(report)


def test_epoll_registrations_that_were_there():
    setup = """
a, b = socket.socketpair(); b.setblocking(False)
ep = select.epoll(); ep.register(b, select.EPOLLIN | select.EPOLLET)
"""
    step = "[a.send(b'x' * 7) and ep.poll() and b.recv(9) for _ in range(23)]"
    with target(setup, step) as its, attached(its, "-e", "trace=recvfrom,epoll_wait") as run:
        its.step()
        report = ended(run)
    assert report["model"]["name"] == "epoll-et", report["model"]
    assert len(report["operations"]) == 23


LISTENING = """
tcp, unix = socket.create_server(("127.0.0.1", 0)), socket.socket(socket.AF_UNIX)
unix.bind("")
unix.listen()
poller = select.poll()
poller.register(tcp, select.POLLIN)
poller.register(unix, select.POLLIN)
"""


def test_sockets_that_listened_before_are_waited_on_for_connections():
    """No call told: the kernel says so. One that was taken for a connection would make it a wait for data."""
    with target(LISTENING, "poller.poll(5)") as its, attached(its) as run:
        its.step()
        report = ended(run)
    assert report["processes"][0]["waits"]["connections_ns"] > 0


def test_children_that_are_there_and_those_to_come():
    setup = """
r, w = os.pipe()
if not os.fork():
    while os.read(r, 1): [os.getppid() for _ in range(23)]
    os._exit(0)
"""
    step = "os.write(w, b'x'); os.fork() or ([os.getuid() for _ in range(7)], os._exit(0)); os.waitpid(-1, 0)"
    for option, wanted in (("--children", 23), (None, 0)):
        with target(setup, step) as its, attached(its, *[option] * bool(option)) as run:
            its.step()
            while wanted and not idle(its.pid):
                pass
            report = ended(run)
        assert calls(report).get("getppid", 0) == wanted
        assert calls(report)["getuid"] == 7


def idle(parent: int) -> bool:
    """Whether all children of `parent` are asleep in read."""
    from tracer.kernel.proc import children

    return all((Process(pid).call() or (None,))[0] == 0 for pid in children({parent}))


def test_several_processes_as_pidof_prints_them():
    with (
        target("a, b = socket.socketpair()", STEP) as one,
        target("a, b = socket.socketpair()", STEP) as other,
        running("attach", "-p", one.pid, str(other.pid), "--no-cost", "--json") as run,
    ):
        await_attached(run, one.pid)
        await_attached(run, other.pid)
        one.step()
        other.step()
        report = ended(run)
    assert calls(report)["recvfrom"] == 46
    assert {thread["tgid"] for thread in report["threads"]} == {one.pid, other.pid}


def test_a_process_that_ends_ends_it():
    with target("a, b = socket.socketpair()", STEP) as its, attached(its) as run:
        its.step()
        assert its.end() == 0
        done = run.end()
    report = json.loads(done.stdout)
    assert done.returncode == 0 and report["ended"] == "completed"
    assert calls(report)["recvfrom"] == 23
    check_nothing_lost(report)


def test_duration():
    with target("pass") as its:
        report = report_of("attach", "-p", its.pid, "--no-cost", "-d", 0.5)
        assert report["ended"] == "duration" and its.process.poll() is None


def test_it_never_stops_or_interrupts_the_target():
    """A thread asleep in a call that any signal or ptrace would end with EINTR sleeps on, and is not stopped."""
    setup = """
import ctypes, errno
libc = ctypes.CDLL(None, use_errno=True)
def work():
    libc.epoll_wait(ep, ctypes.create_string_buffer(12), 1, -1)
    print('woken', ctypes.get_errno(), flush=True)
ep = libc.epoll_create1(0)
t = threading.Thread(target=work, daemon=True); t.start()
while not open(f'/proc/self/task/{t.native_id}/syscall').read().startswith('232 '): pass
"""
    with target(setup) as its:
        while not all(Process(tid).call() for tid in Process(its.pid).threads()):
            pass
        before = switches(its.pid)
        for _ in range(3):
            with attached(its) as run:
                ended(run)
        assert switches(its.pid) == before  # not one thread was woken for it
        its.step()
        assert its.end() == 0


def switches(pid: int) -> dict[int, list[str]]:
    return {
        tid: [line for line in open(f"/proc/{tid}/status") if "ctxt_switches" in line]
        for tid in Process(pid).threads()
    }


def test_pids_are_as_the_user_sees_them():
    """iotrace and its target in a PID namespace where they have other numbers than in the kernel's own."""
    inside = ["unshare", "--pid", "--fork", "--mount-proc"]
    if subprocess.run([*inside, "true"], capture_output=True).returncode:
        pytest.skip("no PID namespaces here")
    program = (
        f"import sys; sys.path[:0] = [{os.path.dirname(__file__)!r}, {str(ROOT / 'tests')!r}]; import test_attach; "
        "test_attach.attach_in_this_namespace()"
    )
    done = subprocess.run(
        [*inside, *PYTHON, "-c", program], capture_output=True, text=True, cwd=ROOT
    )
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert calls(report)["recvfrom"] == 23 and len(report["operations"]) >= 23
    its = report["target"]["attached"][0]
    assert its["pid"] < 100 and its["tgid"] != its["pid"]
    assert {thread["tgid"] for thread in report["threads"]} == {its["tgid"]}
    check_nothing_lost(report)


def attach_in_this_namespace() -> None:
    """What the test above runs elsewhere."""
    with target("a, b = socket.socketpair()", STEP) as its, attached(its) as run:
        its.step()
        print(json.dumps(ended(run)))


@pytest.mark.parametrize(
    ("pid", "words"),
    [
        ("4194303", ["no process 4194303"]),
        ("2", ["kernel thread"]),
        ("4194303 4194302", ["no process 4194303, and 1 more"]),
    ],
)
def test_what_cannot_be_attached_to(pid, words, tmp_path):
    if pid == "2" and not Process(2).is_kernel_thread():
        pytest.skip("process 2 is no kernel thread here")
    assert_one_line(iotrace("attach", "-p", pid, "-o", tmp_path / "run"), 1, *words)
    assert os.listdir(tmp_path) == []


def test_a_zombie_cannot_be_attached_to():
    child = subprocess.Popen(["true"])
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert_one_line(iotrace("attach", "-p", child.pid), 1, "has ended")
    child.wait()


@pytest.mark.parametrize(
    "arguments", [[], ["-p", "abc"], ["-p", "0"], ["-p", "-1"], ["-p", ""], ["-p", "1", "-d", "-1"]]
)
def test_wrong_usage(arguments):
    assert_one_line(iotrace("attach", *arguments), 2)


BUSY = """
import itertools, tempfile, time
files = [tempfile.TemporaryFile() for _ in range(8)]
pairs = [socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM) for _ in range(4)]
def work():
    while True:
        for file in files: os.write(file.fileno(), b'x' * 10)
        for a, b in pairs: a.send(b'y' * 7); b.recv(9)
        time.sleep(0.0002)
threading.Thread(target=work, daemon=True).start()
print(*(its.fileno() for its in files), flush=True)
print(*(its.fileno() for pair in pairs for its in pair), flush=True)
"""


@pytest.mark.parametrize("options", [("--json",), ()])
def test_each_file_has_one_row_however_busy_it_was_when_we_came(options):
    with target(f"print('ready', flush=True)\n{BUSY}") as its:
        fds = [int(fd) for _ in range(2) for fd in its.process.stdout.readline().split()]
        assert its.process.stdout.readline() == "ready\n"
        inodes = {fd: os.stat(f"/proc/{its.pid}/fd/{fd}").st_ino for fd in fds}
        for _ in range(5):
            done = iotrace("attach", "-p", its.pid, "--no-cost", "-d", "0.2", *options)
            assert done.returncode == 0, done.stderr
            if not options:
                assert "8 files, most of all" in done.stdout
                continue
            found = json.loads(done.stdout)
            rows = [d for d in found["descriptors"] if d["fd"] in inodes]
            assert {d["fd"]: d["inode"] for d in rows} == inodes and len(rows) == len(inodes)
            received = [d for d in rows if d["receives"]]
            assert len(received) == 4 and sum(d["receives"] for d in received) == len(
                found["operations"]
            )
