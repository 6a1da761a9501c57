"""Reports one recording, in a process of its own, and says what that took.

    python reporting.py RECORDING

Prints a JSON object: seconds from opening to the report, operations found, and the peak of memory in bytes.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from functools import partial

from tracer.recording import parquet
from tracer.report import build


def main(argv: list[str]) -> int:
    """argv: RECORDING"""
    began, cpu = time.monotonic(), time.process_time()
    made = build.build(partial(parquet.columns, argv[0]), parquet.read_facts(argv[0]))
    print(
        json.dumps(
            {
                "seconds": time.monotonic() - began,
                "cpu_s": time.process_time() - cpu,
                "operations": len(made["operations"]),
                "calls": sum(call["calls"] for call in made["syscalls"]),
                "model": made["model"]["name"],
                "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
            }
        )
    )
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
