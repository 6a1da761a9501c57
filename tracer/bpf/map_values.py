"""The values of the probes' maps as numpy dtypes: the structs of probes/iotrace.h."""

from __future__ import annotations

import numpy as np

from tracer.recording.records import RECORD

BATCH_RECORDS = 16  # BATCH
DESCRIBED, CHANGES = 65536, 4096  # how many values the maps of descriptors hold
SLOT_UNSEEN = (
    1  # in a slot's flags: the thread was adopted, and has made neither an entry nor an exit since
)

SLOT = np.dtype(
    [
        ("regs", "<u8"),
        ("enter", "<u8"),
        ("tid", "<u4"),
        ("tgid", "<u4"),
        ("nr", "<u4"),
        ("flags", "<u4"),
        ("chained", "<u4"),
        ("last_fd", "<i4"),
        ("at", "<u2"),
        ("compat", "<u2"),
        ("life", "<u4"),
        ("sent_fd", "<i4"),
        ("changes", "<u4"),
        ("watched", "<u8"),
    ]
)
"""struct slot: one traced thread; regs 0: free; enter: ns, 0 if it is in no call."""

ELEMENT = np.dtype([("record", RECORD), ("gap", "<u8")])
"""struct element: a record in a batch."""

BATCH = np.dtype(
    [
        ("busy", "<u4"),
        ("count", "<u4"),
        ("counted", "<u8"),
        ("lost", "<u8"),
        ("pad", "<u8", 5),
        ("elements", ELEMENT, BATCH_RECORDS),
        ("tail", "<u8", 8),
    ]
)
"""struct batch: one CPU's records on their way to the ring."""

LEDGER = np.dtype(
    [
        ("counted", "<u8"),
        ("lost", "<u8"),
        ("untracked", "<u8"),
        ("unlearnt", "<u8"),
        ("unentered", "<u8"),
        ("arrived", "<u8"),
        ("pad", "<u8", 2),
    ]
)
"""struct ledger: what one CPU's programs counted of what they wrote straight to the ring."""
