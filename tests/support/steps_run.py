"""Random programs run under iotrace trace: the differences between their own account and iotrace's, and the smallest
program that still shows one."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

from support import steps_account
from support.contract import faults
from support.running import ROOT, iotrace
from support.steps_machine import SIZE
from support.steps_program import Act, Programs

from tracer.kernel import syscalls
from tracer.recording import parquet
from tracer.recording.records import Kind

SOURCE = ROOT / "tests" / "live" / "steps.c"
_FLAGS = ("-O1", "-static", "-nostdlib", "-ffreestanding", "-fno-stack-protector", "-no-pie")
_NONE = (
    *("lost", "open", "missed", "unentered", "untracked", "unlearnt"),
    *("missing_rows", "contradictory_threads"),
)


class Unforeseen(Exception):
    """The kernel did otherwise than the model of it foresaw: says nothing of iotrace."""


def compiled(directory: Path) -> Path:
    """tests/live/steps.c as a program."""
    program = directory / "steps"
    subprocess.run(["cc", *_FLAGS, "-fno-pie", "-o", program, SOURCE], check=True)
    return program


def differences(program: Path, directory: Path, many: list[list[Act]]) -> list[str]:
    """Where the programs' own account and iotrace's differ, a line each; where iotrace's ledger says that something is
    missing, that."""
    directory.mkdir()
    area, run, files = (directory / name for name in ("area", "run", "files"))
    files.mkdir()
    programs = Programs(str(program), str(area), str(files))
    for acts in many:
        programs.add(acts)
    programs.end()
    area.write_bytes(programs.steps.written())
    os.truncate(area, SIZE)
    # what does otherwise than foreseen may wait for ever, and -d ends that with all its processes
    options = ("--no-cost", "--json", "-d", 60, "-o", run)
    done = iotrace("trace", *options, "--", program, area, 0)
    left = area.read_bytes()
    programs.steps.take(left)
    wrong = steps_account.unexpected(programs)
    if wrong:
        raise Unforeseen("\n".join(wrong))
    assert done.returncode == 0 and done.stderr == "", done.stderr
    report = json.loads(done.stdout)
    assert not faults(report)
    own = steps_account.of_program(programs, left)
    theirs = steps_account.of_report(report, _calls(run))
    return _missing(report["ledger"]) + own.differences(theirs)


def _calls(run: Path) -> Iterator[tuple[int, str]]:
    """Thread and name of each call of a recording, from the command's own execve on."""
    base = parquet.read_facts(str(run))["base_ns"]
    for records in parquet.read(str(run)):
        calls = records[(records["kind"] == Kind.CALL) & (records["time"] >= base)]
        for tid, number, arg in zip(
            *(calls[key].tolist() for key in ("tid", "nr", "arg")), strict=True
        ):
            yield tid, syscalls.name_of(number, arg)


def _missing(ledger: dict[str, int]) -> list[str]:
    lines = [f"ledger: {name} {ledger[name]}" for name in _NONE if ledger[name]]
    return lines + ["ledger: not balanced"] * (not ledger["balanced"])


def smallest(differs: Callable[[list[Act]], bool], acts: list[Act], most: int = 60) -> list[Act]:
    """A program of fewer of the acts that still differs. most: how often it is tried."""
    size = max(len(acts) // 2, 1)
    tries = 0
    while size and tries < most:
        begin = 0
        while begin < len(acts) and tries < most:
            less = acts[:begin] + acts[begin + size :]
            tries += 1
            if differs(less):
                acts = less
            else:
                begin += size
        size //= 2
    return acts


def steps_of(acts: list[Act]) -> str:
    """A program as a list of calls, a line each."""
    programs = Programs("PROGRAM", "AREA", "DIRECTORY")
    programs.add(acts)
    lines = []
    for step in programs.steps:
        args = ", ".join(str(arg) if abs(arg) < 1 << 32 else hex(arg) for arg in step.args)
        begins = f" begins {step.other.number}" if step.other else ""
        lines.append(f"{step.actor.number}: {step.name}({args}) = {step.expected}{begins}")
    return "\n".join(lines)
