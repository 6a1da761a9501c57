"""IDs that are used again, and those that another thread takes over, on the running kernel: each life has its own time,
name, operations and descriptors."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections import Counter

import pytest
from support.running import iotrace, traced

TWICE = """
import ctypes, os, socket, time
def first():
    a, b = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    for _ in range(10): time.sleep(.01); b.send(b'x' * 10); a.recv(64)
    os._exit(0)
def second():
    ctypes.CDLL(None).prctl(15, b'second', 0, 0, 0)
    r, w = os.pipe()
    for _ in range(10): time.sleep(.01); os.write(w, b'y' * 5); os.read(r, 64)
    os._exit(0)
p = os.fork()
if not p: first()
os.waitpid(p, 0)
time.sleep(.5)
for _ in range(500):
    open('/proc/sys/kernel/ns_last_pid', 'w').write(str(p - 1))
    q = os.fork()
    if not q: second() if os.getpid() == p else os._exit(0)
    os.waitpid(q, 0)
    if q == p: break
else: raise SystemExit('another process was quicker, each time')
"""


def test_two_processes_that_have_one_id_are_two():
    if not os.path.exists("/proc/sys/kernel/ns_last_pid"):
        pytest.skip("no /proc/sys/kernel/ns_last_pid: the kernel has no CONFIG_CHECKPOINT_RESTORE")
    report = traced(TWICE)
    (tgid,) = [
        tgid
        for tgid, count in Counter(its["tgid"] for its in report["processes"]).items()
        if count > 1
    ]
    first, second = sorted(
        (its for its in report["processes"] if its["tgid"] == tgid), key=lambda its: its["start_ns"]
    )
    assert (
        (first["operations"], second["operations"], second["name"])
        == (10, 10, "second")
        != (10, 10, first["name"])
    )
    assert first["end_ns"] + 400_000_000 < second["start_ns"]
    for its in (first, second):
        assert its["threads"] == 1 and its["activity"]["cpu_ns"] < its["end_ns"] - its["start_ns"]
    rows = [d for d in report["descriptors"] if d["tgid"] == tgid and d["receives"]]
    assert sorted((d["received_bytes"], d["file"].partition(":")[0]) for d in rows) == [
        (50, "pipe"),
        (100, "UNIX-DGRAM"),
    ]
    threads = [its for its in report["threads"] if its["tid"] == tgid]
    assert [(its["start_ns"], its["end_ns"]) for its in threads] == [
        (its["start_ns"], its["end_ns"]) for its in (first, second)
    ]
    assert (
        sorted(op["bytes"] for op in report["operations"] if op["tid"] == tgid)
        == [5] * 10 + [10] * 10
    )


INHERITED = """
import fcntl, os
r, w = os.pipe()
fd = fcntl.fcntl(r, fcntl.F_DUPFD, 50)  # of which no call tells
def child():
    for _ in range(10): os.write(w, b'x' * 10); os.read(fd, 64)
    os._exit(0)
p = os.fork()
if not p: child()
os.waitpid(p, 0)
for _ in range(500):
    open('/proc/sys/kernel/ns_last_pid', 'w').write(str(p - 1))
    q = os.fork()
    if not q: child() if os.getpid() == p else os._exit(0)
    os.waitpid(q, 0)
    if q == p: break
else: raise SystemExit('another process was quicker, each time')
"""


def test_what_one_process_told_of_a_descriptor_does_not_stand_for_the_next_one_with_its_id():
    if not os.path.exists("/proc/sys/kernel/ns_last_pid"):
        pytest.skip("no /proc/sys/kernel/ns_last_pid: the kernel has no CONFIG_CHECKPOINT_RESTORE")
    report = traced(INHERITED)
    rows = [d for d in report["descriptors"] if d["fd"] == 50]
    assert [(d["receives"], d["received_bytes"]) for d in rows] == [(10, 100)] * 2
    assert len({d["inode"] for d in rows} - {None}) == 1 and len(report["operations"]) == 20


EXECUTES = """
#include <pthread.h>
#include <string.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
static char **args;
static int leader_has_ended(void)
{
	char stat[512] = "";
	FILE *file = fopen("/proc/self/stat", "r");

	fread(stat, 1, sizeof(stat) - 1, file);
	fclose(file);
	return strrchr(stat, ')')[2] == 'Z';
}
static void *work(void *none)
{
	while (!leader_has_ended())
		;
	usleep(100000); /* for which no thread has the leader's ID */
	execv(args[1], args + 1);
	exit(9);
}
int main(int count, char **values)
{
	pthread_t thread;

	args = values;
	pthread_create(&thread, 0, work, 0);
	pthread_exit(0);
}
"""


def test_a_leader_whose_id_another_thread_has_by_execve_does_not_live_in_between(tmp_path):
    (tmp_path / "executes.c").write_text(EXECUTES)
    if not shutil.which("cc"):
        pytest.skip("no C compiler (cc)")
    subprocess.run(
        ["cc", "-o", tmp_path / "executes", tmp_path / "executes.c", "-lpthread"], check=True
    )
    done = iotrace(
        "trace", "--no-cost", "--json", "--", tmp_path / "executes", shutil.which("sleep"), "0.1"
    )
    report = json.loads(done.stdout)
    (process,) = report["processes"]
    first, other, again = report["threads"]
    assert first["tid"] == again["tid"] == first["tgid"] == process["tgid"] != other["tid"]
    assert process["name"] == again["name"] == "sleep" and first["name"] == "executes"
    assert first["end_ns"] + 90_000_000 < other["end_ns"] == again["start_ns"]
    for its in report["threads"]:
        assert (
            sum(its[f"{state}_ns"] for state in ("blocked", "runnable", "kernel", "user"))
            == its["end_ns"] - its["start_ns"]
        )
    assert min(other["blocked_ns"], again["blocked_ns"]) > 90_000_000  # asleep so long
