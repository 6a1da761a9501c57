"""`iotrace trace`: a command under the probes, and its report; exit statuses as env(1) and strace(1) have them."""

from __future__ import annotations

import click

from tracer import text
from tracer.cli.common import (
    OWN_FAILURE,
    Failure,
    check_writable,
    own_failures,
    plan_of,
    recorded,
    rescuing,
    show,
    shown,
    survived,
    traced,
)
from tracer.errors import NothingSeen

ORDER = 3


class AsEnv(click.Command):
    """Wrong usage has the status that env(1) gives it, since every other one can be the command's."""

    def make_context(self, *args: object, **kwargs: object) -> click.Context:
        try:
            return super().make_context(*args, **kwargs)
        except click.UsageError as error:
            error.exit_code = OWN_FAILURE
            raise

    def invoke(self, ctx: click.Context) -> object:
        with own_failures(OWN_FAILURE):
            return super().invoke(ctx)


@click.command("trace", cls=AsEnv, context_settings={"allow_interspersed_args": False})
@click.argument(
    "command", nargs=-1, type=click.UNPROCESSED, required=True, metavar="[--] COMMAND [ARGUMENT]..."
)
@traced
@click.option(
    "--as-root", is_flag=True, help="Run COMMAND as root, not as the user who called sudo."
)
@shown
@click.pass_context
def command(
    ctx,
    command,
    duration,
    output,
    mode,
    expressions,
    no_follow,
    no_cost,
    ring_size,
    as_root,
    as_json,
    hist,
    plain,
    strict,
) -> None:
    """Run COMMAND under the probes; show which I/O model it uses and where its time went.

    COMMAND keeps its streams, and iotrace exits with its status. The report goes to stderr, or with --json to stdout.
    """
    from tracer.capture import spawn
    from tracer.kernel import features
    from tracer.run import program

    plan = plan_of(
        duration,
        no_follow,
        ring_size,
        expressions,
        no_cost,
        OWN_FAILURE,
        None if as_root else spawn.invoking_user(),
    )
    if output and (problem := check_writable(output)):
        raise Failure(problem, OWN_FAILURE)
    try:
        found = features.find()
        with recorded(output, plan.user, mode) as (path, keep):
            ended = program.trace(list(command), plan, found, path)
            if ended.began and ended.recorded:
                keep()
                with rescuing(
                    output, keep, OWN_FAILURE, f"the command ended with status {ended.status}; "
                ):
                    show(output or path, as_json, hist, plain, strict, err=not as_json)
            if ended.failure:
                told = survived(
                    ended, path, output, f"the command went on and ended with status {ended.status}"
                )
                raise Failure(told, OWN_FAILURE) from ended.failure
            ctx.exit(ended.status)
    except (features.CannotTrace, NothingSeen) as error:
        raise Failure(str(error), OWN_FAILURE) from None
    except OSError as error:
        raise Failure(text.failure(error), OWN_FAILURE) from error
    except KeyboardInterrupt:
        raise Failure("interrupted", OWN_FAILURE) from None
