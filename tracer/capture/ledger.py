"""The ledger of a recording: what the kernel side counted = what was delivered + what was lost."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np


@dataclass
class Ledger:
    """What the kernel side counted: `counted` = records it meant to write, of which `lost` found no room.

    missed: runs of a program that the kernel skipped, None where it does not say (before Linux 5.12).
    untracked: threads that found no slot; unlearnt: sockets that found no room; open: calls not yet returned.
    unentered: exits of calls whose entry the kernel did not show; added: records that iotrace itself wrote beside those
    delivered (and those of open calls). So a recording has delivered + open + added rows.
    """

    counted: int = 0
    delivered: int = 0
    lost: int = 0
    open: int = 0
    missed: int | None = None
    untracked: int = 0
    unlearnt: int = 0
    unentered: int = 0
    added: int = 0

    @classmethod
    def of(
        cls,
        ledgers: np.ndarray,
        batches: np.ndarray,
        *,
        delivered: int,
        still_open: int,
        missed: int | None,
    ) -> Ledger:
        """The sum over CPUs. ledgers: LEDGER[CPUs], batches: BATCH[CPUs] (tracer/bpf/map_values.py)."""
        return cls(
            counted=int(ledgers["counted"].sum() + batches["counted"].sum()),
            delivered=delivered,
            lost=int(ledgers["lost"].sum() + batches["lost"].sum()),
            open=still_open,
            missed=missed,
            untracked=int(ledgers["untracked"].sum()),
            unlearnt=int(ledgers["unlearnt"].sum()),
            unentered=int(ledgers["unentered"].sum()),
        )

    @property
    def balanced(self) -> bool:
        """counted = delivered + lost."""
        return self.counted == self.delivered + self.lost

    def facts(self) -> dict[str, Any]:
        """As a recording keeps it."""
        return asdict(self) | {"balanced": self.balanced}
