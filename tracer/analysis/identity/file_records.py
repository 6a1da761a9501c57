"""DESCRIPTOR records with the FILE records that tell what kind of file it is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tracer.analysis.tables.table import Table
from tracer.recording import fields
from tracer.recording.batch import RecordBatch, joined
from tracer.recording.records import Kind, empty


@dataclass(slots=True)
class FileFacts(Table):
    """Of each DESCRIPTOR record what its FILE record said, 0 and magic -1 where there is none. low, high: the name, or
    a socket's facts; open_file: which open file (Files)."""

    magic: np.ndarray
    low: np.ndarray
    high: np.ndarray
    open_file: np.ndarray


class FileRecords:
    """Feed batches in time order."""

    def __init__(self) -> None:
        self._carried = RecordBatch.of(empty())  # FILE records whose DESCRIPTOR record has not come

    def feed(self, batch: RecordBatch) -> FileFacts:
        """Of each DESCRIPTOR record of the batch, those of a thread together and in order, threads by their IDs."""
        wanted = (batch.kind == Kind.DESCRIPTOR) | ((batch.kind == Kind.FILE) & (batch.fd >= 0))
        rows = joined([self._carried, batch.take(np.flatnonzero(wanted))])
        rows = rows.take(np.argsort(rows.tid, kind="stable"))
        is_file = rows.kind == Kind.FILE
        follows = np.zeros(len(rows), bool)  # a FILE record of the same thread
        follows[1:] = is_file[:-1] & (rows.tid[1:] == rows.tid[:-1])
        last = np.append(rows.tid[1:] != rows.tid[:-1], True)[: len(rows)]
        self._carried = rows.take(is_file & last)
        places = np.flatnonzero(~is_file)
        before = np.maximum(places - 1, 0)
        files = fields.Files(rows, before)
        known = follows[places] & (files.fd == rows.fd[places])
        told = (files.low, files.high, files.open_file.astype(np.int64))
        return FileFacts(
            np.where(known, files.magic.astype(np.int64), -1),
            *(np.where(known, column, 0) for column in told),
        )
