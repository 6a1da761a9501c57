"""One `iotrace attach`, in a process of its own, that notes when its probes were detached: python attaching_once.py
STATS ARGUMENT... (STATS gets the times of CLOCK_MONOTONIC as JSON, stdout the report)."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path


def main(argv: list[str]) -> None:
    """argv: STATS, arguments of `iotrace attach`…"""
    began_ns = time.monotonic_ns()
    from tracer.bpf.loader import Attachment
    from tracer.cli.main import main as iotrace

    stats, *arguments = argv
    detach = Attachment.detach

    def noted(attachment: Attachment) -> None:
        detach(attachment)
        if not Path(stats).exists():
            times = {"began_ns": began_ns, "detached_ns": time.monotonic_ns()}
            Path(stats).write_text(json.dumps(times))

    Attachment.detach = noted  # type: ignore[method-assign]  # the product has no hook for this, and needs none
    iotrace(["attach", *arguments], prog_name="iotrace")


if __name__ == "__main__":
    main(sys.argv[1:])
