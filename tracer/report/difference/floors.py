"""From how far apart the medians of one run each are said to differ: what runs of the same thing have been apart."""

from __future__ import annotations

# ns, by phase: what medians of two runs of one scenario were apart on a busy machine, and some more (docs/diff.md has
# the method and what was measured).
FLOORS_NS = {
    "wait": 10_000_000,
    "notice": 30_000,
    "waking": 30_000,
    "fetching": 15_000,
    "copy": 5_000,
    "completion": 50_000,
}
TIMES = 2.5  # and how many times the smaller of both


def floor_ns(phase: str, one: float, other: float) -> float:
    """From where on two medians (ns) of a phase are told apart."""
    return max(float(FLOORS_NS[phase]), TIMES * min(one, other))
