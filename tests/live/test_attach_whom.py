"""Who is attached to, on the running kernel: PIDs that are gone, first threads that have ended, other namespaces, and
what threads are called."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from support.attaching import STEP, Target, attached, await_attached, calls, ended, target
from support.running import IOTRACE, PYTHON, ROOT, check_nothing_lost, iotrace, running

from tracer.recording import parquet
from tracer.recording.batch import RecordBatch
from tracer.recording.fields import Descriptors

NOBODY = 4194303  # no process has this ID


def test_one_that_is_gone_does_not_refuse_the_others():
    zombie = subprocess.Popen(["true"])
    os.waitid(os.P_PID, zombie.pid, os.WEXITED | os.WNOWAIT)
    with target("a, b = socket.socketpair()", STEP) as its:
        pids = [NOBODY, its.pid, zombie.pid]
        with running("attach", "--no-cost", "--json", "-p", *pids) as run:
            await_attached(run, its.pid)
            its.step()
            run.process.send_signal(2)
            done = run.end()
    zombie.wait()
    assert done.returncode == 0
    (line,) = done.stderr.splitlines()
    assert f"no process {NOBODY}; process {zombie.pid} has ended" in line
    report = json.loads(done.stdout)
    assert calls(report)["recvfrom"] == 23
    assert [process["pid"] for process in report["target"]["attached"]] == [its.pid]
    assert [process["pid"] for process in report["target"]["refused"]] == [NOBODY, zombie.pid]
    check_nothing_lost(report)


LEADER = """
#include <pthread.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>
static void *work(void *none)
{
	char bytes[64];
	int pair[2];

	socketpair(AF_UNIX, SOCK_DGRAM, 0, pair);
	while (read(0, bytes, 1) == 1)
		for (int i = 0; i < 23; i++)
			send(pair[1], "0123456789", 10, 0), recv(pair[0], bytes, 64, 0);
	_exit(0);
}
int main(void)
{
	pthread_t thread;

	pthread_create(&thread, 0, work, 0);
	puts("begun");
	fflush(stdout);
	pthread_exit(0);
}
"""


def test_a_process_whose_first_thread_has_ended_lives(tmp_path):
    if not shutil.which("cc"):
        pytest.skip("no C compiler (cc)")
    (tmp_path / "leader.c").write_text(LEADER)
    subprocess.run(
        ["cc", "-o", tmp_path / "leader", tmp_path / "leader.c", "-lpthread"], check=True
    )
    process = subprocess.Popen(
        [tmp_path / "leader"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0
    )
    assert process.stdout.readline() == b"begun\n"
    while " Z " not in Path(f"/proc/{process.pid}/stat").read_text():
        pass
    with running("attach", "--no-cost", "--json", "-p", process.pid) as run:
        await_attached(run, process.pid)
        process.stdin.write(b"x")
        process.stdin.close()
        done = run.end()
    assert process.wait(60) == 0
    report = json.loads(done.stdout)
    assert done.returncode == 0 and report["ended"] == "completed"
    assert [op["bytes"] for op in report["operations"] if op["bytes"] == 10] == [10] * 23
    (whom,) = report["target"]["attached"]
    assert (whom["pid"], whom["threads"]) == (process.pid, 1) and whom["descriptors"] >= 5
    assert whom["command"] == [str(tmp_path / "leader")]


def test_what_a_thread_calls_itself_is_its_name():
    """By prctl and by /proc, while it is traced; it lives on."""
    setup = "import ctypes"
    step = (
        "ctypes.CDLL(None).prctl(15, b'by itself', 0, 0, 0); "
        "t = threading.Thread(target=lambda: (open(f'/proc/self/task/{threading.get_native_id()}/comm', 'w')"
        ".write('by proc'), again.wait()), daemon=True); again = threading.Event(); t.start(); "
        "[None for _ in iter(lambda: 'by proc' in open(f'/proc/self/task/{t.native_id}/comm').read(), True)]"
    )
    with target(setup, step) as its, attached(its) as run:
        its.step()
        report = ended(run)
    assert {thread["name"] for thread in report["threads"]} == {"by itself", "by proc"}
    assert report["processes"][0]["name"] == "by itself"


def test_a_waker_that_has_ended_keeps_its_name():
    """Each wakes the target once, and has ended before anybody can look for it."""
    setup = "print('ready', flush=True)\nr, w = os.pipe()\nprint(w, flush=True)"
    program = (
        "import ctypes, os, sys; ctypes.CDLL(None).prctl(15, sys.argv[2].encode(), 0, 0, 0); "
        "os.write(os.open(sys.argv[1], os.O_WRONLY), b'x'); os._exit(0)"
    )
    with target(setup, "os.read(r, 1)") as its:
        pipe = f"/proc/{its.pid}/fd/{its.process.stdout.readline().strip()}"
        assert its.process.stdout.readline() == "ready\n"
        with attached(its) as run:
            for name in ("one", "another"):
                its.process.stdin.write("\n")
                while (
                    not Path(f"/proc/{its.pid}/syscall")
                    .read_text()
                    .startswith(f"0 {its_read(its)} ")
                ):
                    pass
                subprocess.run([sys.executable, "-c", program, pipe, name], check=True)
                assert its.process.stdout.readline() == "done\n"
            report = ended(run)
    (process,) = report["processes"]
    assert {"one", "another"} <= {waker["name"] for waker in process["wakers"]}


def its_read(its: Target) -> str:
    """The descriptor, in hex, of the pipe that the target reads: what it has beside its three streams."""
    return hex(min(int(fd) for fd in os.listdir(f"/proc/{its.pid}/fd") if int(fd) > 2))


def test_a_thread_with_a_descriptor_table_of_its_own_is_learnt(tmp_path):
    """Its descriptors are no other thread's; those that it shares with the others are learnt once."""
    setup = """
import ctypes
before = socket.socketpair()
def work():
    assert ctypes.CDLL(None).unshare(0x400) == 0  # CLONE_FILES
    mine = [os.dup(0) for _ in range(50)]
    print(threading.get_native_id(), mine[-1], flush=True)
    told.set()
    gate.wait()
gate, told = threading.Event(), threading.Event()
[threading.Thread(target=gate.wait, daemon=True).start() for _ in range(20)]
threading.Thread(target=work, daemon=True).start()
told.wait()
"""
    with target(f"print('ready', flush=True)\n{setup}") as its:
        own, last = map(int, its.process.stdout.readline().split())
        assert its.process.stdout.readline() == "ready\n"
        with attached(its, "-o", tmp_path / "run") as run:
            ended(run)
    records = np.concatenate(list(parquet.read(str(tmp_path / "run"))))
    learnt = Descriptors.of(RecordBatch.of(records))
    assert last in learnt.fd[learnt.tid == own]
    shared = learnt.tid[learnt.fd == 0]
    assert sorted(shared.tolist()) == sorted({its.pid, own})


