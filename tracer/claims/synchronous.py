"""Claim 9: which thread copies, by POSIX's definition of synchronous I/O; from receive calls and completions of every
model."""

from __future__ import annotations

from collections import Counter

from tracer.claims.asynchronous import SEEN_BY
from tracer.claims.claim import Findings, Judgement, Runs, Verdict, Wanted
from tracer.claims.copiers import COPIERS, OWN, TASK_WORK, copiers
from tracer.claims.shared_runs import ASYNCHRONOUS, SYNCHRONOUS

NUMBER = 9
NAME = "synchronous"
SENTENCE = (
    "By POSIX's definition only the asynchronous model is asynchronous: in all the others the copy blocks the "
    "caller, which is in a call meanwhile."
)
CLAUSES = (
    "in the asynchronous model no call of the caller's copies",
    "in all the others a call of the caller's does",
)
SOURCE = (
    "Stevens, Fenner, Rudoff, UNP vol. 1, 3rd ed. (2004), 6.2, figure 6.6, p. 160 (page from memory), where blocked is "
    "said of the whole call; POSIX.1-2017, base definitions 3.387 and 3.30, where it is the thread that is blocked, "
    "from further use of the processor"
)
INLINE = "io-uring-inline"
RUNS = SYNCHRONOUS | ASYNCHRONOUS | {INLINE: Wanted("io_uring_inline")}
OPTIONAL = frozenset(RUNS.keys() - {"blocking", "nonblocking"})


def judge(runs: Runs) -> Judgement:
    """For each model what made the copy: a call of the thread that asked, or something else."""
    findings = Findings()
    copied: dict[str, Counter[str]] = {}
    for name in RUNS:
        for run in runs.get(name, ()):
            if run.sees("io_uring" if name == INLINE else SEEN_BY.get(name, "")):
                copied.setdefault(name, Counter()).update(copiers(run))
    asynchronous = [name for name in ASYNCHRONOUS if copied.get(name)]
    if not asynchronous:
        return Judgement(
            Verdict.UNTESTED, "", "no asynchronous I/O to compare with is to be seen here"
        )
    for name in SYNCHRONOUS:
        if name in copied:
            findings.must(
                set(copied[name]) == {OWN},
                f"with {name} the caller did not copy by a call of its own",
            )
    for name in asynchronous:
        findings.must(not copied[name][OWN], f"with {name} the caller copied by a call of its own")
    own_copies = sum(sum(copied[name].values()) for name in SYNCHRONOUS if name in copied)
    others = "; ".join(
        f"{name}: {' and '.join(COPIERS[copier] for copier in copied[name])} ({sum(copied[name].values())})"
        for name in asynchronous
    )
    _qualify(copied, asynchronous, findings)
    return findings.judgement(
        f"synchronous models: {own_copies} copies, each inside a receive call of the thread that asked; {others}"
    )


def _qualify(copied: dict[str, Counter[str]], asynchronous: list[str], findings: Findings) -> None:
    """Where io_uring's copy costs the asking thread's own time all the same, or is a call of its own."""
    taken = [name for name in asynchronous if copied[name][TASK_WORK]]
    if taken:
        findings.but.append(
            f"with {' and '.join(taken)} the copy takes the asking thread's own time, though no call of "
            "it waits: the kernel interrupts it"
        )
    inline = copied.get(INLINE, Counter())
    if inline[OWN]:
        findings.but.append(
            "io_uring is synchronous where the data is there before: the io_uring_enter that asks copies it "
            f"({inline[OWN]} of {sum(inline.values())})"
        )
