"""The command line: statuses are 0 done, 1 the run failed, 2 wrong usage, 3 this machine cannot, 4 events were lost
under --strict. With the other files of tracer/cli the only place that prints, asks or exits."""

from __future__ import annotations

import contextlib
import io
import os
import sys
import traceback
from typing import Any, NoReturn

import click

from tracer import __version__, places, text
from tracer.cli import commands, completion, epilog, files, paper
from tracer.cli.errors import Failed, failed

# Threads that numpy's BLAS and pyarrow's jemalloc would begin when they are imported: nothing here needs them,
# and they would keep the capabilities that tracing gives up, which each thread has for itself.
_WITHOUT_THREADS = {
    "OPENBLAS_NUM_THREADS": "1",
    "JE_ARROW_MALLOC_CONF": "background_thread:false",
}
_DEBUG = f"{__name__}.debug"  # key in the contexts' meta, which all commands share


class OneLine(epilog.Group):
    """Whatever goes wrong is said in one line on stderr, after its traceback where --debug asks for it."""

    def main(self, *args: Any, **kwargs: Any) -> NoReturn:
        # nothing that we start, nor click for completion, is the caller's directory's
        os.environ["PATH"] = places.path()
        for name, value in _WITHOUT_THREADS.items():
            os.environ.setdefault(name, value)
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, io.TextIOWrapper):
                # names may have characters that the locale lacks
                stream.reconfigure(errors="backslashreplace")
        try:
            status = super().main(*args, **{**kwargs, "standalone_mode": False})
        except OSError as error:  # on stdout: the reader has ended, or the disk is full
            error.filename = error.filename or files.STREAMS[0]
            status = _said(failed(error))
        except (click.ClickException, click.Abort, KeyboardInterrupt) as error:
            # on Tab nobody asked for a message in the middle of the line
            status = failed(error).status if completion.is_asked() else _said(failed(error))
        sys.exit(status if isinstance(status, int) else 0)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except click.exceptions.Exit:
            raise
        except Exception as error:
            if ctx.meta.get(_DEBUG):
                with contextlib.suppress(OSError):
                    click.echo("".join(traceback.format_exception(error)), nl=False, err=True)
            if isinstance(error, (click.ClickException, click.Abort, OSError)):
                raise
            raise failed(error) from error


def _said(error: Failed) -> int:
    """Says it on stderr, if that can be; its status, which what a stream has not taken can no longer change at exit."""
    line = " ".join(error.format_message().split())
    with contextlib.suppress(OSError):
        click.echo(f"iotrace: {text.printable(line)}", err=True)
    for stream in filter(None, (sys.stdout, sys.stderr)):
        try:
            stream.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
    return error.status


@click.group(
    cls=OneLine,
    invoke_without_command=True,
    epilog=epilog.epilog(
        epilog.TRACES,
        (
            "iotrace list",
            "iotrace run blocking",
            "iotrace trace -- curl -s http://localhost/",
            "iotrace attach $(pidof nginx) -d 5",
            "iotrace COMMAND --help",
        ),
    ),
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(__version__)
@click.pass_context
def main(ctx: click.Context) -> None:
    """Show how a program waits for data on this very kernel, and where the time goes."""
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())


def _common(command: click.Command) -> None:
    """Gives the command --debug and --color, and those below it."""

    def coloured(ctx: click.Context, _param: click.Parameter, value: str | None) -> None:
        if value:
            ctx.meta[paper.COLOR] = value

    def noted(ctx: click.Context, _param: click.Parameter, value: bool) -> None:
        if value:
            ctx.meta[_DEBUG] = True

    command.params.append(
        click.Option(
            ["--color"],
            type=click.Choice(paper.WHEN),
            expose_value=False,
            callback=coloured,
            help="Colours: auto (the default) looks at the terminal, NO_COLOR and FORCE_COLOR.",
        )
    )
    command.params.append(
        click.Option(
            ["--debug"],
            is_flag=True,
            expose_value=False,
            callback=noted,
            help="Show the traceback of a failure.",
        )
    )
    for subcommand in getattr(command, "commands", {}).values():
        _common(subcommand)


for _command in commands():
    main.add_command(_command)
_common(main)
