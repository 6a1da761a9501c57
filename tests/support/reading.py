"""What becomes of a recording that is read: a report through every output, or one line; in a child with limits."""

from __future__ import annotations

import json
import os
import resource
import signal
import traceback
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

from support.contract import faults

from tracer import output
from tracer.analysis.listing import listing
from tracer.output.format import Kind, Options
from tracer.recording import parquet, trial
from tracer.recording import partial as cut_short
from tracer.report import build

MEMORY = 1 << 30  # beyond what this process has
SECONDS = 60


class Outcome(NamedTuple):
    """kind: "report", "refused", or "failed" (an exception, an abort, a limit); said: the report as JSON, the line, or
    the traceback; seconds: CPU time; most: bytes of memory that it took."""

    kind: str
    said: str
    checked: bool = False
    seconds: float = 0.0
    most: int = 0


def read(path: Path) -> Outcome:
    """The outcome of reading it, in a child."""
    receive, send = os.pipe()
    child = os.fork()
    if not child:
        _child(path, send)
    os.close(send)
    with open(receive, "rb") as answer:
        told = answer.read()
    _, status, usage = os.wait4(child, 0)
    if status or not told:
        why = signal.Signals(os.WTERMSIG(status)).name if os.WIFSIGNALED(status) else status
        return Outcome("failed", f"the child ended: {why}")
    kind, said, checked, resident = json.loads(told)
    seconds, most = usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024
    return Outcome(kind, said, checked, seconds, most - resident)


def _child(path: Path, send: int) -> NoReturn:
    try:
        with open("/proc/self/statm", "rb") as statm:
            mapped, resident, *_ = (int(n) * resource.getpagesize() for n in statm.read().split())
        resource.setrlimit(resource.RLIMIT_AS, (mapped + (4 << 30), mapped + (4 << 30)))
        resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
        with open(send, "wb", closefd=False) as answer:
            # what the child has from its parent counts as resident, too
            answer.write(json.dumps([*_outcome(str(path)), resident]).encode())
    finally:
        os._exit(0)


def _outcome(path: str) -> tuple[str, str, bool]:
    try:
        with cut_short.whole(path) as whole:
            trial.refuse_unreadable(whole)
            return "report", *_shown(whole)
    except parquet.RecordingError as error:
        line = str(error)
        return (
            ("refused" if line.isprintable() and line.startswith(path) else "failed"),
            line,
            False,
        )
    except BaseException:
        return "failed", traceback.format_exc(), False


def _shown(path: str) -> tuple[str, bool]:
    """The report as JSON, which holds to the schema, and whether it says that it was checked; all outputs have drawn
    it, and the listing too."""
    facts = parquet.read_facts(path)
    report: Any = build.build(partial(parquet.columns, path), facts)
    said = ""
    for format_ in output.formats():
        for kind, render in format_.renders.items():
            if kind is Kind.REPORT:
                pieces = render(report, Options(switches=frozenset({"hist"})))
            elif kind is Kind.LISTING:
                pieces = render(listing.events(parquet.read(path), facts), Options())
            else:
                continue
            drawn = "".join(piece for piece in pieces if isinstance(piece, str))
            assert all(letter.isprintable() or letter == "\n" for letter in drawn), format_.name
            if format_.name == "json":
                said = drawn
    plain = json.loads(said, parse_constant=_none)
    # rows that a forger made can count below 0; nothing of them may be of another type, or missing
    wrong = [fault for fault in faults(plain) if "less than the minimum" not in fault]
    assert not wrong, wrong[:3]
    return said, bool(plain["ledger"]["checked"])


def _none(name: str) -> float:
    raise AssertionError(f"{name} is no JSON")
