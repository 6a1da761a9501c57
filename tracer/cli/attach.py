"""`iotrace attach`: processes that run already under the probes, and their report."""

from __future__ import annotations

import re

import click

from tracer import text
from tracer.cli import completion, epilog, files, progress, show
from tracer.cli.errors import Command
from tracer.cli.params import Tracing, Value, output_options, tracing_options
from tracer.cli.show import Wanted
from tracer.errors import USAGE, IotraceError
from tracer.output.format import Kind

ORDER = 4
_EPILOG = epilog.epilog(
    epilog.TRACES,
    (
        "iotrace attach 4711 -d 5",
        "iotrace attach $(pidof nginx) -d 10 -o nginx.parquet",
        "iotrace attach -p 4711 --children --json",
    ),
)


class Pids(Value):
    """Process IDs, several parted by spaces or commas as pidof(1) prints them."""

    name = "pid"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, ...]:
        words = re.split(r"[\s,]+", str(value).strip())
        if not all(re.fullmatch(r"[0-9]+", word) and 0 < int(word) < 1 << 31 for word in words):
            self.fail(f"{text.quoted(value)} is no process ID", param, ctx)
        return tuple(map(int, words))

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> completion.Items:
        return completion.of_processes(incomplete)


@click.command("attach", cls=Command, epilog=_EPILOG)
@click.option(
    "-p",
    "--pid",
    "pids",
    type=Pids(),
    multiple=True,
    help="Of what to trace; repeatable, and may be left out before a PID.",
)
@click.argument("more", type=Pids(), nargs=-1, metavar="[PID]...")
@click.option(
    "--children", is_flag=True, help="Attach to the children that there are too, and to theirs."
)
@tracing_options
@output_options(Kind.REPORT, backwards=True)
def command(
    pids: tuple[tuple[int, ...], ...],
    more: tuple[tuple[int, ...], ...],
    children: bool,
    tracing: Tracing,
    wanted: Wanted,
) -> None:
    """Trace running processes, without stopping them, until Ctrl-C, -d SECONDS or their end; then show the report.

    Any number of PIDs: iotrace attach $(pidof nginx).
    """
    if not (pids or more):
        raise IotraceError("which process? iotrace attach PID", USAGE)
    from tracer.capture.priority import Priority

    with Priority() as priority:  # where others have the CPUs, the imports take long, too
        from tracer.capture import spawn
        from tracer.kernel import features
        from tracer.run import attach

        kernel = features.find()
    wanted_pids = [pid for option_pids in (*pids, *more) for pid in option_pids]
    output, plan = tracing.output, tracing.plan(spawn.invoking_user())
    with files.recorded(output, plan.user, tracing.mode) as (path, keep):
        with priority, progress.of_events(True) as say:
            ended = attach.attach(
                wanted_pids, children, plan, kernel, path, say, progress.of_refused, priority
            )
        if ended.recorded:
            keep()
            with files.rescuing(output, keep):
                show.recording(output or path, wanted, mode=tracing.mode)
        if ended.failure:
            problem = files.survived(ended, path, output, "the program goes on")
            raise IotraceError(problem) from ended.failure
