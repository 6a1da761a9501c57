"""A recording that can be read however iotrace ends: an Arrow IPC stream, to which each batch is appended, beside the
file that is to be. The stream becomes the recording (tracer/recording/parquet.py) once tracing has ended.

Parquet cannot be read without its footer, which its writer writes last. A stream has the facts that are known when it
begins as its schema's metadata, and no ledger: that is made when the probes are detached."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tracer import text
from tracer.recording import checks, malloc, parquet, trial
from tracer.recording.atomic_file import Unnamed, unnamed
from tracer.recording.batch import NAMES, RecordBatch
from tracer.recording.fields import executed
from tracer.recording.records import RECORD, Kind

if TYPE_CHECKING:
    import pyarrow as pa

_KEY = b"iotrace"
_FIRST_BYTES = b"\xff\xff\xff\xff"  # of a message of a stream (Arrow's columnar format, "Encapsulated message format")
_AT_ONCE = 1 << 18  # rows
# What a stream may claim of a batch: the writer's have at most _AT_ONCE rows of 40 bytes.
_MOST_ROWS = 1 << 20

CUT_SHORT = "cut short"
_NO_LEDGER: dict[str, Any] = {
    "counted": None,
    "lost": None,
    "open": None,
    "missed": None,
    "untracked": None,
    "unlearnt": None,
    "balanced": False,
}


class Writer:
    """Writes records as they come to the stream at `place`, and at the end all of them as a recording to `path`.

    The stream is there from the first records on, and stays; what makes the recording known by its name removes it. It
    is `user`'s (uid, gid) alone. Has the methods of parquet.Writer; raises OSError.
    """

    def __init__(self, place: str, path: str, user: tuple[int, int] | None) -> None:
        self._place, self._path, self._user = place, path, user
        self._facts: dict[str, Any] = {}
        self._made = False
        self._unnamed: Unnamed | None = None
        self._file: pa.OSFile | None = None
        self._stream: pa.ipc.RecordBatchStreamWriter | None = None

    def __enter__(self) -> Writer:
        return self

    def __exit__(self, failure: type | None, *_exc: object) -> None:
        self.abandon()
        if failure and not issubclass(failure, OSError) and self._made:  # nothing worth keeping
            Path(self._place).unlink(missing_ok=True)

    def begin(self, facts: dict[str, Any]) -> None:
        """The facts that are known before the first records."""
        self._facts = facts

    def write(self, records: RecordBatch) -> None:
        """Records in time order."""
        import pyarrow as pa

        if not len(records):
            return
        with parquet.telling(self._place):
            if self._stream is None:
                self._open()
            assert self._stream is not None
            for first in range(0, len(records), _AT_ONCE):
                part = records.take(slice(first, first + _AT_ONCE))
                arrays = [pa.array(getattr(part, name)) for name in NAMES]
                self._stream.write_batch(pa.record_batch(arrays, schema=_schema({})))
            if not self._made and self._unnamed:  # it has a name once there is something to read
                self._unnamed.name(self._place, self._user)
                self._made = True

    def close(self, facts: dict[str, Any]) -> None:
        """Makes the recording, with `facts`."""
        self._end()
        with parquet.Writer(self._path) as whole:
            # by its descriptor: its name may have become another run's
            for records in _batches(self._unnamed.path) if self._unnamed else ():
                whole.write(records)
            whole.close(facts)
        self.abandon()

    def abandon(self) -> None:
        """Closes the stream, which stays as it is."""
        self._end()
        unnamed_, self._unnamed = self._unnamed, None
        if unnamed_:
            unnamed_.close()

    def _end(self) -> None:
        ending = (self._stream, self._file)
        self._stream = self._file = None
        for its in ending:
            if its is not None:
                with suppress(OSError):
                    its.close()

    def _open(self) -> None:
        import pyarrow as pa

        malloc.keep()
        self._unnamed = Unnamed(os.path.dirname(self._place))
        self._file = pa.OSFile(self._unnamed.path, "wb")
        os.set_inheritable(self._file.fileno(), False)
        # smaller than Parquet, in half of its time; the pool as in parquet.Writer
        options = pa.ipc.IpcWriteOptions(compression="zstd", use_threads=False)
        self._stream = pa.ipc.new_stream(self._file, _schema(self._facts), options=options)


@contextmanager
def whole(path: str) -> Iterator[str]:
    """A path of the recording at `path`: its own; of a stream that was cut short one where it is a recording as long as
    the context lasts. Raises RecordingError, OSError."""
    if not _is_stream(path):
        yield path
        return
    with unnamed(_temporary()) as file:
        trial.in_child(path, lambda: recover(path, file.path))
        yield file.path


def _temporary() -> str:
    import tempfile

    return tempfile.gettempdir()


def _is_stream(path: str) -> bool:
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:  # the reader of recordings says what is wrong
        return False
    try:
        return stat.S_ISREG(os.fstat(fd).st_mode) and os.pread(fd, 4, 0) == _FIRST_BYTES
    finally:
        os.close(fd)


def recover(stream: str, path: str) -> None:
    """The stream's records as a recording at `path`, which says that it was cut short. Raises RecordingError, also
    where there are none."""
    import pyarrow as pa

    name = text.shown(stream)
    try:
        facts = _facts(stream)
    except (pa.ArrowException, OSError, ValueError, KeyError) as error:
        raise parquet.RecordingError(f"{name}: not a recording, or a damaged one") from error
    is_command = facts.get("scenario") is None and "attached" not in (facts.get("target") or {})
    rows, base_ns, end_ns, begun = 0, 0, 0, False
    with parquet.Writer(path) as writer:
        for records in _batches(stream):
            rows, end_ns = rows + len(records), max(end_ns, int(records.time.max()))
            writer.write(records)
            # as tracer/capture/recorder.py has it: a command begins where its program is executed
            if is_command and not begun and len(times := records.time[executed(records)]):
                base_ns, begun = int(times.min()), True
            base_ns = base_ns or _first_start(records)
        window = {"window_ns": [base_ns, end_ns]} if facts.get("scenario") is None else {}
        more = {"base_ns": base_ns, "end_ns": end_ns, "ended": CUT_SHORT}
        writer.close(facts | more | window | {"ledger": _NO_LEDGER | {"delivered": rows}})
    if not rows:
        raise parquet.RecordingError(f"{name}: cut short before anything was recorded")
    try:
        parquet.read_facts(path)
    except parquet.RecordingError as error:  # it names a file that the user does not know
        raise parquet.RecordingError(f"{name}{str(error).removeprefix(path)}") from error


def _first_start(records: RecordBatch) -> int:
    """Time (ns) of the first thread's announcement or adoption, or of the first record."""
    starts = records.time[records.kind == Kind.START]
    return int(starts.min() if len(starts) else records.time[0])


