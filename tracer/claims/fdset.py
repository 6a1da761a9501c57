"""Claim 12: select(2) and descriptors from 1024 on; from what the C library's check did and what pselect6 returned."""

from __future__ import annotations

import numpy as np

from tracer.claims.claim import Findings, Judgement, Runs, Verdict, Wanted
from tracer.claims.seen import Seen

NUMBER = 12
NAME = "fd-set"
SENTENCE = ("select cannot watch descriptor 1024 and above through the C library's fd_set; the kernel can.")
SOURCE = "select(2), BUGS; POSIX.1-2017, <sys/select.h>, FD_SETSIZE"
RUNS = {"beyond": Wanted("trials.beyond", messages=3, proto="none")}
FD_SETSIZE = 1024
SIGABRT = "SIGABRT"


def judge(runs: Runs) -> Judgement:
    """Aborted checks, one for each descriptor beyond; selects of the kernel by their highest descriptor, and reads."""
    found = Findings()
    inside = beyond = aborted = highest = 0
    for run in runs["beyond"]:
        watched, told, read = _selected(run)
        inside += int((told & (watched < FD_SETSIZE)).sum())
        beyond += int((told & read & (watched >= FD_SETSIZE)).sum())
        highest = max(highest, int(watched.max(initial=0)))
        aborts = sum(its["generated"] for its in run.report["signals"] if its["name"] == SIGABRT)
        aborted += aborts
        found.must(bool((watched < FD_SETSIZE).any()), "no descriptor below was tried")
        found.must(bool((watched >= FD_SETSIZE).any()), f"no descriptor from {FD_SETSIZE} on was tried")
        found.must(aborts == int((watched >= FD_SETSIZE).sum()),
                   "the C library did not refuse those beyond, and those alone")
        found.must(bool(told[watched >= FD_SETSIZE].all()), "the kernel did not tell of one beyond")
    if not inside and not beyond:
        return Judgement(Verdict.UNTESTED, "", "select was not called")
    return found.judgement(f"glibc's check aborts the program in {aborted} of {beyond} cases beyond and 0 of {inside} "
                           f"below; the kernel's pselect6 told of descriptor {highest} in {beyond} of {beyond}, with a "
                           "larger bitmap")


def _selected(run: Seen) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of each select: the highest descriptor, whether it was told of, whether the read of it after that brought data."""
    selects, reads = run.of_class("select"), run.of_class("read")
    reads = reads.take(np.isin(reads.tid, selects.tid))
    watched = selects.fd - 1
    following = np.searchsorted(reads.end, selects.end)
    has = following < len(reads)
    at = np.minimum(following, max(0, len(reads) - 1))
    read = has & (reads.fd[at] == watched) & (reads.result[at] > 0) if len(reads) else np.zeros(len(selects), bool)
    return watched, selects.result == 1, read
