"""The messages of recvmmsg(2) and sendmmsg(2): how many bytes those of each call had, and the call's flags."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tracer.analysis.tables.asof import following
from tracer.analysis.tables.table import Table
from tracer.recording import fields
from tracer.recording.batch import RecordBatch


@dataclass(slots=True)
class Messages(Table):
    """Calls of recvmmsg and sendmmsg, by thread and end (ns): their flags (MSG_*), and of how many messages the bytes
    are known, and how many bytes those are."""

    tid: np.ndarray
    end: np.ndarray
    flags: np.ndarray
    count: np.ndarray
    bytes: np.ndarray

    def of(self, tids: np.ndarray, ends: np.ndarray) -> np.ndarray:
        """The row of each call, by its thread and end (ns); −1: nothing is known of its messages."""
        row = following(self.tid, self.end, tids, ends)
        known = row >= 0
        known[known] = self.end[row[known]] == ends[known]
        return np.where(known, row, -1)


def messages_of(
    rows: RecordBatch, calls: fields.Calls, next_call: np.ndarray
) -> tuple[Messages, np.ndarray]:
    """(the calls of recvmmsg and sendmmsg, in their order; for each row whether it tells of the messages of a call that
    has not ended yet)."""
    told, left = fields.Messages.of(rows), np.zeros(len(rows), bool)
    if not len(told):
        return no_messages(), left
    call_index = next_call[told.places]
    known = call_index < len(calls)
    known[known] = calls.where(call_index[known]).tid == told.tid[known]
    left[told.places[~known]] = True
    told, call_index = told.where(known), call_index[known]
    whose, first = np.unique(call_index, return_index=True)
    of = np.searchsorted(whose, call_index)
    call, sums = calls.where(whose), np.zeros((2, len(whose)), np.int64)
    np.add.at(sums[0], of, told.count)
    np.add.at(sums[1], of, told.bytes)
    messages = Messages(call.tid, call.time, told.flags[first], *sums)
    return messages.where(call.number == told.number[first]), left


def no_messages() -> Messages:
    """A table without rows."""
    none = np.empty(0, np.int64)
    return Messages(np.empty(0, np.uint32), none, np.empty(0, np.uint32), none, none)
