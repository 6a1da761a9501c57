"""`iotrace trace`: a command under the probes, and its report; exit statuses as env(1) and strace(1) have them."""

from __future__ import annotations

import click

from tracer.cli import completion, epilog, files, show
from tracer.cli.errors import Command
from tracer.cli.params import Tracing, output_options, tracing_options
from tracer.cli.show import Wanted
from tracer.errors import IotraceError
from tracer.output.format import Kind

ORDER = 3
_EPILOG = epilog.epilog(
    epilog.COMMAND,
    (
        "iotrace trace -- curl -s http://localhost/",
        "iotrace trace -e network -o run.parquet -- ./server --port 8080",
        "iotrace trace -d 10 --html report.html -- ./server",
    ),
)


class AsEnv(Command):
    """A failure of iotrace's own has the status that env(1) gives it, since every other one can be the command's."""

    own_status = 125


@click.command(
    "trace", cls=AsEnv, epilog=_EPILOG, context_settings={"allow_interspersed_args": False}
)
@click.argument(
    "command",
    nargs=-1,
    type=click.UNPROCESSED,
    required=True,
    metavar="[--] COMMAND [ARGUMENT]...",
    shell_complete=completion.of_command,
)
@tracing_options
@click.option(
    "--as-root", is_flag=True, help="Run COMMAND as root, not as the user who called sudo."
)
@output_options(Kind.REPORT, backwards=True)
@click.pass_context
def command(
    ctx: click.Context, command: tuple[str, ...], tracing: Tracing, as_root: bool, wanted: Wanted
) -> None:
    """Run COMMAND under the probes; show which I/O model it uses and where its time went.

    COMMAND keeps its streams, and iotrace exits with its status. The report goes to stderr, or with --json to stdout.
    """
    from tracer.capture import spawn
    from tracer.kernel import features
    from tracer.run import program

    output, plan = tracing.output, tracing.plan(None if as_root else spawn.invoking_user())
    kernel = features.find()
    with files.recorded(output, plan.user, tracing.mode) as (path, keep):
        ended = program.trace(list(command), plan, kernel, path)
        ended_text = f"the command ended with status {ended.status}; "
        if ended.began and ended.recorded:
            keep()
            with files.rescuing(output, keep, ended_text):
                show.recording(output or path, wanted, err=True, mode=tracing.mode)
        if ended.failure:
            program_text = f"the command went on and ended with status {ended.status}"
            problem = files.survived(ended, path, output, program_text)
            raise IotraceError(problem) from ended.failure
        ctx.exit(ended.status or 0)
