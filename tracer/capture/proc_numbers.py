"""Under which numbers /proc has the threads of the records, which have IDs of the initial PID namespace."""

from __future__ import annotations

import os
from collections.abc import Mapping

from tracer.capture.attach import Adopter


class ProcNumbers:
    """Of threads: ID in the kernel's records → number in /proc. In a PID namespace that is known of few threads, and of
    no other one is anything looked up: /proc would have another's."""

    def __init__(self, adopter: Adopter) -> None:
        self._adopter = adopter
        self._same: bool | None = None
        self._known: dict[int, int] = {}

    def number(self, tid: int) -> int | None:
        """The thread's number in /proc, None where it is not known."""
        return tid if self._are_same() else self._known.get(tid)

    def numbers(self, tids: set[int]) -> dict[int, int]:
        """The numbers of processes: of all that /proc has, so this takes its time in a PID namespace."""
        if self._are_same():
            return {tid: tid for tid in tids}
        shown = (int(name) for name in os.listdir("/proc") if name.isdigit())
        found = {self._adopter.kernel_id(number): number for number in shown}
        return {tid: found[tid] for tid in tids & found.keys()}

    def learn(self, number: int) -> None:
        """Remembers a process that /proc has under `number`."""
        if tid := self._adopter.kernel_id(number):
            self._known[tid] = number

    def adopted(self, seen_as: Mapping[int, int]) -> None:
        """Remembers adopted threads: number in /proc → ID in the kernel."""
        self._known |= {tid: number for number, tid in seen_as.items()}

    def _are_same(self) -> bool:
        if self._same is None:
            me = int(os.readlink("/proc/self"))
            self._same = self._adopter.kernel_id(me) == me
        return self._same
