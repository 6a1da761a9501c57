"""Keys of the report's `latency`, beside tracer/report/contract.py: what the programs' own clocks say of the trace."""

from __future__ import annotations

from typing import TypedDict


class Distances(TypedDict):
    """How far two clocks' times of the same event lie apart, in ns; percentiles are nearest-rank. Negative where what
    must be later was seen earlier."""

    count: int
    min_ns: int
    p50_ns: int
    p90_ns: int
    p99_ns: int
    max_ns: int


class Accuracy(TypedDict):
    """How far the trace's boundaries lie from the programs' own stamps.

    done_to_user: from an operation's end to the receiver's stamp, the first thing that it does when it knows.
    send_to_ready: from the sender's stamp, just before its send, to the data's readiness, where that was seen.
    """

    done_to_user: Distances | None
    send_to_ready: Distances | None
