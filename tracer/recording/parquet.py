"""One run as one Parquet file: records as columns that DuckDB, pandas and Polars read as they are, with the run's
facts (command, kernel, ledger, the workload's own notes) as JSON in the file's metadata."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import numpy as np

from tracer.errors import IotraceError
from tracer.kernel import syscalls
from tracer.recording import malloc
from tracer.recording.batch import NAMES, RecordBatch, joined
from tracer.recording.records import Kind, empty

if TYPE_CHECKING:  # imported where it is used: that takes longer than most commands
    import pyarrow as pa
    from pyarrow import parquet as pq

SCHEMA = 1
_KEY = b"iotrace"
# Rows in a row group; each costs the writer some 20 KiB of memory until the file is closed.
ROWS = 1 << 18
_AT_ONCE = 1 << 17  # rows read at once: measured best of 2^15 to 2^19
_CALLS = (Kind.CALL, Kind.ARGS, Kind.OPEN, Kind.UNENTERED)
_IS_CALL = np.isin(np.arange(1 << 16), _CALLS)
# The file's name of a column, and the record's.
_PLAIN = (
    ("time_ns", "time"),
    ("start_ns", "start"),
    ("result", "result"),
    ("tid", "tid"),
    ("nr", "nr"),
    ("fd", "fd"),
    ("arg", "arg"),
)
_READ = ["kind", *(name for name, _ in _PLAIN)]


class RecordingError(IotraceError):
    """A file that is no recording, or one that this version cannot read; the text is for the user."""


def _schema() -> pa.Schema:
    import pyarrow as pa

    text = pa.dictionary(pa.int16(), pa.string())
    return pa.schema(
        [
            ("time_ns", pa.int64()),
            ("start_ns", pa.int64()),
            ("result", pa.int64()),
            ("tid", pa.uint32()),
            ("kind", text),
            ("call", text),
            ("nr", pa.uint16()),
            ("fd", pa.int32()),
            ("arg", pa.uint32()),
        ]
    )


class Writer:
    """Writes records as they come; raises OSError. Use as a context manager, which closes the file of a failed run."""

    def __init__(self, path: str) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        self._path = path
        malloc.keep()
        pool = pa.system_memory_pool()  # Arrow's own gives memory back, too
        os.close(
            os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        )  # its writer's alone, whatever the umask
        self._file = pa.OSFile(path, "wb")
        os.set_inheritable(self._file.fileno(), False)  # pyarrow leaves that out
        # Times as differences: a fifth of the size and half the time of a dictionary or of plain values with lz4.
        self._writer = pq.ParquetWriter(
            self._file,
            _schema(),
            compression="none",
            write_statistics=["time_ns"],
            use_dictionary=["result", "tid", "kind", "call", "nr", "fd", "arg"],
            memory_pool=pool,
            column_encoding=dict.fromkeys(("time_ns", "start_ns"), "DELTA_BINARY_PACKED"),
        )
        self._pending: list[RecordBatch] = []
        self._rows = 0
        self._last = -(1 << 62)
        self._ordered = True

    def __enter__(self) -> Writer:
        return self

    def __exit__(self, failure: type | None, *_exc: object) -> None:
        if failure:
            self.abandon()

    def write(self, records: RecordBatch) -> None:
        """Records in time order."""
        if not len(records):
            return
        self._ordered &= int(records.time[0]) >= self._last
        self._last = int(records.time[-1])
        self._pending.append(records)
        self._rows += len(records)
        if self._rows >= ROWS:
            self._flush()

    def close(self, facts: dict[str, Any]) -> None:
        """Writes what is left and `facts` (JSON) as metadata."""
        self._flush()
        facts = {"schema": SCHEMA, "ordered": self._ordered, **facts}
        with self._clear():
            self._writer.add_key_value_metadata({_KEY: json.dumps(facts).encode()})
            self._writer.close()
            self._file.close()

    def abandon(self) -> None:
        """Closes a file that will not be finished; the exception that prevented that has been raised already."""
        with suppress(OSError):
            self._writer.close()
        with suppress(OSError):
            self._file.close()

    def _flush(self) -> None:
        if self._pending:
            rows = joined(self._pending) if len(self._pending) > 1 else self._pending[0]
            with self._clear():
                for first in range(0, len(rows), ROWS):
                    self._writer.write_table(_table(rows.take(slice(first, first + ROWS))))
            self._pending, self._rows = [], 0

    @contextmanager
    def _clear(self) -> Iterator[None]:
        """pyarrow's OSError says neither the file nor the reason as the system does."""
        try:
            yield
        except OSError as error:
            raise OSError(error.errno, os.strerror(error.errno or 0), self._path) from None


