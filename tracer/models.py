"""Operations → which I/O model they follow, with evidence that a person can check against the records."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from tracer.operations import Operation

EPOLLET = 1 << 31
SYNCHRONOUS = {"blocking": True, "nonblocking": True, "select": True, "poll": True, "epoll-lt": True, "epoll-et": True,
               "signal": True, "posix-aio": False, "linux-aio": False, "io-uring": False}
_MODELS = {"blocked": "blocking", "polled": "nonblocking", "signal": "signal", "posix-aio": "posix-aio"}
DOMINANT = 0.95  # of the operations; below it the verdict is "mixed"


@dataclass(frozen=True)
class Verdict:
    """A model's name, whether POSIX calls it synchronous, how sure that is (0 to 1), and why."""

    name: str
    synchronous: bool | None
    confidence: float
    evidence: list[str] = field(default_factory=list)
    shares: dict[str, float] = field(default_factory=dict)


def models_of(operations: list[Operation], registrations: dict[tuple[int, int], int]) -> list[str]:
    """Each operation's model. One that had its data at once says nothing by itself: it goes with the thread's
    operation before it, else with the one after it, else it counts as blocking (a plain receive)."""
    names = [_model(operation, registrations) for operation in operations]
    last: dict[int, str] = {}
    for order in (range(len(operations)), reversed(range(len(operations)))):
        last.clear()
        for i in order:
            tid = operations[i].tid
            names[i] = names[i] or last.get(tid)
            if names[i]:
                last[tid] = names[i]
    return [name or "blocking" for name in names]


def judge(operations: list[Operation], registrations: dict[tuple[int, int], int]) -> Verdict:
    """The verdict on a whole run."""
    if not operations:
        return Verdict("none", None, 1.0, ["no receive brought data in on a socket or pipe"])
    models = models_of(operations, registrations)
    counts = Counter(models).most_common()
    name, most = counts[0]
    evidence = []
    for model, _ in counts:
        evidence += _evidence(model, [op for op, its in zip(operations, models, strict=True) if its == model])
    undecided = sum(operation.way == "at once" for operation in operations)
    share = most / len(operations)
    # Laplace's rule of succession on the operations that show the model by themselves
    shown = most - min(undecided, most)
    confidence = min(0.99, round((shown + 1) / (shown + 2), 2)) if shown else 0.5
    if share < DOMINANT:
        shares = {model: round(count / len(operations), 4) for model, count in counts}
        kinds = {SYNCHRONOUS[model] for model in shares}
        return Verdict("mixed", kinds.pop() if len(kinds) == 1 else None, confidence, evidence, shares)
    return Verdict(name, SYNCHRONOUS[name], confidence, evidence)


def _model(operation: Operation, registrations: dict[tuple[int, int], int]) -> str | None:
    if operation.way == "multiplexed":
        if operation.waited_in != "epoll_wait":
            return operation.waited_in
        events = registrations.get((operation.watcher, operation.fd), 0)
        return "epoll-et" if events & EPOLLET else "epoll-lt"
    return _MODELS.get(operation.way)


def _evidence(model: str, operations: list[Operation]) -> list[str]:
    """What was seen, with counts."""
    count = len(operations)
    shown = [operation for operation in operations if operation.way != "at once"]
    lines = []
    if model == "blocking":
        slept = sum(sleep[2] - sleep[0] for op in shown for sleep in op.calls[-1].sleeps if sleep[2])
        lines.append(f"{len(shown)} of {count} receives slept inside the call until their data came, "
                     f"{slept / 1e6:.1f} ms in all")
    elif model == "nonblocking":
        polls = sum(call.count for op in shown for call in op.calls[:-1])
        lines.append(f"{polls} calls came back with EAGAIN before {len(shown)} of {count} receives succeeded")
        lines.append("no receive slept, and no select, poll, epoll or signal told of the data")
    elif model in ("select", "poll", "epoll-lt", "epoll-et"):
        call = "epoll_wait" if model.startswith("epoll") else model
        asleep = sum(any(c.sleeps for c in op.calls[:-1]) for op in shown)
        lines.append(f"{len(shown)} of {count} receives came after {call} had said the descriptor was ready; "
                     f"{asleep} times the thread slept in {call}")
        if model.startswith("epoll"):
            lines.append(f"registered with{'' if model == 'epoll-et' else 'out'} EPOLLET")
    elif model == "signal":
        lines.append(f"{len(shown)} of {count} receives came after a signal said that data was there")
        lines.append("between the operations the thread waited in no call")
    elif model == "posix-aio":
        told = sum(bool(op.signal) for op in operations)
        lines.append(f"{count} aio_reads; another thread of the process (the C library's) made the receive")
        lines.append(f"{told} completion signals (SI_ASYNCIO) came after the copy")
    if len(shown) < count:
        lines.append(f"{count - len(shown)} receives found their data waiting already")
    return lines
