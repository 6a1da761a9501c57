"""`iotrace report`: a recording shown again, as the report or as a listing of its events."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import click

from tracer.cli import show
from tracer.cli.errors import Command
from tracer.cli.params import gathered, output_options, selected
from tracer.cli.show import Wanted
from tracer.errors import USAGE, IotraceError
from tracer.output.format import Kind

ORDER = 5
MOST_SLOWEST = 1000  # each has the recording read once more around it


@dataclass(frozen=True)
class Choice:
    """Which events of a listing are wanted: of which calls, on which descriptors, on which files."""

    expressions: tuple[str, ...]
    fds: tuple[int, ...]
    paths: tuple[str, ...]

    def __bool__(self) -> bool:
        return bool(self.expressions or self.fds or self.paths)


@click.command("report", cls=Command)
@click.argument("recording", type=click.Path())
@click.option("--events", is_flag=True, help="List every event, much as strace does.")
@gathered(
    "choice",
    Choice,
    (
        click.option(
            "-e",
            "--trace",
            "expressions",
            multiple=True,
            metavar="EXPR",
            help="With --events: these calls alone, as strace: trace=network, trace=!read,%file.",
        ),
        click.option(
            "--fd",
            "fds",
            type=click.IntRange(0),
            multiple=True,
            help="With --events: calls on this descriptor.",
        ),
        click.option(
            "-P",
            "--path",
            "paths",
            multiple=True,
            metavar="NAME",
            help="With --events: calls on a file, as the listing names it.",
        ),
    ),
)
@click.option(
    "--slowest",
    type=click.IntRange(1, MOST_SLOWEST),
    metavar="N",
    help="Explain the N slowest operations: where their time went, who woke them, who had the CPU.",
)
@output_options(Kind.REPORT, backwards=True)
def command(
    recording: str, events: bool, choice: Choice, slowest: int | None, wanted: Wanted
) -> None:
    """Show RECORDING again; needs neither root nor BCC."""
    from tracer.recording import partial, trial

    if choice and not events:
        raise IotraceError("-e, --fd and -P choose from the listing: add --events", USAGE)
    if slowest:
        wanted = replace(wanted, parts={"slowest": slowest})
    if events and slowest:
        raise IotraceError(
            "--slowest explains operations, --events lists events: one of them", USAGE
        )
    if events:
        why = "--events is a text; the recording itself is Parquet, for other programs to read"
        wanted.refuse_all_but(Kind.LISTING, why)
        selected(choice.expressions)  # raises what is wrong with them before anything is read
    with partial.whole(recording) as whole:
        trial.refuse_unreadable(whole)
        if events:
            listing(whole, choice, wanted)
        else:
            show.recording(whole, wanted)


def listing(path: str, choice: Choice, wanted: Wanted) -> None:
    """The events of the recording at `path`; raises FilterError, RecordingError, EventsLost, OSError."""
    from tracer.analysis.listing import listing
    from tracer.recording import parquet

    calls, facts = selected(choice.expressions), parquet.read_facts(path)

    def events() -> Iterator[Mapping[str, Any]]:
        return listing.events(
            parquet.read(path),
            facts,
            calls=calls,
            fds=choice.fds or None,
            paths=choice.paths or None,
        )

    show.show(Kind.LISTING, events, wanted)
    wanted.refuse_lost(facts["ledger"]["lost"])
