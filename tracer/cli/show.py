"""From a result to what the user asked to see of it: the formats of tracer/output, on stdout and in files."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TextIO

import click

from tracer import output
from tracer.cli import files
from tracer.errors import USAGE, EventsLost, IotraceError
from tracer.output.format import Format, Kind, Options


@dataclass(frozen=True)
class Wanted:
    """What is to be shown of a result. formats: those asked for that go to stdout; files: those that go to a file, and
    which; switches: by name; strict: whether it is an error that events were lost; parts: the keys that the user asked
    for of those that a report has on request, each with how many."""

    formats: tuple[Format, ...] = ()
    files: tuple[tuple[Format, str], ...] = ()
    switches: frozenset[str] = frozenset()
    strict: bool = False
    parts: Mapping[str, int] = field(default_factory=dict)

    @property
    def asked(self) -> dict[str, int]:
        """The keys that have to be made on request: those that formats need, and those that the user asked for."""
        needs: dict[str, int] = {}
        for format_ in [*self.formats, *(format_ for format_, _ in self.files)]:
            needs |= format_.needs
        return {**needs, **self.parts}

    def of(self, result: Any, format_: Format) -> Any:
        """The result without the keys that only other formats need."""
        others = self.asked.keys() - self.parts.keys() - format_.needs.keys()
        if not others:
            return result
        return {key: value for key, value in result.items() if key not in others}

    def refuse_lost(self, lost: int | None) -> None:
        """Raises EventsLost where --strict asks for it; lost: None where nobody knows."""
        if self.strict and lost != 0:
            raise EventsLost(lost)

    def refuse_all_but(self, kind: Kind, why: str) -> None:
        """Raises IotraceError if anything was asked for that does not apply to this kind of result."""
        asked = [*self.formats, *(format_ for format_, _ in self.files)]
        applicable = {
            switch.name
            for format_ in output.formats()
            for switch in format_.switches
            if kind in switch.kinds
        }
        if any(kind not in format_.renders for format_ in asked) or not self.switches <= applicable:
            raise IotraceError(why, USAGE)


def show(
    kind: Kind,
    result: Callable[[], Any],
    wanted: Wanted,
    *,
    err: bool = False,
    mode: int = files.PRIVATE,
) -> None:
    """A result on stdout and in files; raises OSError.

    result: gives it anew for each format, where it can be gone through but once. err: what is shown by default goes to
    stderr. mode: of the files, which are those of the user who called sudo.
    """
    for format_, path in wanted.files:
        from tracer.capture.spawn import invoking_user

        own = wanted.of(result(), format_)
        pieces = format_.renders[kind](own, Options(switches=wanted.switches))
        files.write(pieces, path, invoking_user(), mode)
    chosen = next((format_ for format_ in wanted.formats if kind in format_.renders), None)
    to_stderr = err and chosen is None
    stream = sys.stderr if to_stderr else sys.stdout
    if stream is None:  # stdout was closed before iotrace began
        return
    shown = chosen or default(kind)
    render = shown.renders[kind]
    for piece in render(wanted.of(result(), shown), _paper(stream, wanted.switches)):
        # what is asked for is a document, in UTF-8 whatever the locale is
        if chosen and isinstance(piece, str):
            put(piece.encode(errors="backslashreplace"), to_stderr)
        else:
            put(piece, to_stderr)


def default(kind: Kind) -> Format:
    """The format in which such a result is shown if no other is asked for."""
    return next(
        format_ for format_ in output.formats() if format_.flag is None and kind in format_.renders
    )


def recording(path: str, wanted: Wanted, *, err: bool = False, mode: int = files.PRIVATE) -> None:
    """The recording at `path` as a report; raises RecordingError, EventsLost, OSError."""
    from tracer.recording import parquet
    from tracer.report import build

    read, facts = partial(parquet.columns, path), parquet.read_facts(path)
    result = build.build(read, facts, wanted.asked)
    show(Kind.REPORT, lambda: result, wanted, err=err, mode=mode)
    wanted.refuse_lost(result["ledger"]["lost"])


def _paper(stream: TextIO, switches: frozenset[str]) -> Options:
    """What `stream` can show."""
    return Options(
        width=columns(),
        color=stream.isatty() and "NO_COLOR" not in os.environ,
        unicode="utf" in (stream.encoding or "").lower(),
        switches=switches,
    )


def columns() -> int:
    """Of the terminal, from 80 to 120."""
    return max(80, min(shutil.get_terminal_size().columns, 120))


def put(piece: str | bytes, err: bool = False) -> None:
    """A piece of output on stdout or stderr; raises OSError, which names the stream."""
    try:
        click.echo(piece, nl=False, err=err)
    except OSError as error:  # the reader has ended, or the disk is full
        raise OSError(error.errno, error.strerror, files.STREAMS[err]) from None


def line(text: str = "") -> None:
    """A line on stdout; raises OSError, which names it."""
    put(f"{text}\n")
