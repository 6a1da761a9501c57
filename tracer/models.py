"""Operations → which I/O model they follow, with evidence that a person can check against the records."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from tracer import syscalls
from tracer.operations import AT_ONCE, BLOCKED, MULTIPLEXED, POLLED, POSIX_AIO, SIGNAL, Operations

EPOLLET = 1 << 31
SYNCHRONOUS = {"blocking": True, "nonblocking": True, "select": True, "poll": True, "epoll-lt": True, "epoll-et": True,
               "signal": True, "posix-aio": False, "linux-aio": False, "io-uring": False}
MODELS = tuple(SYNCHRONOUS)
DOMINANT = 0.95  # of the operations; below it the verdict is "mixed"
_MODELS = {BLOCKED: "blocking", POLLED: "nonblocking", SIGNAL: "signal", POSIX_AIO: "posix-aio"}
_WAITS = {number: {"epoll_wait": "epoll-lt"}.get(name, name) for name, members in syscalls.CLASSES.items()
          for number in syscalls.class_numbers(members)}


@dataclass(frozen=True)
class Verdict:
    """A model's name, whether POSIX calls it synchronous, how sure that is (0 to 1), and why."""

    name: str
    synchronous: bool | None
    confidence: float
    evidence: list[str] = field(default_factory=list)
    shares: dict[str, float] = field(default_factory=dict)


def models_of(operations: Operations) -> np.ndarray:
    """Each operation's model, as index into MODELS. One that had its data at once says nothing by itself: it goes
    with the thread's operation before it, else with the one after it, else it counts as blocking (a plain receive)."""
    codes = np.full(len(operations), -1)
    for way, name in _MODELS.items():
        codes[operations.way == way] = MODELS.index(name)
    multiplexed = operations.way == MULTIPLEXED
    for number in np.unique(operations.waited_in[multiplexed]).tolist():
        codes[multiplexed & (operations.waited_in == number)] = MODELS.index(_WAITS[number])
    codes[(codes == MODELS.index("epoll-lt")) & (operations.events & EPOLLET > 0)] = MODELS.index("epoll-et")
    undecided = codes < 0
    if undecided.any():
        order = np.argsort(operations.tid, kind="stable")
        codes[order] = _filled(codes[order], operations.tid[order])
        backwards = order[::-1]
        codes[backwards] = _filled(codes[backwards], operations.tid[backwards])
    return np.where(codes < 0, MODELS.index("blocking"), codes)


def _filled(codes: np.ndarray, tids: np.ndarray) -> np.ndarray:
    """What is undecided (−1) takes the nearest decided one before it of the same thread."""
    last = np.maximum.accumulate(np.where(codes >= 0, np.arange(len(codes)), -1))
    near = np.maximum(last, 0)
    return np.where((last >= 0) & (tids[near] == tids), codes[near], -1)


def judge(operations: Operations, models: np.ndarray) -> Verdict:
    """The verdict on operations with their models (models_of)."""
    if not len(operations):
        return Verdict("none", None, 1.0, ["no receive brought data in on a socket or pipe"])
    counts = np.bincount(models, minlength=len(MODELS))
    order = np.argsort(-counts, kind="stable")
    order = order[counts[order] > 0]
    name, most = MODELS[order[0]], int(counts[order[0]])
    evidence = []
    for code in order.tolist():
        mine = models == code
        evidence += _evidence(MODELS[code], operations if mine.all() else operations.take(mine))
    undecided = int((operations.way == AT_ONCE).sum())
    share = most / len(operations)
    # Laplace's rule of succession on the operations that show the model by themselves
    shown = most - min(undecided, most)
    confidence = min(0.99, round((shown + 1) / (shown + 2), 2)) if shown else 0.5
    if share < DOMINANT:
        shares = {MODELS[code]: round(int(counts[code]) / len(operations), 4) for code in order.tolist()}
        kinds = {SYNCHRONOUS[model] for model in shares}
        return Verdict("mixed", kinds.pop() if len(kinds) == 1 else None, confidence, evidence, shares)
    return Verdict(name, SYNCHRONOUS[name], confidence, evidence)


def _evidence(model: str, operations: Operations) -> list[str]:
    """What was seen, with counts."""
    count = len(operations)
    shown = operations.way != AT_ONCE
    many = int(shown.sum())
    lines = []
    if model == "blocking":
        lines.append(f"{many} of {count} receives slept inside the call until their data came, "
                     f"{int(operations.slept[shown].sum()) / 1e6:.1f} ms in all")
    elif model == "nonblocking":
        lines.append(f"{int(operations.fruitless[shown].sum())} calls came back with EAGAIN before {many} of {count} "
                     "receives succeeded")
        lines.append("no receive slept, and no select, poll, epoll or signal told of the data")
    elif model in ("select", "poll", "epoll-lt", "epoll-et"):
        call = "epoll_wait" if model.startswith("epoll") else model
        lines.append(f"{many} of {count} receives came after {call} had said the descriptor was ready; "
                     f"{int(operations.waited_asleep[shown].sum())} times the thread slept in {call}")
        if model.startswith("epoll"):
            lines.append(f"registered with{'' if model == 'epoll-et' else 'out'} EPOLLET")
    elif model == "signal":
        lines.append(f"{many} of {count} receives came after a signal said that data was there")
        lines.append("between the operations the thread waited in no call")
    elif model == "posix-aio":
        lines.append(f"{count} aio_reads; another thread of the process (the C library's) made the receive")
        lines.append(f"{int((operations.signal > 0).sum())} completion signals (SI_ASYNCIO) came after the copy")
    if many < count:
        lines.append(f"{count - many} receives found their data waiting already")
    return lines
