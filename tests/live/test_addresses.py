"""An address that another socket has later, on the running kernel: the probes tell of the other no more than once."""

from __future__ import annotations

import json

import numpy as np
from support.running import PYTHON_TRACED, iotrace

from tracer.recording import parquet
from tracer.recording.batch import RecordBatch
from tracer.recording.fields import Readinesses

PROGRAM = """
import json, os, socket, time
os.sched_setaffinity(0, [min(os.sched_getaffinity(0))])  # where the kernel frees, it allocates again
PAIRS, ROUNDS = 101, 20
pairs = lambda: [socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM) for _ in range(PAIRS)]
wait, go = os.pipe()
if not os.fork():  # not followed: another program, whose sockets are not ours
    os.close(go); os.read(wait, 1)
    its = pairs()
    for _ in range(ROUNDS):
        for a, b in its: a.send(b'x'); b.recv(1)
        time.sleep(1e-6)  # off the CPU
    os._exit(0)
mine = pairs()
for a, b in mine: a.send(b'x'); b.recv(1)
inodes = [os.fstat(end.fileno()).st_ino for pair in mine for end in pair]
for pair in mine:
    for end in pair: end.close()
os.write(go, b'x'); os.wait()
print(json.dumps(inodes))
"""
PAIRS, ROUNDS = 101, 20


def test_an_address_that_is_used_again_is_struck_out(tmp_path):
    run = tmp_path / "run.parquet"
    done = iotrace(
        *("trace", "--no-follow", "--no-cost", "-o", str(run)),
        *("--", PYTHON_TRACED, "-c", PROGRAM),
    )
    assert done.returncode == 0, done.stderr
    inodes = json.loads(next(line for line in done.stdout.splitlines() if line.startswith("[")))
    records = RecordBatch.of(np.concatenate(list(parquet.read(str(run)))))
    seen = np.isin(Readinesses.of(records).inode, inodes).sum()
    # each of ours, and at most once each of theirs that has the address of one of ours; not in every round
    assert PAIRS <= seen <= PAIRS + 2 * PAIRS < ROUNDS * PAIRS
