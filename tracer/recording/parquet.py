"""One run as one Parquet file: records as columns that DuckDB, pandas and Polars read as they are, with the run's
facts (command, kernel, ledger, the workload's own notes) as JSON in the file's metadata (tracer/recording/facts.py).

A file that is read can come from anywhere, and can be damaged: what it says of itself is bounded by its size, and its
columns, pages, rows and facts are checked before anything of them is given away."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import numpy as np

from tracer import text
from tracer.errors import IotraceError
from tracer.kernel import syscalls
from tracer.recording import checks, malloc
from tracer.recording import facts as facts_of
from tracer.recording.batch import NAMES, RecordBatch, joined
from tracer.recording.records import Kind, empty

if TYPE_CHECKING:  # imported where it is used: that takes longer than most commands
    import pyarrow as pa
    from pyarrow import parquet as pq

    from tracer.recording.facts import Group

_KEY = b"iotrace"
# Rows in a row group; each costs the writer some 20 KiB of memory until the file is closed.
ROWS = 1 << 18
_AT_ONCE = 1 << 17  # rows read at once: measured best of 2^15 to 2^19
# What a file may claim, beside its own size in bytes: recordings have had 5 bytes a row and more, generated ones 1/4.
_MOST_ROWS_A_BYTE = 16
_MOST_ROWS_A_GROUP = 1 << 20
_MOST_BYTES_A_GROUP = 1 << 28
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

    words = pa.dictionary(pa.int16(), pa.string())
    return pa.schema(
        [
            ("time_ns", pa.int64()),
            ("start_ns", pa.int64()),
            ("result", pa.int64()),
            ("tid", pa.uint32()),
            ("kind", words),
            ("call", words),
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
        self._file = pa.OSFile(os.fsencode(path), "wb")
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
            write_page_checksum=True,
        )
        self._groups: list[Group] = []
        self._pending: list[RecordBatch] = []
        self._rows = 0
        self._last = -(1 << 62)
        self._ordered = True

    def __enter__(self) -> Writer:
        return self

    def __exit__(self, failure: type | None, *_exc: object) -> None:
        if failure:
            self.abandon()

    def begin(self, facts: dict[str, Any]) -> None:
        """The facts that are known before the first records: close() has them again."""

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
        facts = {"schema": facts_of.SCHEMA, "ordered": self._ordered, **facts}
        with telling(self._path):
            written = facts_of.written(facts | {"groups": self._groups})
            self._writer.add_key_value_metadata({_KEY: written})
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
            with telling(self._path):
                for first in range(0, len(rows), ROWS):
                    group = rows.take(slice(first, first + ROWS))
                    self._writer.write_table(_table(group))
                    self._groups.append(checks.group(group))
            self._pending, self._rows = [], 0


@contextmanager
def telling(path: str) -> Iterator[None]:
    """A context for writing to `path`: pyarrow's OSError says neither the file nor the reason as the system does."""
    try:
        yield
    except OSError as error:
        raise OSError(error.errno, os.strerror(error.errno or 0), path) from None


def read_facts(path: str) -> dict[str, Any]:
    """The run's facts, and beside them `rows`, the number of records that the file holds, and `checked`: whether pages,
    rows and facts have checksums that hold (those of rows are looked at when they are read). Raises RecordingError."""
    with _opened(path) as file:
        return _facts(file)


def columns(
    path: str, since: int | None = None, until: int | None = None, threads: bool = True
) -> Iterator[RecordBatch]:
    """The records with since <= time <= until (ns), in time order, a batch at a time; raises RecordingError.

    threads: whether pyarrow may decode columns side by side."""
    with _opened(path) as file:
        facts = _facts(file)
        groups = [
            group
            for group in range(file.num_row_groups)
            if _overlaps(file.metadata.row_group(group), facts, group, since, until)
        ]
        batches: Iterator[RecordBatch] = (_group(file, facts, group, threads) for group in groups)
        if not facts["ordered"]:
            all_records = joined([RecordBatch.of(empty()), *batches])
            batches = iter([all_records.take(np.argsort(all_records.time, kind="stable"))])
        last_ns = 0
        for batch in batches:
            if len(batch) and int(batch.time[0]) < last_ns:
                raise ValueError("its records are not in the order of time")
            last_ns = int(batch.time[-1]) if len(batch) else last_ns
            first = 0 if since is None else np.searchsorted(batch.time, since, "left")
            last = len(batch) if until is None else np.searchsorted(batch.time, until, "right")
            for begin in range(first, last, _AT_ONCE):
                yield batch.take(slice(begin, min(begin + _AT_ONCE, last)))


