"""`iotrace attach`: processes that run already under the probes, and their report."""

from __future__ import annotations

import re

import click

from tracer import text
from tracer.cli.common import (
    Failure,
    check_writable,
    plan_of,
    progress,
    recorded,
    rescuing,
    show,
    shown,
    survived,
    traced,
)
from tracer.errors import CANNOT, FAILED, USAGE

ORDER = 4


class Pids(click.ParamType):
    """Process IDs, several parted by spaces or commas as pidof(1) prints them."""

    name = "pid"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, ...]:
        words = re.split(r"[\s,]+", str(value).strip())
        if not all(re.fullmatch(r"[0-9]+", word) and 0 < int(word) < 1 << 31 for word in words):
            self.fail(f"{value!r} is no process ID", param, ctx)
        return tuple(map(int, words))


@click.command("attach")
@click.option(
    "-p",
    "--pid",
    "pids",
    type=Pids(),
    multiple=True,
    required=True,
    help="Of what to trace; repeatable.",
)
@click.argument("more", type=Pids(), nargs=-1, metavar="[PID]...")
@click.option(
    "--children", is_flag=True, help="Attach to the children that there are too, and to theirs."
)
@traced
@shown
def command(
    pids,
    more,
    children,
    duration,
    output,
    mode,
    expressions,
    no_follow,
    no_cost,
    ring_size,
    as_json,
    hist,
    plain,
    strict,
) -> None:
    """Trace running processes, without stopping them, until Ctrl-C, -d SECONDS or their end; then show the report.

    Further PIDs may stand after the options: iotrace attach -p $(pidof nginx).
    """
    from tracer.capture import spawn
    from tracer.kernel import features
    from tracer.run import attach

    plan = plan_of(
        duration, no_follow, ring_size, expressions, no_cost, USAGE, spawn.invoking_user()
    )
    if output and (problem := check_writable(output)):
        raise Failure(problem, FAILED)
    try:
        found = features.find()
        with recorded(output, plan.user, mode) as (path, keep):
            with progress(True) as say:
                ended = attach.attach(
                    [pid for some in (*pids, *more) for pid in some],
                    children,
                    plan,
                    found,
                    path,
                    say,
                )
            if ended.recorded:
                keep()
                with rescuing(output, keep, FAILED):
                    show(output or path, as_json, hist, plain, strict)
            if ended.failure:
                raise Failure(
                    survived(ended, path, output, "the program goes on"), FAILED
                ) from ended.failure
    except features.CannotTrace as error:
        raise Failure(str(error), CANNOT) from None
    except attach.NotTraceable as error:
        raise Failure(str(error), FAILED) from None
    except OSError as error:
        raise Failure(text.failure(error), FAILED) from error
    except KeyboardInterrupt:
        raise Failure("interrupted", FAILED) from None
