"""The soak: the hardest load at full speed for a minute; what is lost, and what the tracer takes meanwhile."""

from __future__ import annotations

import statistics
from typing import Any

import contenders as field
from calls import Load, Setting
from table import goal, render

WARM_S = 2.0  # until the tracer has its buffers


def soak(setting: Setting) -> dict[str, Any]:
    """One long run, its recording on disk."""
    seconds = 5 if setting.quick else 60
    tracer = field.Iotrace(setting.room, setting.tracer_cpu)
    with tracer.running(
        [str(setting.room / "poll"), str(seconds), str(setting.load_cpu)]
    ) as process:
        load = Load.parse(field.line_of(process))
    facts = tracer.facts()
    tracer.recording.unlink()
    ledger = facts["ledger"]
    busy = facts["cpu_s"] / facts["wall_s"]
    memory = [size / (1 << 20) for when, size in facts["memory"] if when > WARM_S]
    quarter = max(1, len(memory) // 4)
    early, late = statistics.median(memory[:quarter]), statistics.median(memory[-quarter:])
    rows = [
        ["calls made", f"{load.calls:,}"],
        ["calls a second", f"{load.calls / (load.end - load.begin) * 1e9:,.0f}"],
        ["share of its CPU that the load had", f"{load.cpu / (load.end - load.begin):.0%}"],
        ["records counted by the probes", f"{ledger['counted']:,}"],
        ["delivered", f"{ledger['delivered']:,}"],
        ["lost", f"{ledger['lost']:,}"],
        ["ledger balances", "yes" if ledger["balanced"] else "NO"],
        ["tracer's CPU, of one core", f"{busy:.1%}"],
        ["tracer's CPU a record, ns", f"{facts['cpu_s'] / facts['records'] * 1e9:.0f}"],
        ["memory, first and last quarter, MiB", f"{early:.0f}, {late:.0f}"],
        ["recording, bytes a record", f"{facts['bytes'] / facts['records']:.1f}"],
    ]
    return {
        "seconds": seconds,
        "calls": load.calls,
        "ledger": ledger,
        "tracer_cpu": busy,
        "memory_mib": facts["memory"]
        and [[when, round(size / (1 << 20), 1)] for when, size in facts["memory"]],
        "bytes": facts["bytes"],
        "goals": [
            goal("soak: lost", ledger["lost"], 0),
            goal("soak: the ledger balances", ledger["balanced"], True),
            goal("soak: tracer's CPU, share of a core", busy, 0.2),
            goal("soak: memory, last quarter ÷ first", late / early, 1.1),
        ],
        "table": render(
            f"Soak: recvfrom → EAGAIN for {seconds} s, recorded to disk", ["", "value"], rows
        ),
    }
