"""The command line: statuses are 0 done, 1 the run failed, 2 wrong usage, 3 this machine cannot, 4 events were lost
under --strict. With the other files of tracer/cli the only place that prints, asks or exits."""

from __future__ import annotations

import contextlib
import os
import sys
import traceback

import click

from scenarios.kit import places
from tracer import __version__, text
from tracer.cli import commands
from tracer.cli.common import own_failures
from tracer.errors import FAILED

_DEBUG = f"{__name__}.debug"  # of a context's meta, which those of all commands share


class OneLine(click.Group):
    """Whatever goes wrong is said in one line on stderr, after its traceback where --debug asks for it."""

    def main(self, *args: object, **kwargs: object) -> None:
        os.environ["PATH"] = (
            places.path()
        )  # nothing that we start, nor click for completion, is the caller's directory's
        for stream in (
            sys.stdout,
            sys.stderr,
        ):  # names from the machine, where the locale has no letters for them
            if hasattr(stream, "reconfigure"):
                stream.reconfigure(errors="replace")
        try:
            status = super().main(*args, **{**kwargs, "standalone_mode": False})
        except click.ClickException as error:
            status = _failed(" ".join(error.format_message().split()), error.exit_code)
        except OSError as error:  # of stdout: whoever reads it is gone, or its disk is full
            error.filename = error.filename or "standard output"
            status = _failed(text.failure(error), FAILED)
        except (click.Abort, KeyboardInterrupt):
            status = _failed("interrupted", FAILED)
        sys.exit(status if isinstance(status, int) else 0)

    def invoke(self, ctx: click.Context) -> object:
        try:
            with own_failures(FAILED):
                return super().invoke(ctx)
        except (click.ClickException, OSError) as error:
            if ctx.meta.get(_DEBUG):
                with contextlib.suppress(OSError):
                    click.echo("".join(traceback.format_exception(error)), nl=False, err=True)
            raise


def _failed(message: str, status: int) -> int:
    """Says it on stderr, if that can be; `status`, which what a stream has not taken can no longer change at exit."""
    with contextlib.suppress(OSError):
        click.echo(f"iotrace: {text.printable(message)}", err=True)
    for stream in filter(None, (sys.stdout, sys.stderr)):
        try:
            stream.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
    return status


@click.group(
    cls=OneLine,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(__version__)
@click.pass_context
def main(ctx: click.Context) -> None:
    """Show how a program waits for data on this very kernel, and where the time goes."""
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())


def _debug(command: click.Command) -> None:
    """Gives the command --debug, and those below it."""

    def noted(ctx: click.Context, _param: click.Parameter, value: bool) -> None:
        if value:
            ctx.meta[_DEBUG] = True

    command.params.append(
        click.Option(
            ["--debug"],
            is_flag=True,
            expose_value=False,
            callback=noted,
            help="Show the traceback of a failure.",
        )
    )
    for its in getattr(command, "commands", {}).values():
        _debug(its)


for _command in commands():
    main.add_command(_command)
_debug(main)
