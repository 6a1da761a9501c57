"""Claim 12: select(2) and descriptors from 1024 on; from the C library's check and the result of pselect6."""

from __future__ import annotations

import numpy as np

from tracer.claims.claim import Findings, Judgement, Runs, Verdict, Wanted
from tracer.claims.trace_view import TraceView

NUMBER = 12
NAME = "fd-set"
SENTENCE = (
    "select cannot watch descriptor 1024 and above through the C library's fd_set; the kernel can."
)
CLAUSES = ("the C library's fd_set has no place for 1024 and above", "the kernel watches them")
SOURCE = "select(2), BUGS; POSIX.1-2017, <sys/select.h>, FD_SETSIZE"
RUNS = {"beyond": Wanted("trials.beyond", messages=3, proto="none")}
FD_SETSIZE = 1024


def judge(runs: Runs) -> Judgement:
    """The number of processes that called the C library's check, and of those that it aborted; the kernel's selects by
    highest descriptor, and the reads after them."""
    findings = Findings()
    inside = beyond = told_of = asked = aborted = highest = 0
    for run in runs["beyond"]:
        watched, told, read = _selected(run)
        high = watched >= FD_SETSIZE
        inside, beyond = inside + int((~high).sum()), beyond + int(high.sum())
        told_of += int((told & read & high).sum())
        highest = max(highest, int(watched.max(initial=0)))
        asked += len(run.of_class("clone", "clone3", "fork", "vfork"))
        aborted += sum(
            signal["generated"] for signal in run.report["signals"] if signal["name"] == "SIGABRT"
        )
    if not inside or not beyond:
        return Judgement(
            Verdict.UNTESTED, "", f"select was not called on both sides of {FD_SETSIZE}"
        )
    kernel = f"the kernel's pselect6, with a larger bitmap, told of descriptor {highest} in {told_of} of {beyond}"
    findings.must(
        told_of == beyond, f"the kernel did not tell of {beyond - told_of} of {beyond} beyond"
    )
    if findings.against:
        return findings.judgement(kernel)
    if not asked:
        return Judgement(
            Verdict.UNTESTED, kernel, "the C library has no __fdelt_chk to ask (glibc has)"
        )
    findings.must(
        aborted == beyond == asked - inside,
        f"the C library did not refuse those beyond, and those alone: {aborted} of {beyond}",
    )
    return findings.judgement(
        f"glibc's check aborts the program in {aborted} of {beyond} cases beyond and in none of "
        f"{inside} below; {kernel}"
    )


def _selected(run: TraceView) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """For each select: the highest descriptor, whether select reported it, whether the next read from it brought
    data."""
    selects, reads = run.of_class("select"), run.of_class("read")
    reads = reads.take(np.isin(reads.tid, selects.tid))
    watched = selects.fd - 1
    next_read = np.searchsorted(reads.end, selects.end)
    has_next = next_read < len(reads)
    row = np.minimum(next_read, max(0, len(reads) - 1))
    read = (
        has_next & (reads.fd[row] == watched) & (reads.result[row] > 0)
        if len(reads)
        else np.zeros(len(selects), bool)
    )
    return watched, selects.result == 1, read
