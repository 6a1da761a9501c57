"""`iotrace bench`: the comparisons that everybody quotes, made again on this machine."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, cast

import click

from tracer.cli import epilog, files, progress, show
from tracer.cli.errors import Command
from tracer.cli.params import gathered, output_options
from tracer.cli.show import Wanted
from tracer.errors import CANNOT, FAILED, LOST, USAGE, IotraceError
from tracer.output.format import Kind

if TYPE_CHECKING:
    from tracer.bench import readiness
    from tracer.kernel.features import Features
    from tracer.report.bench.build import Round

ORDER = 2.6
DEFAULT = (10, 100, 1000, 10_000)
FULL = (*DEFAULT[:1], 30, 100, 300, 1000, 3000, 10_000, 30_000, 100_000)
ROUNDS, FULL_ROUNDS = 7, 15
_MOST, _MOST_ACTIVE = 100_000, 1000  # of scenarios/c/readiness_ends.h
_STATUSES: epilog.Statuses = {
    0: "done, after Ctrl-C too: what was measured is shown",
    FAILED: "it failed",
    USAGE: "wrong usage",
    CANNOT: "this machine cannot: the line says what is missing",
    LOST: "with --strict: events were lost",
}


@dataclass(frozen=True)
class Asked:
    """What is to be measured; descriptors and rounds: as given, or () and None."""

    fd: readiness.Descriptor
    active: int
    churn: bool
    full: bool
    descriptors: tuple[int, ...]
    rounds: int | None
    output: str | None

    @property
    def numbers(self) -> tuple[int, ...]:
        """How many descriptors, each: those of which so many can be ready."""
        chosen = self.descriptors or (FULL if self.full else DEFAULT)
        return tuple(n for n in sorted(set(chosen)) if n >= self.active)

    @property
    def times(self) -> int:
        return self.rounds or (FULL_ROUNDS if self.full else ROUNDS)

    def operations(self, n: int) -> int:
        """How many a round: fewer where each takes long; an even number, since two clocks take turns."""
        return max(120, min(1000, 400_000 // n)) * (2 if self.full else 1)

    def refuse(self) -> None:
        """Raises IotraceError for what makes no sense."""
        less = [n for n in self.descriptors if n < self.active]
        if less:
            raise IotraceError(f"--active {self.active} of {less[0]} descriptors cannot be", USAGE)
        files.refuse_unwritable(self.output)

    def options(self) -> dict[str, Any]:
        """The options of the result."""
        return {
            "fd": self.fd,
            "active": self.active,
            "churn": self.churn,
            "descriptors": [*self.numbers],
            "rounds": self.times,
        }


readiness_options = gathered(
    "asked",
    Asked,
    (
        click.option(
            "--fd",
            type=click.Choice(["pipe", "udp", "tcp", "unix", "eventfd"]),
            default="pipe",
            show_default=True,
            help="What the descriptors are of.",
        ),
        click.option(
            "--active",
            type=click.IntRange(1, _MOST_ACTIVE),
            default=1,
            show_default=True,
            metavar="K",
            help="How many are ready at once.",
        ),
        click.option(
            "--churn",
            is_flag=True,
            help="Each connection ends with its message, and another is watched in its place.",
        ),
        click.option(
            "--full",
            is_flag=True,
            help="More numbers of descriptors, up to 100,000, and more rounds; takes what it takes.",
        ),
        click.option(
            "--descriptors",
            type=click.IntRange(1, _MOST),
            multiple=True,
            metavar="N",
            help="How many are watched; may be given several times. [default: 10, 100, 1000, 10000]",
        ),
        click.option(
            "--rounds",
            type=click.IntRange(1, 100),
            help=f"How often all is measured. [default: {ROUNDS}; with --full {FULL_ROUNDS}]",
        ),
        click.option(
            "-o",
            "--output",
            type=click.Path(),
            metavar="FILE",
            help="Keep the result, as --json shows it, in this file.",
        ),
    ),
)


@click.group(
    "bench",
    epilog=epilog.epilog(_STATUSES, ("iotrace bench readiness", "iotrace bench readiness --json")),
)
def command() -> None:
    """Measure on this machine what books and talks compare."""


@command.command(
    "readiness",
    cls=Command,
    epilog=epilog.epilog(
        _STATUSES,
        (
            "iotrace bench readiness",
            "iotrace bench readiness --fd udp --active 50 --svg udp.svg",
            "iotrace bench readiness --full -o full.json",
        ),
    ),
)
@readiness_options
@output_options(Kind.READINESS)
def _readiness(asked: Asked, wanted: Wanted) -> None:
    """Show what it costs to learn which of N descriptors is ready, and to read it.

    By select, poll, epoll (level- and edge-triggered) and polls of io_uring, in C: N descriptors, of which one at
    random is made ready for each operation. Rounds without probes give CPU and wall time, traced ones the time inside
    the call.
    """
    from tracer.bench import readiness
    from tracer.capture import spawn
    from tracer.kernel import features

    asked.refuse()
    kernel, user = readiness.bare(features.find()), spawn.invoking_user()
    program, left_out = readiness.program(user)
    sizes = tuple((n, asked.operations(n)) for n in asked.numbers)
    plan = readiness.Plan(asked.fd, asked.active, asked.churn, sizes, user, program, left_out)
    rounds, interrupted = _rounds(plan, asked.times, kernel)
    result = _result(rounds, asked, left_out, interrupted)
    if asked.output:
        from tracer.output import json

        files.write(json.render(result), asked.output, user, files.PRIVATE)
    show.show(Kind.READINESS, lambda: result, wanted)
    wanted.refuse_lost(result["lost"])


def _rounds(plan: readiness.Plan, times: int, kernel: Features) -> tuple[list[Round], bool]:
    """The rounds that were made, and whether Ctrl-C ended them; raises KeyboardInterrupt where there is none."""
    from tracer.capture.interrupts import interrupting

    rounds: list[Round] = []
    with interrupting(), progress.of_runs(2 * times) as told:
        try:
            for number in range(times):
                rounds.append(_round(plan, number, kernel, told))
        except KeyboardInterrupt:
            if not rounds:
                raise
    interrupted = len(rounds) < times
    if interrupted:
        click.echo(
            f"iotrace: interrupted: {len(rounds)} of {times} rounds are shown", file=sys.stderr
        )
    return rounds, interrupted


def _round(plan: readiness.Plan, number: int, kernel: Features, told: progress.Runs) -> Round:
    """One run without probes and one under them, which goes first in every other round."""
    from tracer.bench import readiness
    from tracer.recording import parquet
    from tracer.report.bench import in_call
    from tracer.report.bench.build import Round

    noted: dict[bool, dict[str, Any]] = {}
    with files.recorded(None, plan.user) as (path, _):
        for at, traced in enumerate((number % 2 == 1, number % 2 == 0)):
            told(2 * number + at, f"round {number + 1}, {'traced' if traced else 'without probes'}")
            noted[traced] = (
                readiness.traced(plan, number + 1, kernel, path)
                if traced
                else readiness.untraced(plan, number + 1)
            )
        lost = parquet.read_facts(path)["ledger"]["lost"]
        calls = in_call.calls_of(partial(parquet.columns, path))
    return Round(noted[False], noted[True], in_call.blocks(calls, noted[True]["blocks"]), lost)


def _result(
    rounds: list[Round], asked: Asked, left_out: dict[str, str], interrupted: bool
) -> dict[str, Any]:
    """The result as docs/json.md has it."""
    from tracer.capture.host import host
    from tracer.report import contract
    from tracer.report.bench import build

    machine = cast("contract.Host", host())
    return build.result(rounds, asked.options(), machine, left_out, interrupted)
