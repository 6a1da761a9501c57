"""How each operation's data was waited for (docs/model.md, "The verdict")."""

from __future__ import annotations

import numpy as np

from tracer.analysis.operations.evidence import Evidence
from tracer.analysis.operations.table import (
    AT_ONCE,
    BLOCKED,
    MULTIPLEXED,
    POLLED,
    POSIX_AIO,
    SIGNAL,
)


def wait_kind(known: Evidence) -> np.ndarray:
    """int64[n], an index into WAIT_KINDS: the first of these that holds."""
    return np.select(
        [
            known.aio.asked_at > 0,  # a helper thread received for an aio_read
            (known.told_by >= 0)
            & ~known.slept_for_it,  # who slept for the data was told of something else
            known.signal.number > 0,
            # a receive that timed out, or was interrupted, was a wait all the same
            known.slept_for_it | (known.slept_ns > 0),
            known.eagain_count > 0,
        ],
        [POSIX_AIO, MULTIPLEXED, SIGNAL, BLOCKED, POLLED],
        AT_ONCE,
    )
