"""`iotrace trace -d` on the running kernel: the command and all that it has made end, and nobody else does."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import tempfile

import pytest
from support.running import IOTRACE, ROOT

# Makes a child in the same group, one in a session of its own whose parent has ended, and one that takes no SIGTERM;
# each holds the pipe on which the test sees when all have ended.
FAMILY = """
import os, signal, sys, time
def child(*steps):
    if not os.fork():
        for step in steps: step()
        sys.stdout.write('x'); sys.stdout.flush()
        while True: signal.pause()
def grandchild():
    os.setsid()
    if os.fork(): os._exit(0)
child()
child(grandchild)
child(lambda: signal.signal(signal.SIGTERM, signal.SIG_IGN))
if sys.argv[1] == 'ends': os._exit(7)
while True: signal.pause()
"""


def family(*options: object, how: str = "stays") -> tuple[int, str, int]:
    """iotrace's status and stderr, and the end of a pipe that is at its end when the family is."""
    read, write = os.pipe()
    with tempfile.TemporaryFile("w+") as stderr:  # no pipe: those that live on would hold it
        done = subprocess.run(
            [
                *IOTRACE,
                "trace",
                "--no-cost",
                *map(str, options),
                "--",
                sys.executable,
                "-c",
                FAMILY,
                how,
            ],
            stdout=write,
            stderr=stderr,
            cwd=ROOT,
            timeout=120,
        )
        os.close(write)
        stderr.seek(0)
        return done.returncode, stderr.read(), read


def are_all_gone(read: int) -> bool:
    """Whether the pipe is at its end; what was written before is taken out."""
    while select.select([read], [], [], 0)[0]:
        if not os.read(read, 100):
            return True
    return False


def test_all_that_a_command_has_made_ends_with_it():
    beside = subprocess.Popen(["sleep", "1000"])  # in iotrace's process group
    status, stderr, read = family("-d", 1)
    assert status == 128 + signal.SIGTERM, stderr
    assert are_all_gone(read)
    os.close(read)
    assert beside.poll() is None
    beside.kill()
    beside.wait()


def test_without_a_duration_what_it_leaves_is_its_own_affair():
    status, stderr, read = family(how="ends")
    assert status == 7, stderr
    assert not are_all_gone(read)
    for pid in holders(read):
        os.kill(pid, signal.SIGKILL)
    assert select.select([read], [], [], 60)[0]
    os.close(read)


def holders(read: int) -> list[int]:
    """The processes that hold the other end of a pipe."""
    inode = os.fstat(read).st_ino
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            fds = [os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd")]
        except OSError:
            continue
        if f"pipe:[{inode}]" in fds and int(pid) != os.getpid():
            found.append(int(pid))
    return found


def test_not_followed_is_not_ended():
    status, stderr, read = family("-d", 1, "--no-follow")
    assert status == 128 + signal.SIGTERM, stderr
    assert not are_all_gone(read)
    for pid in holders(read):
        os.kill(pid, signal.SIGKILL)
    os.close(read)


def test_in_a_pid_namespace_too():
    """There the records have other numbers than /proc."""
    inside = ["unshare", "--pid", "--fork", "--mount-proc"]
    if subprocess.run([*inside, "true"], capture_output=True).returncode:
        pytest.skip("no PID namespaces here")
    shell = "sleep 1000 & setsid sleep 1000 & echo begun; wait"
    program = f"""
import os, subprocess, sys
done = subprocess.run([*{IOTRACE!r}, 'trace', '--no-cost', '-d', '1', '--', 'sh', '-c', {shell!r}], capture_output=True)
left = [pid for pid in os.listdir('/proc') if pid.isdigit() and 'sleep' in open(f'/proc/{{pid}}/comm').read()
        and ' Z ' not in open(f'/proc/{{pid}}/stat').read()]
print(done.returncode, len(left), done.stdout)
"""
    done = subprocess.run(
        [*inside, sys.executable, "-c", program],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=120,
    )
    assert done.stdout.split()[:2] == [str(128 + signal.SIGTERM), "0"], done.stdout + done.stderr
