"""tracer/output/terminal/diff.py: what a difference looks like, to the letter."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from rich.cells import cell_len
from support.diffing import run_of
from support.running import ROOT

from tracer.output.format import Kind, Options
from tracer.output.terminal import FORMAT
from tracer.recording import parquet
from tracer.report.difference import build, run
from tracer.report.difference.run import Run, Usual

SINGLE = """\
iotrace  diff
A           5 operations: select.parquet
B           5 operations: epoll-lt.parquet

They differ in 4 measures.

── What differs ────────────────────────────────────────────────────────── A → B
verdict                  A: select
                         B: epoll-lt
usual pselect6 calls     1 → 0  in most operations
usual sequence           A: pselect6, recvfrom
                         B: epoll_wait, recvfrom
usual epoll_wait calls   0 → 1  in most operations

── Side by side ────────────────────────────────────────────────────────────────
                                   A          B     effect  told from
verdict                    select / epoll-lt  differs
wait p50                     1.03 ms    1.07 ms   +36.2 µs      10 ms
wait p90                     27.8 ms    30.4 ms    +2.6 ms          –
notice p50                   53.5 µs    39.8 µs   −12.1 µs     199 µs
notice p90                    113 µs     109 µs    −3.9 µs          –
waking p50                     38 µs    30.4 µs   −7.59 µs     152 µs
waking p90                   73.8 µs    72.5 µs   −1.29 µs          –
fetching p50                 15.5 µs    12.6 µs   −3.16 µs    63.2 µs
fetching p90                   39 µs    36.4 µs    −2.6 µs          –
copy p50                     1.89 µs    2.19 µs    +321 ns      15 µs
copy p90                     4.22 µs    5.32 µs    +1.1 µs          –
recvfrom calls                     1          1          0          –
pselect6 calls                     1          0         −1          –
wake-ups                           1          1          0          –
runnable a message           35.5 µs    28.8 µs    −6.7 µs          –
kernel a message             18.6 µs    14.4 µs   −4.22 µs          –
user a message               59.3 µs    40.5 µs   −18.8 µs          –
epoll_wait calls                   0          1         +1          –
usual pselect6 calls               1          0          –          –  differs
usual sequence             pselect6, recvfrom / epoll_wait, recvfrom  differs
usual epoll_wait calls             0          1          –          –  differs

effect: how much B lies above A, the median of all differences between
operations of both.
one run each: shifts of medians under these are not told: wait 10 ms, notice
199 µs, waking 152 µs, fetching 63.2 µs, copy 15 µs, completion 100 µs, and none
that is a wait for a CPU; p90 and CPU time are shown and not compared. Five runs
of each, made in turns, tell more (--a RUN… --b RUN…).
"""
SETS = """\
iotrace  diff
A           5 runs of 20 operations: old-0.parquet … old-4.parquet
B           5 runs of 20 operations: new-0.parquet … new-4.parquet

They differ in 4 measures.

── What differs ─────────────────────────────────── effect [its 99% interval], p
notice p50               8.69 µs → 12.7 µs  +4 µs [+2.8 µs, +5.2 µs]  p 0.0079
notice p90               8.77 µs → 12.8 µs  +4 µs [+2.8 µs, +5.2 µs]  p 0.0079
usual getppid calls      0 → 1  in most operations
usual sequence           A: epoll_wait, read
                         B: epoll_wait, getppid, read

── Side by side ──────────────────────────────────────────── medians of the runs
                                   A          B     effect  told from
verdict                    epoll-lt
notice p50                   8.69 µs    12.7 µs      +4 µs    1.36 µs  differs
notice p90                   8.77 µs    12.8 µs      +4 µs    1.36 µs  differs
copy p50                     1.09 µs    1.09 µs          0        any
copy p90                     1.17 µs    1.17 µs          0        any
usual getppid calls                0          1          –          –  differs
usual sequence             epoll_wait, read / epoll_wait, getppid, read  differs

effect: how much B lies above A, the median of all differences between runs of
both.
5 and 5 runs, one number a run; all 4 tested together. With their scatter,
shifts of medians under these would not have been told: notice 1.36 µs.
"""


def recorded(name: str) -> Run:
    path = str(ROOT / "tests" / "data" / f"{name}.parquet")
    return run.of(partial(parquet.columns, path), parquet.read_facts(path), f"{name}.parquet")


def made(name: str, at: int, notice: int, extra: bool) -> Run:
    """A run of 20 operations, `at` one of five that scatter by hundreds of ns."""
    took = notice + 10.0 * np.arange(20) + 300 * (at * 7 % 5)
    copy = 1000 + 10.0 * np.arange(20)
    calls = Usual({1: 1.0}) if extra else Usual({0: 1.0})
    ways = "epoll_wait, getppid, read" if extra else "epoll_wait, read"
    usual = {"getppid calls": calls, "sequence": Usual({ways: 1.0})}
    return run_of({"notice": took, "copy": copy}, usual, "epoll-lt", f"{name}-{at}.parquet")


def drawn(one: list[Run], other: list[Run], **options: Any) -> str:
    result = build.difference(one, other)
    return "".join(FORMAT.renders[Kind.DIFFERENCE](result, Options(**options)))


def check(text: str, expected: str) -> None:
    assert text == expected
    assert max(map(cell_len, text.splitlines())) <= 80


def test_one_run_each() -> None:
    check(drawn([recorded("select")], [recorded("epoll-lt")], unicode=True), SINGLE)


def test_sets_of_runs() -> None:
    one, other = (
        [made(name, at, notice, extra) for at in range(5)]
        for name, notice, extra in (("old", 8000, False), ("new", 12_000, True))
    )
    check(drawn(one, other, unicode=True), SETS)
    assert drawn(one, other, unicode=False).isascii()
    assert "\x1b[" in drawn(one, other, unicode=True, color=True)


def test_nothing_differs() -> None:
    its = recorded("poll")
    assert "\nNo difference is told.\n" in drawn([its], [its], unicode=True)


def test_fewer_columns_get_a_list_that_fits_them() -> None:
    one, other = (
        [made(name, at, notice, extra) for at in range(5)]
        for name, notice, extra in (("old", 8000, False), ("new", 12_000, True))
    )
    for sides in ((one, other), ([recorded("select")], [recorded("epoll-lt")])):
        for width in (30, 41, 60, 79):
            text = drawn(*sides, unicode=True, width=width)
            assert all(cell_len(line) <= width for line in text.splitlines()), width
            assert "told from" not in text and " → " in text
    text = drawn(one, other, unicode=True, width=60)
    assert "notice p50               8.69 µs → 12.7 µs  +4 µs  differs" in text
