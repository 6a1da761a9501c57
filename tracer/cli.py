"""The command line: statuses are 0 done, 1 the run failed, 2 wrong usage, 3 this machine cannot, 4 events were lost
under --strict. With tracer/commands the only place that prints, asks or exits."""

from __future__ import annotations

import sys

import click

from tracer import __version__
from tracer.commands import commands
from tracer.commands.common import FAILED


class OneLine(click.Group):
    """Whatever goes wrong is said in one line on stderr."""

    def main(self, *args: object, **kwargs: object) -> None:
        try:
            status = super().main(*args, **{**kwargs, "standalone_mode": False})
        except click.ClickException as error:
            message = " ".join(error.format_message().split())
            click.echo(f"iotrace: {message}", err=True)
            status = error.exit_code
        except OSError as error:  # of stdout: whoever reads it is gone, or its disk is full
            click.echo(f"iotrace: {error.strerror or error}", err=True)
            status = FAILED
        except (click.Abort, KeyboardInterrupt):
            click.echo("iotrace: interrupted", err=True)
            status = FAILED
        sys.exit(status if isinstance(status, int) else 0)


@click.group(cls=OneLine, invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__)
@click.pass_context
def main(ctx: click.Context) -> None:
    """Show how a program waits for data on this very kernel, and where the time goes."""
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())


for _command in commands():
    main.add_command(_command)
