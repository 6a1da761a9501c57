"""This machine, as a recording keeps it (uname(2); its CPUs: tracer/kernel/cpus.py)."""

from __future__ import annotations

import os
import platform
from typing import Any

from tracer.bpf import build
from tracer.kernel import cpus


def host() -> dict[str, Any]:
    """Kernel, architecture, number of CPUs and how they sleep, versions of BCC and Python."""
    return {
        "kernel": platform.release(),
        "arch": platform.machine(),
        "cpus": os.cpu_count(),
        "bcc": build.version(),
        "python": platform.python_version(),
        **cpus.machine(),
    }
