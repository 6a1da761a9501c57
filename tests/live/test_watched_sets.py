"""What select, poll and epoll_wait were given is recorded as the program gave it, once as long as it stays the same."""

from __future__ import annotations

import json
from itertools import groupby

from reference.watched_sets import watched
from support.running import PYTHON_TRACED, iotrace

from tracer.kernel import syscalls
from tracer.recording import parquet
from tracer.recording.batch import joined
from tracer.recording.fields import Neighbours, SwitchesOut, WatchedSets
from tracer.recording.records import Kind, bytes_of

# prints [call, time-out in ns, [[descriptor, events], …]] before each call; Python's poll and select make poll and
# pselect6 of them
PROGRAM = """
import json, select, socket
sockets = [one for _ in range(40) for one in socket.socketpair()]
fds = [one.fileno() for one in sockets]
said = []

def poll(entries, ms, times=1):
    poller = select.poll()
    for fd, events in entries:
        poller.register(fd, events)
    said.extend([["poll", ms * 10**6 if ms >= 0 else -1, entries]] * times)
    for _ in range(times):
        poller.poll(ms)

def choose(reads, writes, excepts, ns):
    said.append(["pselect6", ns, [[fd, (fd in reads) | (fd in excepts) * 2 | (fd in writes) * 4]
                                  for fd in fds if fd in reads + writes + excepts]])
    select.select(reads, writes, excepts, ns / 1e9)

for count in 0, 1, 2, 3, 4, 5, 7, 63, 64:
    poll([[fd, 1] for fd in fds[:count]], 0, times=5)
poll([[fds[0], 1]], 1, times=3)
poll([[fds[0], 5]], -1, times=3)
poll([[fds[0], 1]], 0)
choose(fds[:1], [], [], 0)
choose(fds[:1], [], [], 0)
choose(fds[:2], [], [], 0)
choose(fds[:70], fds[1:3], fds[60:], 2_000_000)
epoll = select.epoll()
epoll.register(fds[0], 1)
for timeout in 0, 0, 0.003, 0.003, 0:
    said.append(["epoll_wait", int(timeout * 1e9), []])
    epoll.poll(timeout)
print(json.dumps(said))
"""


# A child has the same one CPU, and takes it again and again.
NEIGHBOUR = """
import os, time
os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
open("/proc/self/comm", "w").write("first")
reads, writes = os.pipe()
child = os.fork()
if not child:
    open("/proc/self/comm", "w").write("second")
    for _ in range(23):
        os.write(writes, b"x")
        os.sched_yield()
    os._exit(0)
for _ in range(23):
    os.read(reads, 1)
os.waitpid(child, 0)
print(os.getpid(), child)
"""


def recorded(tmp_path, program):
    """(the program's last line, its records)."""
    path = tmp_path / "run.parquet"
    command = (PYTHON_TRACED, "-c", program)
    done = iotrace("trace", "--no-cost", "-o", path, "--json", "--", *command)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()[0], joined(list(parquet.columns(str(path))))


def test_each_set_is_recorded_as_it_was_given_and_once_while_it_stays_the_same(tmp_path):
    printed, batch = recorded(tmp_path, PROGRAM)
    given = json.loads(printed)
    calls = [
        (int(batch.nr[(batch.time == time) & (batch.kind == Kind.CALL)][0]), one)
        for (_, time), one in watched(batch.records()).items()
    ]
    assert [
        [syscalls.name_of(number), one.timeout, sorted(one.entries)] for number, one in calls
    ] == [
        [name, timeout, sorted(map(tuple, _apart(name, entries)))]
        for name, timeout, entries in given
    ]
    assert all(one.is_whole for _, one in calls)
    changes = len(list(groupby(map(json.dumps, given))))
    assert len(WatchedSets.of(batch)) == changes < len(given)


def _apart(name, entries):
    """Of select's entries each event by itself."""
    if name == "poll":
        return entries
    return [[fd, bit] for fd, events in entries for bit in (1, 2, 4) if events & bit]


def test_a_switch_says_who_gets_the_cpu_and_by_what_name(tmp_path):
    printed, batch = recorded(tmp_path, NEIGHBOUR)
    parent, child = map(int, printed.split())
    outs = SwitchesOut.of(batch)
    assert (outs.next >= 0).all()
    assert child in outs.where(outs.tid == parent).next
    assert parent in outs.where(outs.tid == child).next
    told = Neighbours.of(batch)
    names = {
        (other, bytes_of(low, high).decode())
        for other, low, high in zip(
            told.other.tolist(), told.low.tolist(), told.high.tolist(), strict=True
        )
    }
    assert {(parent, "first"), (child, "second")} <= names
    assert len(told) < len(outs)
