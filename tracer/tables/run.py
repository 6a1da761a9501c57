"""A recording in Python: its tables, its report and its figure, as `tracer.open` gives it."""

from __future__ import annotations

import functools
import os
import weakref
from contextlib import ExitStack
from functools import cached_property
from typing import TYPE_CHECKING, Any

from tracer.output.svg.picture import picture
from tracer.recording import parquet, partial, trial
from tracer.report import build
from tracer.tables import rows
from tracer.tables.schema import TABLES, arrow

if TYPE_CHECKING:
    import pyarrow as pa


class Figure:
    """The figure of a report, which Jupyter shows as a picture; `str` of it is the SVG."""

    def __init__(self, report: Any) -> None:
        self._svg = picture(report)

    def __str__(self) -> str:
        return self._svg

    def _repr_svg_(self) -> str:
        return self._svg

    def _repr_html_(self) -> str:
        return f"<div>{self._svg}</div>"


class Run:
    """A recording. The tables are those that `iotrace export` writes (docs/export.md), as pyarrow.Table; what is asked
    for is made once, when it is asked for. Raises RecordingError."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._name = os.fspath(path)
        whole = ExitStack()
        self._path = whole.enter_context(partial.whole(self._name))
        weakref.finalize(self, whole.close)  # with this object
        trial.refuse_unreadable(self._path)
        self.facts = parquet.read_facts(self._path)

    def __repr__(self) -> str:
        return f"<recording {self._name}: {self.facts['rows']} records>"

    def _repr_html_(self) -> str:
        return self.figure._repr_html_()

    @cached_property
    def tables(self) -> dict[str, pa.Table]:
        """Name → table, all of them."""
        import pyarrow as pa

        made = rows.tables(self._path)
        return {name: pa.Table.from_batches(made[name], arrow(name, self.facts)) for name in TABLES}

    @property
    def operations(self) -> pa.Table:
        """The successful receives in the measured time, with their boundaries and phases."""
        return self.tables["operations"]

    @property
    def calls(self) -> pa.Table:
        """Every system call."""
        return self.tables["calls"]

    @property
    def threads(self) -> pa.Table:
        """The threads and where their time went."""
        return self.tables["threads"]

    @property
    def descriptors(self) -> pa.Table:
        """The descriptors and what went through them."""
        return self.tables["descriptors"]

    @property
    def signals(self) -> pa.Table:
        """The signals that were sent, and those that reached a thread."""
        return self.tables["signals"]

    @cached_property
    def report(self) -> dict[str, Any]:
        """The report, as --json prints it (docs/json.md)."""
        read = functools.partial(parquet.columns, self._path)
        return dict(build.build(read, parquet.read_facts(self._path)))

    @cached_property
    def figure(self) -> Figure:
        """The textbook's figure with this recording's times."""
        return Figure(self.report)
