"""tracer/kernel/pid_namespaces.py: the numbers of /proc and those of our own PID namespace, here and in new ones."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tracer.errors import IotraceError
from tracer.kernel import pid_namespaces

NOBODY = 4194303  # no process has this ID


def test_here_proc_has_our_own_numbers():
    assert pid_namespaces.is_in_own_proc()
    assert pid_namespaces.number_in_proc(os.getpid()) == os.getpid()
    assert (
        pid_namespaces.number_in_proc(NOBODY) == NOBODY
    )  # it is /proc that says that there is none
    pid_namespaces.refuse_half_unshared()


def inside(program: str) -> str:
    """What a program says in a PID namespace that has no /proc of its own; skips the test where there are none."""
    command = ["unshare", "--pid", "--fork"]
    if subprocess.run([*command, "true"], capture_output=True).returncode:
        pytest.skip("no PID namespaces here")
    lines = f"import os, subprocess, sys\nfrom tracer.kernel.pid_namespaces import *\n{program}"
    done = subprocess.run(
        [*command, sys.executable, "-c", lines], capture_output=True, text=True, check=True
    )
    return done.stdout


def test_another_namespaces_proc_has_other_numbers():
    if not os.path.exists("/proc/sys/kernel/ns_last_pid"):
        pytest.skip("no /proc/sys/kernel/ns_last_pid")
    program = """
most = int(open("/proc/sys/kernel/pid_max").read())
free = next(pid for pid in range(most - 9, 300, -1) if not os.path.exists(f"/proc/{pid}"))
open("/proc/sys/kernel/ns_last_pid", "w").write(str(free - 1))
child = subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
child.stdin.write(b"x"); child.stdin.flush(); child.stdout.read(1)  # it is cat by now, by name too
number = number_in_proc(child.pid)
while "python" in (name := open(f"/proc/{number}/comm").read()):  # it has not got its own yet
    pass
print(is_in_own_proc(), number != child.pid, name)
child.communicate(b"")
"""
    assert inside(program).split() == ["False", "True", "cat"]


@pytest.mark.parametrize("pid", [1, os.getpid()], ids=["first", "own"])
def test_a_number_that_means_two_processes_is_refused(pid):
    """1 is the program in that namespace, and another one in /proc; ours is in /proc alone."""
    program = f"""
try: print(number_in_proc({pid}))
except Ambiguous as error: print(error)
"""
    said = inside(program)
    assert (
        f"process {pid} " in said and "unshare --mount-proc" in said and len(said.splitlines()) == 1
    )


def test_nobody_is_nobody_there_too():
    program = f"""
try: print(number_in_proc({NOBODY}))
except ProcessLookupError: print("nobody")
"""
    assert inside(program) == "nobody\n"


def test_children_in_another_namespace_are_refused():
    program = "from tracer.kernel.pid_namespaces import *\nrefuse_half_unshared()"
    done = subprocess.run(
        ["unshare", "--pid", sys.executable, "-c", program], capture_output=True, text=True
    )
    if "unshare failed" in done.stderr:
        pytest.skip("no PID namespaces here")
    assert "unshare --pid --fork" in done.stderr and IotraceError.__name__ in done.stderr
