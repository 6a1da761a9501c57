"""The benchmark of iotrace: `make bench`, or `python run.py [FIGURE...] [--quick] [--output FILE]` as root.

Prints each figure as a table with its spread, then the goals with what was reached, and writes it all as JSON. How to
read it: docs/performance.md.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

import accuracy
import analysing
import attaching
import calls
import machine
import opening
import rounds
import sleeping
import soak
from table import render

from tracer.cli.files import check_writable
from tracer.recording.atomic_file import unnamed

FIGURES = {
    "per-call": (calls.per_call, "a traced program's recvfrom, under iotrace and its peers"),
    "watching": (calls.watching, "select, poll and epoll_wait, over the same and changing sets"),
    "accuracy": (accuracy.accuracy, "a trace's boundaries and the program's own clock"),
    "perturbation": (accuracy.perturbation, "sent to received, traced and untraced"),
    "programs": (accuracy.programs, "how long each BPF program runs"),
    "soak": (soak.soak, "60 s at full speed: losses, the tracer's CPU and memory"),
    "bystander": (calls.bystander, "getppid in a program that is not traced"),
    "sleeping": (sleeping.sleeping, "notice with the receiver's CPU idle and awake, C and Python"),
    "startup": (calls.startup, "attach and detach, beside bpftrace with two probes"),
    "attach": (attaching.attach, "attach to busy servers, to many processes and threads"),
    "analysis": (analysing.speed, "records a second from file to report"),
    "growth": (analysing.growth, "the report of 1,000 to 100,000 short-lived processes"),
    "page": (opening.opening, "the page of 100,000 operations: its size, until it can be used"),
    "memory": (analysing.memory, "the memory of a 10-million-record recording's report"),
}


def main(argv: list[str] | None = None) -> int:
    """Exit status: 0 measured (whatever the goals), 3 this machine cannot, with the reason."""
    options = _parser().parse_args(argv)
    if os.geteuid():
        return _refuse("tracing needs root: sudo make bench")
    output = options.output and options.output.absolute()
    if output and (problem := check_writable(str(output))):
        return _refuse(problem)
    load_cpu, tracer_cpu = machine.cpus()
    about = machine.describe()
    print("\n".join(f"{name + ':':14}{_plain(value)}" for name, value in about.items()))
    if load_cpu == tracer_cpu:
        print("One CPU for load and tracer: the figures say little.")
    print(flush=True)
    results: dict[str, Any] = {"machine": about, "quick": options.quick, "figures": {}}
    with (
        tempfile.TemporaryDirectory(prefix="iotrace-bench.", dir=options.room.absolute()) as room,
        contextlib.chdir(room),
    ):  # compilers, BCC's too, read what lies where they run
        setting = calls.Setting(
            Path(room),
            options.rounds or 5,
            0.25 if options.quick else 1.5,
            load_cpu,
            tracer_cpu,
            options.quick,
            _say,
        )
        try:
            machine.see_tracefs()
            machine.build(setting.room)
            _measure(setting, options.figure or list(FIGURES), results, output)
        except machine.CannotMeasure as error:
            return _refuse(str(error))
    _print_goals(results)
    if output:
        print(f"\nas JSON: {output}")
    return 0


def _measure(
    setting: calls.Setting, names: list[str], results: dict[str, Any], output: Path | None
) -> None:
    """Prints each figure and adds it to the results, which are written after each."""
    for name in names:
        with rounds.stopwatch() as took:
            figure = FIGURES[name][0](setting)
        print(
            figure["table"],
            f"\n\n  ({name}: {took[0]:.0f} s; load average {os.getloadavg()[0]:.1f})\n",
            flush=True,
        )
        results["figures"][name] = figure
        if output:
            _write(output, json.dumps(results, indent=1) + "\n")


def _print_goals(results: dict[str, Any]) -> None:
    rows = [
        [
            goal["goal"],
            _number(goal["reached"]),
            _number(goal["limit"]),
            "met" if goal["met"] else "NOT met",
        ]
        for figure in results["figures"].values()
        for goal in figure["goals"]
    ]
    print(render("Goals", ["", "reached", "goal", ""], rows))


def _write(path: Path, text: str) -> None:
    """Puts the text in place of what has this name: in /var/tmp that may be a link of anybody's."""
    with unnamed(str(path.parent)) as file:
        Path(file.path).write_text(text)
        file.name(str(path), None)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description="Measures iotrace on this machine, as root.",
        formatter_class=argparse.RawTextHelpFormatter,
        epilog="figures:\n"
        + "\n".join(f"  {name:12} {text}" for name, (_, text) in FIGURES.items()),
    )
    parser.add_argument(
        "figure", nargs="*", help="which figures (default: all)", metavar="FIGURE", type=_figure
    )
    parser.add_argument(
        "--quick", action="store_true", help="short rounds: under two minutes for all"
    )
    parser.add_argument("--rounds", type=int, help="rounds of each comparison (default: 5)")
    parser.add_argument("--output", type=Path, help="write the figures there as JSON")
    parser.add_argument(
        "--room",
        type=Path,
        default=Path("/var/tmp"),
        help="a directory on a disk, for recordings (default: /var/tmp)",
    )
    return parser


def _figure(text: str) -> str:
    if text not in FIGURES:
        raise argparse.ArgumentTypeError(f"no figure {text!r}; there are: {', '.join(FIGURES)}")
    return text


def _plain(value: object) -> str:
    if isinstance(value, (list, tuple)):
        return (
            ", ".join(str(round(one, 2)) if isinstance(one, float) else str(one) for one in value)
            or "none"
        )
    return str(value)


def _number(value: float) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:,.0f}" if value >= 100 or value == int(value) else f"{value:.2f}"


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _refuse(text: str) -> int:
    print(f"benchmark: {text}", file=sys.stderr)
    return 3


if __name__ == "__main__":
    sys.exit(main())
