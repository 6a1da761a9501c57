"""The CPUs: which there are, which share a core, how they idle and at what frequency, and what a hypervisor took of
their time (sysfs's /sys/devices/system/cpu, admin-guide/pm/cpuidle.rst and cpufreq.rst; proc_stat(5))."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

_DEVICES = Path("/sys/devices/system/cpu")
_STEAL = 7  # of a line of /proc/stat: the field after its name


def refused(cpu: int) -> str | None:
    """Why nothing can be bound to a CPU, None where it can (sched_setaffinity(2))."""
    online = numbers(_read(_DEVICES / "online") or "")
    allowed = os.sched_getaffinity(0)
    if online and cpu not in online:
        return f"there is no CPU {cpu} here: there are {listed(online)}"
    if cpu not in allowed:
        return f"CPU {cpu} is not allowed here (taskset, cpuset): {listed(allowed)} are"
    return None


def machine(devices: Path = _DEVICES, info: Path = Path("/proc/cpuinfo")) -> dict[str, Any]:
    """How this machine's CPUs sleep: what a recording's `host` says of it, None where the kernel does not tell.

    siblings: those that share a core, where any do. hypervisor: whether CPUID says that this is a virtual machine; only
    x86 tells.
    """
    driver = _word(devices / "cpuidle" / "current_driver")
    driver = (
        None if driver == "none" else driver
    )  # show_current_driver() of drivers/cpuidle/sysfs.c
    flags = re.search(r"^flags\s*:(.*)$", _read(info) or "", re.MULTILINE)
    return {
        "idle_driver": driver,
        "idle_governor": _governor_of_idling(devices / "cpuidle") if driver else None,
        "frequency_governor": _governor(devices),
        "hypervisor": "hypervisor" in flags[1].split() if flags else None,
        "siblings": _siblings(devices),
    }


def stolen_ns(stat: str | None = None) -> dict[str, int] | None:
    """Each CPU's steal time (ns, in whole clock ticks) since the machine began, by the CPU's number; None where the
    kernel does not tell."""
    lines = (_read(Path("/proc/stat")) if stat is None else stat) or ""
    tick_ns = 1_000_000_000 // os.sysconf("SC_CLK_TCK")
    stolen = {}
    for line in lines.splitlines():
        words = line.split()
        if re.match(r"cpu\d+ ", line) and len(words) > _STEAL + 1:
            stolen[words[0][3:]] = int(words[_STEAL + 1]) * tick_ns
    return stolen or None


def numbers(listed: str) -> set[int]:
    """The CPUs of a list such as 0-3,8 (cpuset(7), "List format"); empty where it is none."""
    found: set[int] = set()
    for part in filter(None, listed.strip().split(",")):
        match = re.fullmatch(r"(\d{1,6})(?:-(\d{1,6}))?", part)
        if not match:
            return set()
        found.update(range(int(match[1]), int(match[2] or match[1]) + 1))
    return found


def _governor_of_idling(place: Path) -> str | None:
    """The first name is the newer kernels'."""
    return _word(place / "current_governor") or _word(place / "current_governor_ro")


def _governor(devices: Path) -> str | None:
    """The frequency governor of all CPUs; several where they differ."""
    paths = devices.glob("cpu[0-9]*/cpufreq/scaling_governor")
    return ", ".join(sorted({word for path in paths if (word := _word(path))})) or None


def _siblings(devices: Path) -> list[list[int]]:
    """Groups of CPUs that share a core; those alone on theirs are in none."""
    paths = devices.glob("cpu[0-9]*/topology/thread_siblings_list")
    groups = {tuple(sorted(numbers(_read(path) or ""))) for path in paths}
    return sorted(list(group) for group in groups if len(group) > 1)


def listed(cpus: set[int]) -> str:
    """The CPUs as such a list: 0-3,8."""
    ranges: list[list[int]] = []
    for cpu in sorted(cpus):
        if ranges and cpu == ranges[-1][-1] + 1:
            ranges[-1][1:] = [cpu]
        else:
            ranges.append([cpu])
    return ",".join("-".join(map(str, its)) for its in ranges)


def _word(path: Path) -> str | None:
    return (_read(path) or "").strip() or None


def _read(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
