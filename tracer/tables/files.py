"""Tables as files: DIR/TABLE/host=H/run=R/part-0.parquet, which DuckDB, Polars, pandas and Arrow read as one table."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.parse import quote

from tracer import text
from tracer.errors import USAGE, IotraceError
from tracer.recording import parquet, partial, trial
from tracer.tables import rows
from tracer.tables.schema import arrow

_FILE = "part-0.parquet"
_MODE = 0o600  # as a recording's: they name files, addresses and commands


def export(recordings: Sequence[str], directory: str) -> int:
    """Writes all tables of all recordings; how many files that are. All of them are there at the end, or none: what was
    there before of the same run is replaced. Raises RecordingError, IotraceError, OSError."""
    with ExitStack() as stack:
        paths = [stack.enter_context(partial.whole(path)) for path in recordings]
        for path in paths:
            trial.refuse_unreadable(path)
        return _export(paths, _names(recordings), Path(directory))


def _export(recordings: Sequence[str], runs: Sequence[str], place: Path) -> int:
    existed = place.is_dir()
    if not existed:
        place.mkdir()
    staged = Path(tempfile.mkdtemp(prefix=".iotrace-", dir=place))
    try:
        for path, run in zip(recordings, runs, strict=True):
            _write(path, run, staged)
        return _keep(staged, place)
    finally:
        shutil.rmtree(staged)
        if not existed and not any(place.iterdir()):
            place.rmdir()


def _names(recordings: Sequence[str]) -> list[str]:
    """What the runs are called: as their files; where files share a name, with their directory's. Raises
    IotraceError."""
    for parts in (1, 2):
        names = [
            "-".join(Path(path).absolute().with_suffix("").parts[-parts:]) for path in recordings
        ]
        if len({*names}) == len(names):
            return names
    twice = next(name for name in names if names.count(name) > 1)
    raise IotraceError(
        f"{text.shown(twice)}: two recordings have this name, and so one place", USAGE
    )


def _write(path: str, run: str, place: Path) -> None:
    """A recording's tables, below `place`."""
    import pyarrow.parquet as pq

    facts = parquet.read_facts(path)
    for table, batches in rows.tables(path).items():
        parent = place / table / f"host={_value(_host(facts))}" / f"run={_value(run)}"
        parent.mkdir(parents=True, exist_ok=True)
        with pq.ParquetWriter(parent / _FILE, arrow(table, facts), compression="zstd") as file:
            for batch in batches:
                file.write_batch(batch)
        os.chmod(parent / _FILE, _MODE)


def _host(facts: dict[str, Any]) -> str:
    """What tells machines apart in recordings, which do not hold their names: the kernel's release."""
    return str((facts.get("host") or {}).get("kernel") or "unknown")


def _value(word: str) -> str:
    """As the value in the name of a directory: what could mean something there as %XX."""
    return quote(os.fsencode(word), safe="")


def _keep(staged: Path, place: Path) -> int:
    """Moves the files of a directory to the same places in another; how many they are."""
    files = [path.relative_to(staged) for path in sorted(staged.rglob(_FILE))]
    for file in files:
        (place / file).parent.mkdir(parents=True, exist_ok=True)
        os.replace(staged / file, place / file)
    return len(files)
