"""From how far apart the medians of one run each are said to differ: what runs of the same thing have been apart."""

from __future__ import annotations

# ns, by phase: what medians of two runs of one scenario were apart on a busy machine, and some more (docs/diff.md has
# the method and what was measured).
FLOORS_NS = {
    "wait": 10_000_000,
    "notice": 50_000,
    "waking": 50_000,
    "fetching": 18_000,
    "copy": 15_000,
    "completion": 100_000,
}
TIMES = 5.0  # and how many times the smaller of both


def floor_ns(phase: str, one: float, other: float) -> float:
    """From where on two medians (ns) of a phase are told apart."""
    return max(float(FLOORS_NS[phase]), TIMES * min(one, other))
