"""Which thread owned the lock that another began to wait for, by glibc's own note in its mutexes (KIND_OWNER).

The probes read the word that is a mutex's owner if the futex word belongs to a mutex, whatever it belongs to. So it is
believed only where it names another thread that is alive then: of the same process, or, for a lock that processes
share, any that the recording knows. It is a number of the thread's own PID namespace; in another one than the first it
names no thread here, and nothing is believed.
"""

from __future__ import annotations

import numpy as np

from tracer.recording.batch import RecordBatch
from tracer.recording.fields import Births, Exits, LockOwners

_NEVER = np.iinfo(np.int64).max


class Owners:
    """What was read, and which threads lived when. Feed batches in time order, with lives in the place of IDs."""

    def __init__(self) -> None:
        self._read: list[np.ndarray] = []  # int64[n, 3]: waiter, entry of its wait (ns), owner
        self._births: list[np.ndarray] = []  # int64[n, 3]: thread, since when (ns), process
        self._ends: list[np.ndarray] = []  # int64[n, 2]: thread, when (ns)

    def feed(self, batch: RecordBatch) -> None:
        owners, births, exits = LockOwners.of(batch), Births.of(batch), Exits.of(batch)
        for kept, view, names in (
            (self._read, owners, ("tid", "time", "owner")),
            (self._births, births, ("tid", "time", "tgid")),
            (self._ends, exits.where(~exits.goes_on), ("tid", "time")),
        ):
            if len(view):
                columns = [getattr(view, name).astype(np.int64) for name in names]
                kept.append(np.column_stack(columns))

    def owned(self, tids: np.ndarray, starts: np.ndarray, processes: np.ndarray) -> np.ndarray:
        """bool[n]: whether another thread owned what each thread began to wait for at its time (ns). processes: in
        which the owner must be, 0 where processes share the word."""
        if not self._read or not len(tids):
            return np.zeros(len(tids), bool)
        owner = _find(np.concatenate(self._read), tids, starts)
        born, process = _first(_all(self._births, 3), owner)
        ended, _ = _first(_all(self._ends, 2), owner)
        owned: np.ndarray = (
            (owner > 0)
            & (owner != tids)
            & (born <= starts)
            & (starts <= ended)
            & ((processes == 0) | (process == processes))
        )
        return owned


def _all(pieces: list[np.ndarray], width: int) -> np.ndarray:
    return np.concatenate(pieces) if pieces else np.empty((0, width), np.int64)


def _find(read: np.ndarray, tids: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """int64[n]: what was read at each thread's entry (ns), 0 where nothing was. read: int64[m, 3]."""
    read = read[np.lexsort((read[:, 1], read[:, 0]))]
    keys, wanted = _keys(read[:, 0], read[:, 1], tids, starts)
    place = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    return np.where(keys[place] == wanted, read[place, 2], 0)


def _keys(
    tids: np.ndarray, times: np.ndarray, other_tids: np.ndarray, other_times: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """(thread, time) as one number that keeps the order, for both lists alike."""
    instants = np.unique(np.concatenate([times, other_times]))
    return (
        tids * len(instants) + np.searchsorted(instants, times),
        other_tids.astype(np.int64) * len(instants) + np.searchsorted(instants, other_times),
    )


def _first(table: np.ndarray, tids: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(when the table first has each thread, ns, else never; its last column there, else 0), int64[n] each."""
    if not len(table):
        return np.full(len(tids), _NEVER), np.zeros(len(tids), np.int64)
    known, rows = np.unique(table[:, 0], return_index=True)
    place = np.minimum(np.searchsorted(known, tids), len(known) - 1)
    found, row = known[place] == tids, rows[place]
    return np.where(found, table[row, 1], _NEVER), np.where(found, table[row, -1], 0)
