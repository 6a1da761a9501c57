"""What must hold of a program that calls as fast as it can: nothing lost, every call counted, and bounded memory."""

from __future__ import annotations

import json
import shutil
import subprocess

import numpy as np
import pytest
from support.running import PYTHON, ROOT, iotrace

from tracer.kernel import syscalls
from tracer.recording.batch import RecordBatch
from tracer.recording.parquet import Writer
from tracer.recording.records import RECORD, Kind

CALLS = 1_000_000
MIB = 1 << 20
POLLER = """
#include <stdio.h>
#include <sys/socket.h>
int main(void)
{
	char byte;
	long empty = 0;
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	for (long i = 0; i < %d; i++)
		empty += recvfrom(fd, &byte, 1, 0, 0, 0) < 0;
	printf("%%ld\\n", empty);
	return 0;
}
"""


@pytest.mark.live
def test_every_call_of_a_tight_loop_is_recorded(tmp_path):
    """The ring holds the whole run, so that no pause of the tracer's can lose anything."""
    compiler = shutil.which("cc")
    if not compiler:
        pytest.skip("no C compiler (cc)")
    (tmp_path / "poll.c").write_text(POLLER % CALLS)
    subprocess.run([compiler, "-O2", "-o", tmp_path / "poll", tmp_path / "poll.c"], check=True)
    done = iotrace("trace", "--ring-size", 1 << 26, "-o", tmp_path / "run", "--", tmp_path / "poll")
    assert (done.returncode, done.stdout) == (0, f"{CALLS}\n"), done.stderr
    report = json.loads(iotrace("report", tmp_path / "run", "--json").stdout)
    (polls,) = [call for call in report["syscalls"] if call["name"] == "recvfrom"]
    assert (polls["calls"], polls["errors"]) == (CALLS, {"EAGAIN": CALLS})
    ledger = report["ledger"]
    assert (
        ledger["lost"] == 0
        and ledger["balanced"]
        and ledger["counted"] == ledger["delivered"] > CALLS
    )


def facts(last: int) -> dict:
    return {
        "version": "",
        "scenario": None,
        "ended": "completed",
        "options": {"seconds": None, "follow": True, "ring_bytes": 0, "trace": []},
        "base_ns": 1,
        "end_ns": last,
        "features": {},
        "target": {"command": ["made"], "pid": 1, "exit_status": 0},
        "host": {"kernel": "none", "arch": "x86_64", "cpus": 1, "bcc": None, "python": ""},
        "ledger": {
            "counted": 0,
            "delivered": 0,
            "lost": 0,
            "open": 0,
            "missed": 0,
            "untracked": 0,
            "unlearnt": 0,
            "balanced": True,
        },
    }


def write(path: str, count: int, every: int) -> None:
    """A thread's `count` calls of recvfrom on a socket, of which one in `every` brings data."""
    writer = Writer(path)
    head = np.zeros(2, RECORD)
    head["time"], head["tid"], head["kind"], head["result"] = (
        (1, 2),
        100,
        (Kind.START, Kind.DESCRIPTOR),
        (100, 2),
    )
    head["start"], head["fd"], head["arg"] = (0, 9000), (-1, 4), (0, 0o140777)
    writer.write(RecordBatch.of(head))
    for first in range(0, count, 1 << 18):
        number = np.arange(first, min(count, first + (1 << 18)))
        rows = np.zeros(len(number), RECORD)
        rows["time"], rows["start"], rows["tid"], rows["fd"] = (
            1000 + 700 * number,
            700 + 700 * number,
            100,
            4,
        )
        rows["kind"], rows["nr"] = Kind.CALL, syscalls.numbers()["recvfrom"]
        rows["result"] = np.where(number % every == every - 1, 64, -11)
        writer.write(RecordBatch.of(rows))
    writer.close(facts(1000 + 700 * count))


MEASURE = """
import resource, sys
from functools import partial
from tracer.recording import parquet
from tracer.report import build
made = build.build(partial(parquet.columns, sys.argv[1]), parquet.read_facts(sys.argv[1]))
print(len(made["operations"]), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)
"""


def peak(path: str) -> tuple[int, int]:
    """(operations, the most memory in bytes) of a report."""
    done = subprocess.run(
        [*PYTHON, "-c", MEASURE, path], capture_output=True, text=True, cwd=ROOT, check=True
    )
    return tuple(map(int, done.stdout.split()))


@pytest.mark.parametrize(
    ("every", "of_operation"), [(1000, 0), (2, 500)], ids=["polls", "operations"]
)
def test_memory_grows_with_operations_alone_and_by_little(every, of_operation, tmp_path):
    peaks = []
    for count in (500_000, 2_000_000):
        path = str(tmp_path / "run.parquet")
        write(path, count, every)
        peaks.append(peak(path))
    (few, low), (many, high) = peaks
    assert (few, many) == (500_000 // every, 2_000_000 // every)
    assert high - low < 48 * MIB + of_operation * (many - few)