@pytest.mark.parametrize("mount", [True, False])
def test_in_a_pid_namespace_it_is_the_process_that_is_meant(mount, tmp_path):
    """mount: with the namespace's own /proc, or with ours, where the same number is another process."""
    inside = ["unshare", "--pid", "--fork", *["--mount-proc"] * mount]
    if subprocess.run([*inside, "true"], capture_output=True).returncode:
        pytest.skip("no PID namespaces here")
    program = (
        f"import sys; sys.path[:0] = [{os.path.dirname(__file__)!r}, {str(ROOT / 'tests')!r}]; "
        f"import test_attach_whom; test_attach_whom.attach_in_this_namespace({str(tmp_path)!r})"
    )
    done = subprocess.run(
        [*inside, *PYTHON, "-c", program], capture_output=True, text=True, cwd=ROOT
    )
    assert done.returncode == 0, done.stderr
    if not mount:
        assert "unshare --mount-proc" in done.stdout and len(done.stdout.splitlines()) == 1
        return
    its = json.loads(done.stdout)
    names = {file["name"] for file in parquet.read_facts(str(tmp_path / "run"))["files"]}
    assert its["files"] <= len(names) and f"{tmp_path}/named" in names
    assert not any("another" in name for name in names)


def attach_in_this_namespace(room: str) -> None:
    """What the test above runs elsewhere: a target opens a file while it is traced."""
    step = f"kept = open({room + '/named'!r}, 'w')"
    its = Target("", step)
    try:
        if os.getpid() != int(os.readlink("/proc/self")):  # /proc is another namespace's
            done = iotrace("attach", "--no-cost", "-p", its.pid)
            assert done.returncode == 1, done.stderr
            print(done.stderr, end="")
            return
        with attached(its, "-o", room + "/run") as run:
            its.step()
            ended(run)
        print(json.dumps({"files": 1}))
    finally:
        its.process.kill()


def test_the_tracers_own_priority_is_its_own():
    """What it starts has the priority that iotrace was given, and so has iotrace again for the report."""
    program = "import os; print(os.getpriority(os.PRIO_PROCESS, 0), os.sched_getscheduler(0))"
    done = subprocess.run(
        [
            "nice",
            "-n",
            "3",
            *IOTRACE,
            "trace",
            "--no-cost",
            "--",
            sys.executable,
            "-c",
            program,
        ],
        capture_output=True,
        text=True,
        cwd=ROOT,
    )
    niceness = os.getpriority(os.PRIO_PROCESS, 0) + 3
    assert done.stdout.split() == [str(niceness), str(os.SCHED_OTHER)]
