"""What a descriptor's number means from its opening to its end, on the running kernel: a program's own account of what
it wrote to each file equals the report's rows."""

from __future__ import annotations

import json
from collections import Counter

from support.running import PYTHON_TRACED, iotrace

PROGRAM = """
import array, ctypes, fcntl, json, os, signal, socket, struct, sys, threading
libc = ctypes.CDLL(None, use_errno=True)
log = []
def note(fd, kind, count, size=7):
    for _ in range(count): os.write(fd, b'\\1\\0\\0\\0\\0\\0\\0\\0' if size == 8 else b'x' * size)
    log.append([os.getpid(), fd, kind, count, count * size])
def at(fd, number):
    "fd as `number`, and no other one"
    if fd != number: os.dup2(fd, number); os.close(fd)
    return number
def told():
    with open(directory + '/accounts', 'a') as file: file.write(json.dumps(log) + '\\n')
    log.clear()
directory, N = sys.argv[1], 20
if len(sys.argv) > 2:  # executed again: N closed itself
    note(at(os.memfd_create('later'), N), '/memfd:later (deleted)', 3); told(); os._exit(0)
a, b = socket.socketpair()
# one number, one file after the other
f = at(os.open(directory + '/first', os.O_CREAT | os.O_WRONLY), N); note(N, directory + '/first', 2); os.close(N)
at(os.memfd_create('scratch'), N); note(N, '/memfd:scratch (deleted)', 5); libc.close_range(N, N, 0)
at(os.eventfd(0), N); note(N, 'anon_inode:[eventfd]', 3, 8)
r, w = os.pipe(); os.dup2(w, N); note(N, 'pipe', 4); os.close(w)
# passed: no call opens it
socket.send_fds(a, [b'p'], [N]); os.close(N)
_, (p,), _, _ = socket.recv_fds(b, 1, 1); note(p, 'pipe', 3); os.close(p)
q = os.open(directory + '/second', os.O_CREAT | os.O_WRONLY); note(q, directory + '/second', 2)
# of another process's table
pidfd = os.pidfd_open(os.getpid()); g = libc.syscall(438, pidfd, q, 0); note(g, directory + '/second', 2)
d = fcntl.fcntl(q, fcntl.F_DUPFD, 30); note(d, directory + '/second', 3)
# deleted, and its inode perhaps used again
os.close(q); os.close(g); os.close(d); os.unlink(directory + '/second')
s = at(os.open(directory + '/third', os.O_CREAT | os.O_WRONLY), N); note(N, directory + '/third', 2)
# a thread with a table of its own
def own():
    assert libc.unshare(0x400) == 0
    at(os.memfd_create('own'), N); note(N, '/memfd:own (deleted)', 6)
thread = threading.Thread(target=own); thread.start(); thread.join()
note(N, directory + '/third', 2)
# a child that closes what it has inherited; its parent has it still
told(); child = os.fork()
if not child:
    note(N, directory + '/third', 3); os.close(N); at(os.memfd_create('child'), N)
    note(N, '/memfd:child (deleted)', 2); told(); os._exit(0)
os.waitpid(child, 0); note(N, directory + '/third', 1)
told()
fcntl.fcntl(N, fcntl.F_SETFD, fcntl.FD_CLOEXEC)
os.execv(sys.executable, [sys.executable, '-c', sys.orig_argv[2], directory, 'again'])
"""


def test_each_file_has_what_was_written_to_it(tmp_path):
    done = iotrace(
        "trace", "--no-cost", "--json", "--", PYTHON_TRACED, "-c", PROGRAM, str(tmp_path)
    )
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    wanted: Counter[tuple[int, int, str, str]] = Counter()
    for line in (tmp_path / "accounts").read_text().splitlines():
        for tgid, fd, kind, count, size in json.loads(line):
            wanted[tgid, fd, kind, "writes"] += count
            wanted[tgid, fd, kind, "bytes"] += size
    found: Counter[tuple[int, int, str, str]] = Counter()
    for row in report["descriptors"]:
        name = "pipe" if (row["file"] or "").startswith("pipe:") else str(row["file"])
        if not name.endswith("/accounts") and not name.startswith("UNIX-STREAM"):
            found[row["tgid"], row["fd"], name, "writes"] += row["sends"]
            found[row["tgid"], row["fd"], name, "bytes"] += row["sent_bytes"]
    assert +found == wanted
    assert None not in {row["inode"] for row in report["descriptors"]}
