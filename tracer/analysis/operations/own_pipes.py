"""Pipes that a process fills itself by splice(2), tee(2) and vmsplice(2): what it takes out of them came in before.

A proxy splices from a socket into a pipe and from the pipe into another socket. The first brings data in, and is an
operation; the second moves on what was there.
"""

from __future__ import annotations

import os
import stat

import numpy as np

from tracer.analysis.identity.descriptors import Descriptors, Files
from tracer.analysis.identity.open_files import S_IFMT
from tracer.analysis.operations.kernel_requests import of_process
from tracer.analysis.tables.asof import AsOf
from tracer.analysis.tables.number_set import number_set
from tracer.analysis.threads.timeline import Calls
from tracer.kernel import syscalls


class OwnPipes:
    """Feed the calls of each batch, in order of time."""

    def __init__(self) -> None:
        self._filled = AsOf(
            1
        )  # (process, file) → 1, from the return of the call that filled it first
        self._moves = number_set(syscalls.class_numbers(("splice", "tee")))
        self._vmsplice = syscalls.numbers()["vmsplice"]

    def feed(
        self, calls: Calls, descriptors: Descriptors, tgid: np.ndarray, files: Files
    ) -> np.ndarray:
        """bool[n]: which calls bring nothing in from outside: they move data out of a pipe that the process fills
        itself, or into a pipe from memory. tgid, files: each call's process, and what argument 0 is."""
        inside = np.zeros(len(calls), bool)
        moves, fills = self._moves[calls.nr], calls.nr == self._vmsplice
        if not (moves | fills).any():
            return inside
        out = np.flatnonzero(moves | fills)
        inside |= fills & writes(files)
        filled = np.where(moves, calls.arg, calls.fd).astype(np.int64)
        moves |= inside
        self._note(calls.take(moves), descriptors, tgid[moves], filled[moves])
        inside[out] |= self._filled.find(of_process(tgid[out], files.number[out]), calls.end[out])[
            0
        ]
        return inside

    def _note(
        self, calls: Calls, descriptors: Descriptors, tgid: np.ndarray, fd: np.ndarray
    ) -> None:
        """Keeps which pipes these calls filled first. fd: int64[n], the descriptor that each wrote to."""
        files = descriptors.files(calls.tid, fd, calls.start)
        filled = (calls.result > 0) & (files.mode & S_IFMT == stat.S_IFIFO)
        keys, times = of_process(tgid, files.number)[filled], calls.end[filled]
        order = np.lexsort((times, keys))
        keys, times = keys[order], times[order]
        new = np.append(True, keys[1:] != keys[:-1])[: len(keys)] & ~self._filled.has(keys)
        self._filled.add(keys[new], times[new], np.ones(int(new.sum()), np.int64))


def writes(files: Files) -> np.ndarray:
    """bool[n]: which descriptors can be written to, as vmsplice decides what it does: it writes where it can
    (vmsplice_type, fs/splice.c)."""
    writable: np.ndarray = files.flags & os.O_ACCMODE != os.O_RDONLY
    return writable
