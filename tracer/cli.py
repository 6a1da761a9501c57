"""The command line: statuses are 0 done, 1 the run failed, 2 wrong usage, 3 this machine cannot, 4 events were lost
under --strict. With tracer/commands the only place that prints, asks or exits."""

from __future__ import annotations

import contextlib
import os
import sys

import click

from tracer import __version__
from tracer.commands import commands
from tracer.commands.common import FAILED, said


class OneLine(click.Group):
    """Whatever goes wrong is said in one line on stderr."""

    def main(self, *args: object, **kwargs: object) -> None:
        try:
            status = super().main(*args, **{**kwargs, "standalone_mode": False})
        except click.ClickException as error:
            status = _failed(" ".join(error.format_message().split()), error.exit_code)
        except OSError as error:  # of stdout: whoever reads it is gone, or its disk is full
            error.filename = error.filename or "standard output"
            status = _failed(said(error), FAILED)
        except (click.Abort, KeyboardInterrupt):
            status = _failed("interrupted", FAILED)
        sys.exit(status if isinstance(status, int) else 0)


def _failed(message: str, status: int) -> int:
    """Says it on stderr, if that can be; `status`, which what a stream has not taken can no longer change at exit."""
    with contextlib.suppress(OSError):
        click.echo(f"iotrace: {message}", err=True)
    for stream in filter(None, (sys.stdout, sys.stderr)):
        try:
            stream.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
    return status


@click.group(cls=OneLine, invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__)
@click.pass_context
def main(ctx: click.Context) -> None:
    """Show how a program waits for data on this very kernel, and where the time goes."""
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())


for _command in commands():
    main.add_command(_command)
