"""`iotrace report`: a recording shown again, as the report or as a listing of its events."""

from __future__ import annotations

from itertools import islice

import click

from tracer.cli.common import Failure, show, shown
from tracer.errors import FAILED, LOST, USAGE

ORDER = 5
_LINES = 1000  # written at once


@click.command("report")
@click.argument("recording", type=click.Path())
@click.option("--events", is_flag=True, help="List every event, much as strace does.")
@click.option(
    "-e",
    "--trace",
    "expressions",
    multiple=True,
    metavar="EXPR",
    help="With --events: these calls alone, as strace: trace=network, trace=!read,%file.",
)
@click.option(
    "--fd",
    "fds",
    type=click.IntRange(0),
    multiple=True,
    help="With --events: calls on this descriptor.",
)
@click.option(
    "-P",
    "--path",
    "paths",
    multiple=True,
    metavar="NAME",
    help="With --events: calls on a file, as the listing names it.",
)
@shown
def command(recording, events, expressions, fds, paths, as_json, hist, plain, strict) -> None:
    """Show RECORDING again; needs neither root nor BCC."""
    if not events:
        if expressions or fds or paths:
            raise Failure("-e, --fd and -P choose from the listing: add --events", USAGE)
        show(recording, as_json, hist, plain, strict)
    elif as_json or hist:
        raise Failure(
            "--events is a text; the recording itself is Parquet, for other programs to read", USAGE
        )
    else:
        listing(recording, expressions, fds, paths, strict)


def listing(
    path: str,
    expressions: tuple[str, ...],
    fds: tuple[int, ...],
    paths: tuple[str, ...],
    strict: bool,
) -> None:
    """The events of the recording at `path` on stdout; raises Failure."""
    from tracer.analysis.listing import listing as events
    from tracer.kernel import syscall_filter
    from tracer.output.listing import lines
    from tracer.recording import parquet

    try:
        calls = frozenset().union(*map(syscall_filter.parse, expressions)) if expressions else None
        facts = parquet.read_facts(path)
        chosen = events.events(
            parquet.read(path), facts, calls=calls, fds=fds or None, paths=paths or None
        )
        text = lines(chosen)
        while some := list(islice(text, _LINES)):
            click.echo("\n".join(some))
        if strict and facts["ledger"]["lost"]:
            raise Failure(f"{facts['ledger']['lost']} events were lost", LOST)
    except syscall_filter.FilterError as error:
        raise Failure(str(error), USAGE) from None
    except parquet.RecordingError as error:
        raise Failure(str(error), FAILED) from None
