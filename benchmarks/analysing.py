"""Figures of the analysis, on generated recordings: records a second, and the memory of a long recording's report."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

from calls import Setting
from generated import STEPS
from machine import HERE, PYTHON
from rounds import Failed, median
from table import goal, render, spread

MIB = 1 << 20


def speed(setting: Setting) -> dict[str, Any]:
    """Records a second from the file to the finished report, for polls and for blocking operations."""
    sizes = dict.fromkeys(("polls", "blocking"), 1_000_000 if setting.quick else 3_000_000)
    paths = {which: generate(setting, which, size) for which, size in sizes.items()}
    took: dict[str, list[dict[str, Any]]] = {which: [] for which in sizes}
    for _ in range(max(5, setting.rounds)):
        for which, path in paths.items():
            took[which].append(_report(setting, path))
    rates = {
        which: median(sizes[which] / one["cpu_s"] for one in ones) for which, ones in took.items()
    }
    rows = [
        [
            f"{which}, {sizes[which]:,} records, {took[which][0]['operations']:,} operations",
            *spread(rates[which]),
        ]
        for which in sizes
    ]
    for path in paths.values():
        path.unlink()
    return {
        "records_a_second": rates,
        "records": sizes,
        "goals": [
            goal(f"analysis of {which}, records/s", rates[which]["median"], 5e6, most=False)
            for which in sizes
        ],
        "table": render(
            "Analysis (records a second of CPU time, file to report)",
            ["", "records/s", "spread"],
            rows,
        ),
    }


def memory(setting: Setting) -> dict[str, Any]:
    """The peak of memory of the process that reports 10 million records."""
    rows, found, goals = [], {}, []
    for which, records in (
        ("polls", 10_000_000),
        ("blocking", 2_000_000 if setting.quick else 10_000_000),
    ):
        path = generate(setting, which, records)
        size = path.stat().st_size
        try:
            one = _report(setting, path)
        except Failed as error:
            one = {"peak": 1 << 62, "operations": 0, "seconds": 0, "failed": str(error)}
        path.unlink()
        found[which] = {"records": records, "file": size, **one}
        rows.append(
            [
                f"{which}, {records:,} records",
                f"{one['operations']:,}",
                f"{size / MIB:,.0f}",
                f"{one['seconds']:,.1f}",
                "too much" if "failed" in one else f"{one['peak'] / MIB:,.0f}",
            ]
        )
        if records == 10_000_000:
            goals.append(goal(f"10 million records ({which}), MiB", one["peak"] / MIB, 1024))
    return {
        "reports": found,
        "goals": goals,
        "table": render(
            "Memory of a report", ["", "operations", "file, MiB", "seconds", "peak, MiB"], rows
        ),
    }


def growth(setting: Setting) -> dict[str, Any]:
    """CPU time of the report of ever more short-lived processes, each ID once, and with IDs that are used again."""
    rows, found = [], {}
    for which in ("processes", "again"):
        for count in (1_000, 10_000) if setting.quick else (1_000, 10_000, 100_000):
            path = generate(setting, which, count * len(STEPS))
            one = _report(setting, path)
            path.unlink()
            found[f"{which} {count}"] = one
            rows.append(
                [
                    f"{which}, {count:,}",
                    f"{one['cpu_s']:,.2f}",
                    f"{1e6 * one['cpu_s'] / count:,.0f}",
                ]
            )
    return {
        "reports": found,
        "goals": [],
        "table": render(
            "Report of many processes (CPU time)", ["", "seconds", "µs a process"], rows
        ),
    }


def generate(setting: Setting, which: str, records: int) -> Path:
    """A recording that generated.py makes."""
    path = setting.room / f"{which}.parquet"
    subprocess.run(
        [*PYTHON, str(HERE / "generated.py"), which, str(records), str(path)], check=True
    )
    return path


def _report(setting: Setting, path: Path) -> dict[str, Any]:
    command = [
        "taskset",
        "-c",
        str(setting.load_cpu),
        *PYTHON,
        str(HERE / "reporting.py"),
        str(path),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Failed(f"the report ended with status {done.returncode}: {done.stderr[-300:]}")
    report: dict[str, Any] = json.loads(done.stdout)
    return report