def read_facts(path: str) -> dict[str, Any]:
    """The run's facts, with `rows`: the number of records that the file holds; raises RecordingError."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        file = pq.read_metadata(path)
        metadata = file.metadata or {}
    except FileNotFoundError:
        raise RecordingError(f"{path}: no such file") from None
    except (OSError, pa.ArrowException) as error:
        if isinstance(error, (PermissionError, IsADirectoryError)):
            raise RecordingError(f"{path}: {error.strerror}") from None
        raise RecordingError(f"{path}: not a recording, or a damaged one") from None
    if _KEY not in metadata:
        raise RecordingError(f"{path}: a Parquet file, but not a recording of iotrace")
    try:
        facts: dict[str, Any] = json.loads(metadata[_KEY])
        schema = int(facts["schema"])
    except (ValueError, LookupError, TypeError):
        raise RecordingError(f"{path}: damaged: its facts cannot be read") from None
    if schema > SCHEMA:
        raise RecordingError(
            f"{path}: recorded by a newer iotrace (schema {schema}, known up to {SCHEMA})"
        )
    return facts | {"rows": file.num_rows}


def columns(path: str, since: int | None = None, until: int | None = None) -> Iterator[RecordBatch]:
    """The records with since <= time <= until (ns), in time order, a batch at a time; raises RecordingError."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    facts = read_facts(path)
    try:
        with pq.ParquetFile(path, memory_map=True) as file:
            groups = [
                group
                for group in range(file.num_row_groups)
                if _overlaps(file.metadata.row_group(group), since, until)
            ]
            batches: Iterator[RecordBatch] = (
                _columns(file.read_row_group(group, _READ)) for group in groups
            )
            if not facts["ordered"]:
                all_records = joined([RecordBatch.of(empty()), *batches])
                batches = iter([all_records.take(np.argsort(all_records.time, kind="stable"))])
            for batch in batches:
                first = 0 if since is None else np.searchsorted(batch.time, since, "left")
                last = len(batch) if until is None else np.searchsorted(batch.time, until, "right")
                for begin in range(first, last, _AT_ONCE):
                    yield batch.take(slice(begin, min(begin + _AT_ONCE, last)))
    except (OSError, pa.ArrowException, LookupError, ValueError):
        raise RecordingError(f"{path}: damaged: its records cannot be read") from None


def read(path: str) -> Iterator[np.ndarray]:
    """The records in time order, RECORD[n] a batch; raises RecordingError."""
    return (batch.records() for batch in columns(path))


def _kind_names() -> list[str]:
    known = {kind.value: kind.name.lower() for kind in Kind}
    return [known.get(value, f"kind_{value}" if value else "") for value in range(max(known) + 1)]


def _numbered(name: str) -> int:
    """The number of a kind that was written without a name; 0, which nothing reads, for a kind newer than we are."""
    prefix, _, number = name.partition("_")
    return int(number) if prefix == "kind" and number.isdigit() and int(number) <= max(Kind) else 0


def _table(records: RecordBatch) -> pa.Table:
    import pyarrow as pa

    calls = pa.DictionaryArray.from_arrays(*_call_names(records))
    kinds = pa.DictionaryArray.from_arrays(pa.array(records.kind.astype(np.int16)), _kind_names())
    plain = {name: pa.array(getattr(records, field)) for name, field in _PLAIN}
    arrays = {**plain, "kind": kinds, "call": calls}
    return pa.table([arrays[name] for name in _schema().names], schema=_schema())


def _call_names(records: RecordBatch) -> tuple[pa.Array, list[str]]:
    """(the index of each record's call among the names, null where the record is of no call; those names)."""
    import pyarrow as pa

    is_call = _IS_CALL[records.kind]
    numbers = np.flatnonzero(np.bincount(records.nr[is_call]))
    codes = np.zeros(1 << 16, np.int16)
    codes[numbers] = np.arange(len(numbers))
    codes = codes[records.nr]
    names = [syscalls.name_of(number) for number in numbers.tolist()]
    whole = np.flatnonzero(is_call & (records.nr & syscalls.WHOLE == syscalls.WHOLE))
    for nr, arg in set(zip(records.nr[whole].tolist(), records.arg[whole].tolist(), strict=True)):
        codes[whole[(records.nr[whole] == nr) & (records.arg[whole] == arg)]] = len(names)
        names.append(syscalls.name_of(nr, arg))
    return pa.array(codes, mask=None if is_call.all() else ~is_call), names or [""]


def _columns(table: pa.Table) -> RecordBatch:
    """A row group as columns, without a copy where the file holds the very values."""
    kinds = table.column("kind").combine_chunks()
    kinds = kinds.chunk(0) if hasattr(kinds, "chunk") else kinds
    numbers = {name: number for number, name in enumerate(_kind_names())}
    code = np.array(
        [numbers.get(name, _numbered(name)) for name in kinds.dictionary.to_pylist()], np.uint16
    )
    plain = {field: table.column(name).to_numpy() for name, field in _PLAIN}
    return RecordBatch(
        *(code[kinds.indices.to_numpy()] if name == "kind" else plain[name] for name in NAMES)
    )


def _overlaps(group: pq.RowGroupMetaData, since: int | None, until: int | None) -> bool:
    """Whether a row group may hold records of that time; true where the group has no statistics."""
    statistics = group.column(0).statistics
    if statistics is None or not statistics.has_min_max:
        return True
    return (until is None or statistics.min <= until) and (since is None or statistics.max >= since)