def _facts(stream: str) -> dict[str, Any]:
    import pyarrow as pa

    with pa.memory_map(os.fsencode(stream)) as source, pa.ipc.open_stream(source) as reader:
        if reader.schema.remove_metadata() != _schema({}).remove_metadata():
            raise ValueError("its columns are not those of a recording")
        facts = json.loads(reader.schema.metadata[_KEY])
    if not isinstance(facts, dict):
        raise ValueError("its facts are no object")
    return facts


def _batches(stream: str) -> Iterator[RecordBatch]:
    """The records up to where the stream ends or was cut, in the order in which they were written."""
    import pyarrow as pa

    with pa.memory_map(os.fsencode(stream)) as source, pa.ipc.open_stream(source) as reader:
        while True:
            try:
                batch = reader.read_next_batch()
                records = RecordBatch(*(column.to_numpy() for column in batch.columns))
                if batch.num_rows > _MOST_ROWS or any(
                    column.null_count for column in batch.columns
                ):
                    return
                checks.refuse_impossible(records, ordered=False)
            except (StopIteration, pa.ArrowException, OSError, ValueError):
                return
            if len(records):
                yield records


def _schema(facts: dict[str, Any]) -> pa.Schema:
    import pyarrow as pa

    fields = [(name, pa.from_numpy_dtype(RECORD[name])) for name in NAMES]
    return pa.schema(fields, metadata={_KEY: json.dumps(facts).encode()})