@contextmanager
def _opened(path: str) -> Iterator[pq.ParquetFile]:
    """The file, opened; what goes wrong in the context is a RecordingError that names it."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    name = text.shown(path)
    try:
        _refuse_irregular(path)
        with (
            pa.memory_map(os.fsencode(path)) as source,
            pq.ParquetFile(source, page_checksum_verification=True) as file,
        ):
            _refuse_claims(file, source.size())
            yield file
    except facts_of.NewerError as error:
        known = f"known up to {facts_of.SCHEMA}"
        why = f"recorded by a newer iotrace (schema {error.schema}, {known})"
        raise RecordingError(f"{name}: {why}") from None
    except _NotOurs as error:
        raise RecordingError(f"{name}: {error}") from None
    except (pa.ArrowException, OSError, LookupError, MemoryError) as error:
        raise RecordingError(f"{name}: {_of_arrow(error)}") from None
    except ValueError as error:
        raise RecordingError(f"{name}: damaged: {error}") from None


def _refuse_irregular(path: str) -> None:
    """Raises _NotOurs where no file can be read: a FIFO would be waited for."""
    try:
        mode = os.stat(path).st_mode
        os.close(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC))
    except FileNotFoundError:
        raise _NotOurs("no such file") from None
    except OSError as error:
        raise _NotOurs(error.strerror) from None
    if stat.S_ISDIR(mode):
        raise _NotOurs("is a directory")
    if not stat.S_ISREG(mode):
        raise _NotOurs("is not a regular file")


class _NotOurs(Exception):
    """There is no recording there."""


def _of_arrow(error: Exception) -> str:
    if "CRC" in str(error):
        return "damaged: its records are not those that were recorded: a page's checksum differs"
    return "not a recording, or a damaged one"


def _refuse_claims(file: pq.ParquetFile, size: int) -> None:
    """Raises ValueError where the file says of itself what no recording of its size (bytes) can have."""
    metadata = file.metadata
    if _KEY not in (metadata.metadata or {}):
        raise _NotOurs("a Parquet file, but not a recording of iotrace")
    if not 0 <= metadata.num_rows <= _MOST_ROWS_A_BYTE * size:
        raise ValueError(f"it claims {metadata.num_rows} records in {size} bytes")
    rows = 0
    for number in range(metadata.num_row_groups):
        group = metadata.row_group(number)
        rows += group.num_rows
        claimed = sum(group.column(i).total_uncompressed_size for i in range(group.num_columns))
        if not (0 <= group.num_rows <= _MOST_ROWS_A_GROUP and 0 <= claimed <= _MOST_BYTES_A_GROUP):
            raise ValueError("it claims more records than a part of a recording has")
    if rows != metadata.num_rows:
        raise ValueError("its parts do not add up to its records")


def _facts(file: pq.ParquetFile) -> dict[str, Any]:
    """Raises ValueError, NewerError."""
    facts = facts_of.read(file.metadata.metadata[_KEY])
    if "groups" in facts:
        said = [group["rows"] for group in facts["groups"]]
        held = [file.metadata.row_group(i).num_rows for i in range(file.num_row_groups)]
        if said != held:
            raise ValueError("its records are not those that were recorded: their number differs")
    return facts | {"rows": file.metadata.num_rows}


def _group(file: pq.ParquetFile, facts: dict[str, Any], number: int, threads: bool) -> RecordBatch:
    """A row group, checked; raises ValueError."""
    batch = _columns(file.read_row_group(number, _READ, use_threads=threads))
    if len(batch) != file.metadata.row_group(number).num_rows:
        raise ValueError("its records are fewer than it claims")
    if "groups" in facts:
        checks.refuse_changed(batch, facts["groups"][number])
    checks.refuse_impossible(batch, facts["ordered"])
    return batch


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
    """A row group as columns, without a copy where the file holds the very values; raises ValueError."""
    import pyarrow as pa

    types = {field.name: field.type for field in _schema()}
    for name in _READ:
        column = table.column(name)
        wanted, its = types[name], column.type
        if pa.types.is_dictionary(wanted):  # whose indices are read as int32
            same = pa.types.is_dictionary(its) and its.value_type == wanted.value_type
        else:
            same = its == wanted
        if not same or column.null_count:
            raise ValueError(f"its column {name} is not what it should be")
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


def _overlaps(
    group: pq.RowGroupMetaData,
    facts: dict[str, Any],
    number: int,
    since: int | None,
    until: int | None,
) -> bool:
    """Whether a row group may hold records of that time; true where neither facts nor group say."""
    if "groups" in facts:
        said = facts["groups"][number]
        first_ns, last_ns = said["first_ns"], said["last_ns"]
    else:
        statistics = group.column(0).statistics
        if statistics is None or not statistics.has_min_max:
            return True
        first_ns, last_ns = statistics.min, statistics.max
    return (until is None or first_ns <= until) and (since is None or last_ns >= since)
