"""`iotrace diff`: two recordings, or two sets of them, side by side, and what differs between them."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import click

from tracer.cli import show
from tracer.cli.errors import Command
from tracer.cli.params import output_options
from tracer.cli.show import Wanted
from tracer.errors import USAGE, IotraceError
from tracer.output.format import Kind

if TYPE_CHECKING:
    from tracer.report.difference.run import Run

ORDER = 5.5
DIFFER = 1
_SIDES = ("--a", "--b")


class Sides(Command):
    """Takes `--a RUN…`: what follows up to the next option belongs to it. Trouble is status 2, as of diff(1): 1 says
    that they differ."""

    own_status = USAGE

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        spread: list[str] = []
        side = None
        for argument in args:
            if argument in _SIDES:
                side = argument
                continue
            if argument.startswith("-") and argument != "-":
                side = None
            spread += [side, argument] if side else [argument]
        return super().parse_args(ctx, spread)


@click.command("diff", cls=Sides)
@click.argument("recordings", metavar="[A B]", type=click.Path(), nargs=-1)
@click.option(
    "--a", "one", metavar="RUN…", type=click.Path(), multiple=True, help="Several runs of one side."
)
@click.option(
    "--b", "other", metavar="RUN…", type=click.Path(), multiple=True, help="And of the other."
)
@click.option("--exit-code", is_flag=True, help="Exit with status 1 where they differ.")
@output_options(Kind.DIFFERENCE)
@click.pass_context
def command(
    ctx: click.Context,
    recordings: tuple[str, ...],
    one: tuple[str, ...],
    other: tuple[str, ...],
    exit_code: bool,
    wanted: Wanted,
) -> None:
    """Show what differs between recordings A and B; needs neither root nor BCC.

    With five runs of each side or more (diff --a a*.parquet --b b*.parquet, recorded in turns) times are tested, and
    small shifts are found; of one run each only large ones are.
    """
    from tracer.report.difference import build

    one, other = _sides(recordings, one, other)
    result = build.difference(*_read(one, other))
    show.show(Kind.DIFFERENCE, lambda: result, wanted)
    wanted.refuse_lost(sum(run["lost"] for run in (*result["a"], *result["b"])))
    if exit_code and not result["same"]:
        ctx.exit(DIFFER)


def _sides(
    recordings: tuple[str, ...], one: tuple[str, ...], other: tuple[str, ...]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The runs of both sides; raises IotraceError."""
    if recordings and (one or other):
        raise IotraceError("either two recordings, or --a RUN… --b RUN…", USAGE)
    if len(recordings) == 2:
        return recordings[:1], recordings[1:]
    if recordings or not one or not other:
        raise IotraceError("two recordings are needed, or --a RUN… --b RUN…", USAGE)
    return one, other


def _read(one: tuple[str, ...], other: tuple[str, ...]) -> tuple[list[Run], list[Run]]:
    """What each run says; raises IotraceError, which names the recording."""
    from tracer.recording import trial

    for path in (*one, *other):  # each in a child of its own: before threads are made here
        trial.refuse_unreadable(path)
    return [_run(path) for path in one], [_run(path) for path in other]


def _run(path: str) -> Run:
    from tracer.recording import parquet
    from tracer.report.difference import run

    return run.of(partial(parquet.columns, path), parquet.read_facts(path), path)
