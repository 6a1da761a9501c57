"""Kinds of dynamic probes as perf_event_open(2) knows them: one directory of sysfs each."""

from __future__ import annotations

from pathlib import Path

_PMUS = Path("/sys/bus/event_source/devices")


def has_pmu(name: str) -> bool:
    """Whether the kernel has this kind of probe (kprobe, uprobe)."""
    return (_PMUS / name / "type").exists()


def type_of(name: str) -> int:
    """The kind's `type` for struct perf_event_attr; raises OSError where the kernel has it not."""
    return int((_PMUS / name / "type").read_bytes())
