"""docs/performance.md from the JSON of one run: `python page.py bench.json > docs/performance.md`."""

from __future__ import annotations

import json
import math
import sys
from typing import Any

HEAD = """# Performance

What iotrace costs the program that it traces, everybody else, and itself; beside bpftrace, perf trace and strace. One
command measures all of it on any machine:

    sudo make bench            # all of it, under 15 minutes
    sudo make bench QUICK=1    # short rounds, under 2

It needs a C compiler; peers that are not installed (`apt-get install bpftrace linux-perf strace`) are named and left
out. The figures are printed, and written as JSON to /var/tmp/iotrace-bench.json (`OUT=`). This page is one real run,
made by `python3 benchmarks/page.py` from that JSON.

The load is the hardest there is for a tracer: a C program that calls recvfrom on an empty socket in a tight loop and
gets EAGAIN. Contenders take turns, in another order each round; ratios are taken round by round. Given are the median
and, as spread, the least and the most. A round in which the load had less than 90 % of its CPU is repeated.
"""
TAIL = """## Reading it

- **Empty programs** is what any tracer of all system calls pays: the two raw tracepoints with programs that do nothing.
  Whatever iotrace does, it cannot cost less.
- **iotrace** keeps every call, with its times, descriptor and result, in the order in which they happened, and a ledger
  that proves it. bpftrace's histogram keeps no call; its printing keeps what its buffer holds.
- **Start** is from the command's own start to the first instruction of the traced program. About half of iotrace's is
  Python with click and numpy, which no probe waits for; then the kernel's type information is read and a dozen
  programs are verified, where bpftrace loads two. The first run on a kernel compiles the probes, which BCC's clang
  takes half a second for; later ones find them in /var/cache/iotrace.
- **Detach**: bpftrace attaches to perf events, which take long to go. iotrace's are raw tracepoints.
- **Analysis** is CPU time from the file to the finished report: operations, thread states, verdict, statistics, advice.
- A benchmark is not a test: no test depends on a time. Tests do assert, at full speed, that every call is recorded
  and none is lost, and that the analysis' memory is bounded (`tests/live/test_full_speed.py`).
"""


def bars(per_call: dict[str, Any]) -> str:
    """Times of a call as bars, on a scale where each step of ten columns is ten times as long."""
    times = {name: figure["median"] for name, figure in per_call["ns"].items()}
    least = min(times.values())
    width = max(map(len, times))
    return "\n".join(
        f"    {name:<{width}}  {'█' * (1 + round(16 * math.log10(ns / least))):<45} {ns:>9,.0f} ns"
        for name, ns in times.items()
    )


def main(argv: list[str]) -> int:
    """argv: the JSON's path"""
    with open(argv[0], encoding="utf-8") as file:
        run = json.load(file)
    about, figures = run["machine"], run["figures"]
    print(HEAD)
    print("## The machine\n\n| | |\n|---|---|")
    for name, value in about.items():
        text = (
            ", ".join(f"{one:.2f}" if isinstance(one, float) else str(one) for one in value)
            if isinstance(value, list)
            else value
        )
        print(f"| {name.replace('_', ' ')} | {text} |")
    goals = [goal for figure in figures.values() for goal in figure["goals"]]
    print("\n## Goals\n\n| | reached | goal | |\n|---|---:|---:|---|")
    for goal in goals:
        sign = "" if isinstance(goal["limit"], bool) else "≤ " if goal.get("most", True) else "≥ "
        print(
            f"| {goal['goal']} | {_number(goal['reached'])} | {sign}"
            f"{_number(goal['limit'])} | {'met' if goal['met'] else '**not met**'} |"
        )
    print(
        "\n## Figures\n\nOne call, on a logarithmic scale (sixteen columns are a factor of ten):\n"
    )
    print(bars(figures["per-call"]))
    for figure in figures.values():
        print("\n```text\n" + figure["table"] + "\n```")
    print("\n" + TAIL, end="")
    return 0


def _number(value: float) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:,.0f}" if value >= 100 or value == int(value) else f"{value:.2f}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
