"""One `iotrace attach`, in a process of its own, that notes when its probes were detached.

    python attaching_once.py STATS ARGUMENT...

stdout gets the report, STATS times of CLOCK_MONOTONIC as JSON: when this process began, when the last program that sees
traced threads was detached, and when the last one was: of uprobes the kernel waits until none runs any more.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path


def main(argv: list[str]) -> None:
    """argv: STATS, arguments of `iotrace attach`…"""
    began_ns = time.monotonic_ns()
    from tracer.bpf.loader import Attachment
    from tracer.cli.main import main as iotrace

    stats, *arguments = argv
    detach, close = Attachment.detach, os.close

    def noted(attachment: Attachment) -> None:
        uprobes = {fd for name, fd in attachment._links.items() if name.startswith("uprobe")}
        others = set(attachment._links.values()) - uprobes
        times = {"began_ns": began_ns}

        def close_and_note(fd: int) -> None:
            close(fd)
            if fd in others:
                times["detached_ns"] = time.monotonic_ns()

        os.close = close_and_note
        detach(attachment)
        os.close = close
        if others:
            Path(stats).write_text(json.dumps(times | {"gone_ns": time.monotonic_ns()}))

    Attachment.detach = noted  # type: ignore[method-assign, assignment]  # the product has no hook for this
    iotrace(["attach", *arguments], prog_name="iotrace")


if __name__ == "__main__":
    main(sys.argv[1:])
