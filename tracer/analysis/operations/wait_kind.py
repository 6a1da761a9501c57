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
            & ~known.slept,  # who slept for the data was told of something else
            known.signal.number > 0,
            known.slept | known.slept_inside,
            known.found_empty,
        ],
        [POSIX_AIO, MULTIPLEXED, SIGNAL, BLOCKED, POLLED],
        AT_ONCE,
    )
