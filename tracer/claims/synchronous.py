"""Claim 9: which thread copies, by POSIX's definition of synchronous I/O; from receive calls and completions of every
model."""

from __future__ import annotations

from collections import Counter

from tracer.claims.asynchronous import SEEN_BY
from tracer.claims.claim import Findings, Judgement, Runs, Verdict
from tracer.claims.shared_runs import ASYNCHRONOUS, SYNCHRONOUS
from tracer.claims.trace_view import TraceView

NUMBER = 9
NAME = "synchronous"
SENTENCE = (
    "By POSIX's definition only the asynchronous model is asynchronous: in all the others the copy blocks the "
    "caller."
)
SOURCE = (
    "Stevens, Fenner, Rudoff, UNP vol. 1, 3rd ed. (2004), 6.2, figure 6.6, p. 160 (page from memory), where blocked is "
    "said of the whole call; POSIX.1-2017, base definitions of synchronous and asynchronous I/O operation"
)
RUNS = SYNCHRONOUS | ASYNCHRONOUS
OPTIONAL = frozenset(RUNS.keys() - {"blocking", "nonblocking"})
_OWN = "own call"
_COPIERS = {
    _OWN: "a call of its own",
    "helper": "another thread",
    "task work": "task work in the asking thread",
    "device": "the device",
    "worker": "a kernel worker",
}
_COPIER_OF = {
    "inline": _OWN,  # copied in the io_uring_enter that asked
    "poll-armed": "task work",
    "multishot": "task work",
    "sqpoll": "worker",
    "worker": "worker",
    "device": "device",
    "after io_submit": "device",
    "in io_submit": _OWN,
}


def judge(runs: Runs) -> Judgement:
    """For each model what made the copy: a receive call of the thread that asked, or something else."""
    findings = Findings()
    copied: dict[str, Counter[str]] = {}
    for name in (*SYNCHRONOUS, *ASYNCHRONOUS):
        for run in runs.get(name, ()):
            if not run.sees(SEEN_BY.get(name, "")):
                continue
            copied.setdefault(name, Counter()).update(_copies(run))
    asynchronous = [name for name in ASYNCHRONOUS if copied.get(name)]
    if not asynchronous:
        return Judgement(
            Verdict.UNTESTED, "", "no asynchronous I/O to compare with is to be seen here"
        )
    for name in SYNCHRONOUS:
        if name in copied:
            findings.must(
                set(copied[name]) == {_OWN},
                f"with {name} the caller did not copy by a call of its own",
            )
    for name in asynchronous:
        findings.must(not copied[name][_OWN], f"with {name} the caller copied by a call of its own")
    own_copies = sum(sum(copied[name].values()) for name in SYNCHRONOUS if name in copied)
    others = "; ".join(
        f"{name}: {' and '.join(_COPIERS[copier] for copier in copied[name])} ({sum(copied[name].values())})"
        for name in asynchronous
    )
    taken = [name for name in asynchronous if copied[name]["task work"]]
    if taken:
        findings.but.append(
            f"with {' and '.join(taken)} the copy takes the asking thread's own time, though no call of "
            "it waits: the kernel interrupts it"
        )
    return findings.judgement(
        f"synchronous models: {own_copies} copies, each inside a receive call of the thread that asked; {others}"
    )


def _copies(run: TraceView) -> Counter[str]:
    """Copier → number of operations."""
    return Counter(
        _COPIER_OF.get(operation.get("how", ""))
        or ("helper" if "helper_tid" in operation else _OWN)
        for operation in run.operations
    )
