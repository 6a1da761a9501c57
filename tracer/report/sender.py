"""The sender's side of a run by its own clock: how long its sends took, and where in them the data was made ready.

Through loopback there is no other machine and no device: the sender's own call carries the packet through the whole
receive path (its CPU's softirq runs as the transmit path lets go of it) and wakes who waits, and only then returns.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from tracer.analysis.operations.in_window import OperationsInWindow
from tracer.analysis.operations.table import Operations
from tracer.analysis.steps.step import ReportPart, Results
from tracer.analysis.tables.distribution import distribution
from tracer.report.contract import SendStep


@dataclass(frozen=True)
class Sends:
    """begin, returned: int64[n], when the sender made each send and when it had returned (ns, in that order)."""

    begin: np.ndarray
    returned: np.ndarray

    def __len__(self) -> int:
        return len(self.begin)

    def holding(self, times: np.ndarray) -> np.ndarray:
        """Of each time (ns) the index of the send during which it was, −1 for none."""
        if not len(self):
            return np.full(len(times), -1)
        last = np.searchsorted(self.begin, times, "right") - 1
        inside = (last >= 0) & (times <= self.returned[last])
        return np.where(inside, last, -1)


NO_SENDS = Sends(np.empty(0, np.int64), np.empty(0, np.int64))


class SenderTimes(ReportPart):
    """The report's `sender`."""

    NEEDS = (OperationsInWindow,)

    def finish(self, results: Results) -> dict[str, Any]:
        return {"sender": sender(sends(results.recording.facts), results[OperationsInWindow])}


def sends(facts: dict[str, Any]) -> Sends:
    """The sends that the sender noted; none of a recording that does not hold when they returned."""
    noted: dict[str, Any] = facts.get("sender") or {}
    begin, returned = (
        np.asarray(noted.get(key) or [], np.int64) for key in ("send_begin_ns", "send_returned_ns")
    )
    if len(begin) != len(returned) or (returned < begin).any():
        return NO_SENDS
    return Sends(begin, returned)


def sender(noted: Sends, operations: Operations) -> dict[str, Any] | None:
    """How long sends took, and of the operations whose data was made ready inside one, how long after its beginning
    that was and how much of the send followed; early: how many of these were done before it had returned. None where
    the sender noted nothing."""
    if not len(noted):
        return None
    holder = noted.holding(operations.raw_ready)
    inside = holder >= 0
    of, ready, done = holder[inside], operations.raw_ready[inside], operations.done[inside]
    return {
        "took": distribution(noted.returned - noted.begin),
        "inside": len(of),
        "outside": len(operations) - len(of),
        "until_ready": distribution(ready - noted.begin[of]) if len(of) else None,
        "after_ready": distribution(noted.returned[of] - ready) if len(of) else None,
        "early": int((done <= noted.returned[of]).sum()),
    }


def send_step(noted: Sends, operation: dict[str, int]) -> Iterator[SendStep]:
    """The send that made the operation's data ready, or after which something else did; none that was over when the
    data was asked for. operation: its columns, as Operations.rows gives them."""
    last = int(np.searchsorted(noted.begin, operation["raw_ready"], "right")) - 1
    if last >= 0 and noted.returned[last] > operation["ask"]:
        begin, returned = int(noted.begin[last]), int(noted.returned[last])
        yield {"kind": "send", "enter_ns": begin, "exit_ns": returned}
