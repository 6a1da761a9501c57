"""What a call of select(2), poll(2) or epoll_wait(2) takes by the number of descriptors: the trials trials.watching and
trials.watching_cold, which two claims judge."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tracer.claims.claim import Wanted, spread, time
from tracer.claims.trace_view import TraceView, of_class
from tracer.kernel import syscalls

CALLS = ("select", "poll", "epoll_wait")
RUNS = {
    "warm": Wanted("trials.watching", messages=40, proto="none", compared=True),
    "cold": Wanted("trials.watching_cold", messages=4, proto="none", compared=True),
}
Costs = dict[str, dict[int, list[float]]]
"""Of each call and each number of descriptors the time on a CPU from entry to exit (ns), the median of each round."""


def costs(runs: Sequence[TraceView]) -> Costs | None:
    """From all rounds of one trial; None where one of the calls was not made, or made on one number alone."""
    found: Costs = {call: {} for call in CALLS}
    for run in runs:
        for call in CALLS:
            for number, median in _by_number(run, call).items():
                found[call].setdefault(number, []).append(median)
    return found if all(len(by_number) > 1 for by_number in found.values()) else None


def growth(by_number: dict[int, list[float]]) -> list[float]:
    """How many times as much a call takes with the most descriptors as with the fewest, in each round."""
    few, many = by_number[min(by_number)], by_number[max(by_number)]
    return [more / less for more, less in zip(many, few, strict=True)]


def shown(values: Sequence[float]) -> str:
    """The median of the rounds: 641 ns."""
    return time(spread(values).middle)


def _by_number(run: TraceView, call: str) -> dict[int, float]:
    """Number of descriptors → median time on a CPU of a call (ns). The number is poll's second argument, or how many
    epoll_ctl added; select, which does not pass it, is given the same numbers in the same order."""
    calls = run.of_class(call)
    calls = calls.take(calls.result > 0)
    cpu_ns = calls.end - calls.start - calls.slept
    keys = {"select": calls.fd, "poll": calls.arg.astype(np.int64), "epoll_wait": calls.fd}[call]
    medians = {key: float(np.median(cpu_ns[keys == key])) for key in np.unique(keys).tolist()}
    if call == "epoll_wait":
        added = of_class(run.set_up, "epoll_ctl")
        added = added.take((added.arg == syscalls.EPOLL_CTL_ADD) & (added.result == 0))
        return {int((added.fd == epoll).sum()): median for epoll, median in medians.items()}
    if call == "select":
        numbers = sorted(_by_number(run, "poll"))
        return dict(zip(numbers, (medians[key] for key in sorted(medians)), strict=False))
    return medians
