"""docs/performance.md from the JSON of one run: `python page.py bench.json > docs/performance.md`.

More files, of later runs with some of the figures, replace or add those."""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path
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

Accuracy and perturbation have loads of their own: C receivers of each model (`benchmarks/stamps.c`) that stamp the
clock before and after every call and get the sender's stamp with each message. The sender is never traced. Traced and
untraced runs take turns; each pair of runs is one value, and intervals are what the bootstrap says of those. A run
whose receiver waited for a CPU, more than 100 µs a message, is repeated.
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
- **Boundaries and independent clocks**: the program's own stamp after its call minus `done`; `ask` minus its stamp
  before its first call; `ready` minus the kernel's own stamp of the arrival (SO_TIMESTAMPNS). That stamp is of
  CLOCK_REALTIME: both clocks are read before and after each run, and a run in which their distance changed, or in which
  the kernel stamped at the receive, has no such figure. A signal-driven program asks with no call; aio_read gets no
  stamp of the arrival.
- **Sent to received** is from the sender's stamp to the receiver's, so it holds what tracing does to both sides: the
  sender is not traced, but its send runs the receive path, and with it the programs on readiness and waking.
- A benchmark is not a test: no test depends on a time. Tests do assert, at full speed, that every call is recorded
  and none is lost, and that the analysis' memory is bounded (`tests/live/test_full_speed.py`).

## What of each phase is iotrace's own

A boundary is the moment at which a BPF program read the clock. What the program does after that is part of the phase
that follows, if it holds up the thread that the phase is about. How long each runs is in the table of BPF programs.

| phase | what runs in it |
|---|---|
| wait | the end of sys_enter's program; of select and poll also what reads their sets, of io_uring and native \
AIO what reads the request. A thread that sleeps has had all of it, and its switch away, before the data comes: \
the wait is not longer for it. A polling thread has an entry and an exit for each call that finds nothing |
| notice | all of sk_data_ready's, which takes its time first and runs in the sender's send (loopback) or in \
the interrupt, before anybody is woken; then those of the waking, of the switch to the thread, of the signal. \
With a call that waits: its exit's, after the time of `told`, and the receive's entry's, before its time |
| copy | the end of the entry's program; the copy event's, where there is one (not for small datagrams) |
| completion | of aio_read: the exit of the helper's read, the call by which it sends the signal, its waking and \
delivery. Of io_uring the completion's. Elsewhere none: `copy end` and `done` are one moment |

The exit's own program runs after `done`: it delays what the program does next, and is in no phase of the \
message.

| model | in a message's notice |
|---|---|
| blocking | readiness, waking, switch |
| nonblocking | the exit of the last receive that found nothing, the entry of the next; readiness runs on the \
sender's CPU meanwhile, and counts as far as it comes late |
| select, poll, epoll | readiness, waking, switch; the wait's exit, the receive's entry |
| signal | readiness, the signal's sending and delivery, the receive's entry |
| posix-aio | readiness, waking and switch of the helper; then, in completion, its exit, the signal and a \
second waking |
| io-uring | readiness, waking, switch; then, in completion, the completion's |
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


def together(runs: list[dict[str, Any]]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The first run's machine, and the figures of all; a later run's take the place of those before, and say when they
    were measured, and beside what load."""
    figures: dict[str, Any] = {}
    for run in runs:
        about = run["machine"]
        when = f"{about['time']}, kernel {about['kernel']}, load average {about['load_average'][0]:.1f}"
        of = {} if run is runs[0] else {"measured": when}
        figures |= {name: figure | of for name, figure in run["figures"].items()}
    return runs[0]["machine"], figures


def main(argv: list[str]) -> int:
    """argv: the JSON of a run of all figures, and of later runs of some of them"""
    about, figures = together([json.loads(Path(name).read_text("utf-8")) for name in argv])
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
        if "measured" in figure:
            print(f"\nMeasured {figure['measured']}:")
        print("\n```text\n" + figure["table"] + "\n```")
    print("\n" + TAIL, end="")
    return 0


def _number(value: float) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:,.0f}" if value >= 100 or value == int(value) else f"{value:.2f}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
