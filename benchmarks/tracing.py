"""Traces any command with a Collector, drained into a recording on disk, in a process of its own.

    python tracing.py RECORDING STATS COMMAND...

STATS gets one JSON object: when the probes were attached and detached (ns of CLOCK_MONOTONIC), the ledger, the CPU
time of this process between release and the last drain, and its memory over that time. With IOTRACE_BENCH_PROGRAMS in
the environment also each BPF program's [ns, runs], which the kernel counts as long as this process lives.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from pathlib import Path

COUNTED = "IOTRACE_BENCH_PROGRAMS"


def main(argv: list[str]) -> int:
    """argv: RECORDING, STATS, COMMAND…"""
    began = time.monotonic_ns()
    path, stats, *command = argv
    import tracer.cli.main  # noqa: F401  as the command would
    from tracer.bpf import loader
    from tracer.capture import spawn
    from tracer.capture.collector import Collector
    from tracer.capture.host import host
    from tracer.capture.recorder import DRAIN_MS, Recorder
    from tracer.kernel import features
    from tracer.kernel.libbpf import library
    from tracer.recording.parquet import Writer

    counted = COUNTED in os.environ and library().bpf_enable_stats(0)  # BPF_STATS_RUN_TIME
    found = features.find()
    with spawn.start(command, None) as traced, loader.Attachment(found) as probes:
        attached = time.monotonic_ns()
        collector, writer = Collector(probes), Writer(path)
        drain = Recorder(collector, writer)
        memory: list[tuple[int, int]] = []
        before = _cpu_seconds()
        traced.release(probes.secret)
        released = time.monotonic_ns()
        while not traced.wait(DRAIN_MS):
            drain.drain()
            now = time.monotonic_ns()
            if not memory or now - memory[-1][0] > 200_000_000:
                memory.append((now, _resident()))
        ended = time.monotonic_ns()
        programs = probes.run_times() if counted else {}
        drain.finish(ended)
        detached = time.monotonic_ns()
        ledger = collector.ledger.facts()
        writer.close(
            {
                "version": "",
                "scenario": None,
                "host": host(),
                "ended": "completed",
                "options": {"seconds": None, "follow": True, "ring_bytes": 0, "trace": []},
                "base_ns": drain.base,
                "end_ns": ended,
                "ledger": ledger,
                "features": found.sources,
                "target": {"command": command, "pid": traced.pid, "exit_status": traced.status},
            }
        )
        used = _cpu_seconds() - before
        status = traced.status or 0
    Path(stats).write_text(
        json.dumps(
            {
                "began_ns": began,
                "attached_ns": attached,
                "released_ns": released,
                "ended_ns": ended,
                "detached_ns": detached,
                "ledger": ledger,
                "cpu_s": used,
                "wall_s": (ended - released) / 1e9,
                "memory": [[(when - released) / 1e9, size] for when, size in memory],
                "bytes": os.path.getsize(path),
                "max_rss": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
                "records": drain.count,
                "programs": programs,
            }
        )
    )
    return status


def _cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _resident() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
