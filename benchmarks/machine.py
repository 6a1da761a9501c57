"""The machine that is measured: its description, its CPUs, and the C loads compiled for it."""

from __future__ import annotations

import ctypes
import os
import platform
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from tracer import places

HERE = Path(__file__).resolve().parent
# Another Python like this one; under -E and -s it too hears of no PYTHONPATH and of no packages in somebody's home.
PYTHON = [
    sys.executable,
    "-B",
    *["-E"] * sys.flags.ignore_environment,
    *["-s"] * sys.flags.no_user_site,
]
LOADS: tuple[tuple[str, list[str]], ...] = (
    ("poll", []),
    ("watch", []),
    ("bystander", []),
    ("stamps", []),
    ("paced", []),
    ("crowd", ["-pthread"]),
    ("memlock", ["-shared", "-fPIC"]),
)
CLONE_NEWNS, MS_REC, MS_PRIVATE = 0x20000, 1 << 14, 1 << 18


class CannotMeasure(Exception):
    """Something that no figure can do without is missing; the text is for the user."""


def cpus() -> tuple[int, int]:
    """(the load's CPU, the tracer's CPU): two that we may use, the same one twice where there is only one."""
    mine = sorted(os.sched_getaffinity(0))
    return mine[-1], mine[0]


def describe() -> dict[str, Any]:
    """What a reader of the figures has to know of the machine."""
    model = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        platform.machine(),
    )
    memory = Path("/proc/meminfo").read_text().split()[1]
    bugs = (
        {
            path.name: path.read_text().strip()
            for path in Path("/sys/devices/system/cpu/vulnerabilities").glob("*")
        }
        if os.path.isdir("/sys/devices/system/cpu/vulnerabilities")
        else {}
    )
    return {
        "kernel": platform.release(),
        "arch": platform.machine(),
        "cpu": model,
        "cpus": os.cpu_count(),
        "memory_mib": int(memory) // 1024,
        "python": platform.python_version(),
        "distribution": _distribution(),
        "hypervisor": any(
            line.startswith("flags") and " hypervisor" in line
            for line in Path("/proc/cpuinfo").read_text().splitlines()
        ),
        "mitigations": sorted(name for name, text in bugs.items() if text.startswith("Mitigation")),
        "load_average": os.getloadavg(),
        "time": time.strftime("%Y-%m-%d %H:%M:%S %z"),
    }


def build(room: Path) -> None:
    """Compiles the loads into `room`, and there, with no environment but PATH; raises CannotMeasure."""
    compiler = next(
        (
            found
            for name in ("cc", "gcc", "clang")
            if (found := shutil.which(name, path=places.path()))
        ),
        None,
    )
    if compiler is None:
        raise CannotMeasure("no C compiler for the loads: apt-get install gcc libc6-dev")
    for name, options in LOADS:
        made = subprocess.run(
            [
                compiler,
                "-O2",
                *options,
                "-o",
                str(room / name) + (".so" if "-shared" in options else ""),
                str(HERE / f"{name}.c"),
            ],
            capture_output=True,
            text=True,
            check=False,
            cwd=room,
            env={"PATH": places.path(), "TMPDIR": str(room), "LC_ALL": "C"},
        )
        if made.returncode:
            raise CannotMeasure(f"{name}.c does not compile:\n{made.stderr}")


def see_tracefs() -> None:
    """Mounts tracefs for us and for the peers that we start, where there is none: bpftrace and perf need it."""
    if os.path.isdir("/sys/kernel/tracing/events"):
        return
    libc = ctypes.CDLL(None, use_errno=True)
    libc.unshare(CLONE_NEWNS)
    libc.mount(b"none", b"/", None, ctypes.c_ulong(MS_REC | MS_PRIVATE), None)
    libc.mount(b"none", b"/sys/kernel/tracing", b"tracefs", ctypes.c_ulong(0), None)


def _distribution() -> str:
    try:
        return platform.freedesktop_os_release()["PRETTY_NAME"]
    except (OSError, KeyError):
        return "unknown"
