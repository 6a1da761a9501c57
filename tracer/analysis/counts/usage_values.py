"""The names of what is counted of each descriptor (FdUsage.values)."""

from __future__ import annotations

import numpy as np

SYSV_QUEUE = -2
"""Stands for the descriptor of a SysV message queue, which has none."""

VALUES = (
    "receives",
    "received_messages",
    "received_bytes",
    "received_unmeasured",
    "looks",
    "receive_again",
    "receive_slept_ns",
    "single_bytes",
    "single_ns",
    "sends",
    "sent_messages",
    "sent_bytes",
    "sent_unmeasured",
    "send_again",
    "sends_blocked",
    "send_slept_ns",
    "accepts",
    "accept_again",
    "accept_slept_ns",
    "accept_lost",
    "full_then_wait",
    "connects",
    "connect_slept_ns",
    "calls_ns",
    "again_runs",
)
"""looks: receives that found data and left it there (MSG_PEEK, tee). …_unmeasured: messages of unknown length.
again_runs: runs of receives that found nothing; single_bytes: receives of one byte after another such receive;
accept_lost: accepts that found no connection though a wait had told of one; full_then_wait: reads that filled the
buffer and were the last before the next wait."""


def columns(count: int, values: dict[str, np.ndarray]) -> tuple[np.ndarray, ...]:
    """These of VALUES, each of `count` rows, and 0 for the others, in the order of VALUES."""
    zero = np.zeros(count, np.int64)
    return tuple(values.get(name, zero) for name in VALUES)
