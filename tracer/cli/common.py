"""What the commands share: exit statuses, kinds of values, showing a report, keeping a recording."""

from __future__ import annotations

import difflib
import os
import re
import secrets
import shutil
import stat
import sys
import tempfile
from collections.abc import Callable
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import TextIO

import click

import scenarios
from tracer import text
from tracer.errors import FAILED, LOST
from tracer.recording.atomic_file import unnamed

STREAMS = ("standard output", "standard error")
PRIVATE = 0o600  # a recording names files, addresses and commands
OWN_FAILURE = 125  # of `trace`, whose other statuses are the command's
MOST_TIMEOUT = 10**6  # s
_MOST_NS = 10**13
_UNITS = {"ns": 1, "us": 10**3, "µs": 10**3, "ms": 10**6, "s": 10**9}


class Failure(click.ClickException):
    """One line on stderr and an exit status."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.exit_code = status


class Duration(click.ParamType):
    """A time such as 10ms, 2s or 500us → ns; a bare number is milliseconds."""

    name = "time"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> int:
        if isinstance(value, int):
            return value
        match = re.fullmatch(r"(\d+(?:\.\d+)?)(ns|us|µs|ms|s)?", str(value))
        if not match:
            self.fail(f"{value!r} is not a time such as 10ms, 2s or 500us", param, ctx)
        ns = float(match[1]) * _UNITS[match[2] or "ms"]
        if ns > _MOST_NS:
            self.fail(f"{value!r} is longer than {_MOST_NS // 10**9} s", param, ctx)
        return round(ns)


class Rate(click.ParamType):
    """Bits a second as tc(8) spells them: 1mbit, 500kbit, 1gbit; a bare number is bit → bit/s."""

    name = "rate"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> int:
        match = re.fullmatch(r"(\d+(?:\.\d+)?)([kmg]?)(?:bit)?", str(value).lower())
        rate = (
            round(float(match[1]) * {"": 1, "k": 10**3, "m": 10**6, "g": 10**9}[match[2]])
            if match
            else 0
        )
        if not 8000 <= rate <= 30 * 10**9:
            self.fail(f"{value!r} is not a rate from 8kbit to 30gbit", param, ctx)
        return rate


class Mode(click.ParamType):
    """The permissions of a file as chmod(1) takes them, in octal."""

    name = "mode"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> int:
        if isinstance(value, int):
            return value
        if not re.fullmatch("0?[0-7]{3}", str(value)):
            self.fail(f"{value!r} is no mode such as 600, 640 or 0644", param, ctx)
        return int(str(value), 8)


def mode_option(command):
    """Who may read what -o keeps."""
    return click.option(
        "--mode",
        type=Mode(),
        default=PRIVATE,
        show_default="600",
        help="With -o: who may read and write the file, as chmod(1) has it.",
    )(command)


class Percent(click.FloatRange):
    """0 to 100, with the sign as tc(8) writes it or without."""

    name = "percent"

    def __init__(self) -> None:
        super().__init__(0, 100)

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        percent = super().convert(
            value.removesuffix("%") if isinstance(value, str) else value, param, ctx
        )
        if percent != percent:
            self.fail(f"{value!r} is not a percentage", param, ctx)
        return percent


class Seconds(click.FloatRange):
    """A number of seconds that one can wait; no range refuses NaN by itself."""

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        seconds = super().convert(value, param, ctx)
        if seconds != seconds:
            self.fail(f"{value!r} is not a number of seconds", param, ctx)
        return seconds


class Scenario(click.ParamType):
    """A scenario's name or alias."""

    name = "scenario"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> scenarios.Scenario:
        try:
            return scenarios.find(str(value))
        except LookupError:
            known = [name for s in scenarios.scenarios() for name in (s.name, *s.aliases)]
            near = difflib.get_close_matches(str(value).lower(), known, 1)
            hint = f"did you mean {near[0]}?" if near else "`iotrace list` shows them all"
            self.fail(f"no scenario {value!r}: {hint}", param, ctx)


def shown(command):
    """The options of every command that shows a report."""
    for option in (
        click.option(
            "--json", "as_json", is_flag=True, help="One JSON object on stdout, and nothing else."
        ),
        click.option("--hist", is_flag=True, help="Log2 histograms of the phases and calls."),
        click.option("--ascii", "plain", is_flag=True, help="Draw with ASCII alone."),
        click.option("--strict", is_flag=True, help="Exit with status 4 if any event was lost."),
    ):
        command = option(command)
    return command


def traced(command):
    """The options of the commands that trace any program."""
    for option in (
        click.option(
            "--ring-size",
            type=click.IntRange(4096, 1 << 30),
            default=16 << 20,
            show_default=True,
            help="Bytes of the ring buffer, a power of two.",
        ),
        click.option("--no-cost", is_flag=True, help="Do not calibrate what an event costs."),
        click.option(
            "--no-follow",
            is_flag=True,
            help="Do not trace the threads and children that it creates.",
        ),
        click.option(
            "-e",
            "--trace",
            "expressions",
            multiple=True,
            metavar="EXPR",
            help="Record these calls alone, as strace: trace=network, trace=!read,%file.",
        ),
        mode_option,
        click.option("-o", "--output", type=click.Path(), help="Keep the recording in this file."),
        click.option(
            "-d",
            "--duration",
            type=Seconds(0, MOST_TIMEOUT, min_open=True),
            metavar="SECONDS",
            help="End after so long.",
        ),
    ):
        command = option(command)
    return command


def plan_of(
    duration: float | None,
    no_follow: bool,
    ring_size: int,
    expressions: tuple[str, ...],
    no_cost: bool,
    status: int,
    user: tuple[int, int] | None,
):
    """tracing.Plan of the options of `traced`; raises Failure with `status` for what makes no sense."""
    from tracer.kernel import syscall_filter
    from tracer.run import program

    if ring_size & (ring_size - 1):
        raise Failure(f"--ring-size {ring_size} is not a power of two", status)
    try:
        selected = (
            frozenset().union(*map(syscall_filter.parse, expressions)) if expressions else None
        )
    except syscall_filter.FilterError as error:
        raise Failure(str(error), status) from None
    return program.Plan(
        duration, not no_follow, ring_size, selected, expressions, user, not no_cost
    )


def drawing(stream: TextIO, plain: bool) -> dict:
    """How a renderer is to draw for `stream`: width (columns), color, unicode; plain: ASCII alone."""
    return {
        "width": max(80, min(shutil.get_terminal_size().columns, 120)),
        "color": stream.isatty() and "NO_COLOR" not in os.environ,
        "unicode": not plain and "utf" in (stream.encoding or "").lower(),
    }


def show(
    path: str, as_json: bool, hist: bool, plain: bool, strict: bool, err: bool = False
) -> None:
    """The recording at `path` as a report on stdout, or on stderr; raises Failure, OSError."""
    from tracer.recording import parquet
    from tracer.report import build as reports

    try:
        facts = parquet.read_facts(path)
        result = reports.build(partial(parquet.columns, path), facts)
    except parquet.RecordingError as error:
        raise Failure(str(error), FAILED) from error
    if as_json:
        from tracer.output import json

        for piece in json.render(result):
            put(piece)
    elif stream := sys.stderr if err else sys.stdout:  # None where it was closed before we began
        from tracer.output.terminal.report import render

        put(render(result, hist=hist, **drawing(stream, plain)) + "\n", err)
    if strict and result["ledger"]["lost"]:
        raise Failure(f"{result['ledger']['lost']} events were lost", LOST)


def put(piece: str, err: bool = False) -> None:
    """Text on stdout or stderr; raises OSError, which names the stream."""
    try:
        click.echo(piece, nl=False, err=err)
    except OSError as error:  # whoever reads it is gone, or its disk is full
        raise OSError(error.errno, error.strerror, STREAMS[err]) from None


def check_writable(path: str) -> str | None:
    """None if a file can be written there, else why not, as one line."""
    try:
        parent = Path(path).absolute().parent
    except OSError:
        return f"{path}: the current directory is gone"
    if not os.path.isdir(parent):
        return f"{path}: no such directory: {parent}"
    if os.path.isdir(path):
        return f"{path}: is a directory"
    existed = os.path.lexists(path)
    if existed and not stat.S_ISREG(os.lstat(path).st_mode):
        return f"{path}: is not a regular file"  # a device or a link would be replaced, a FIFO waited for
    try:  # what lies there may be a link by now, in a directory like /tmp
        os.close(
            os.open(path, os.O_WRONLY | os.O_NOFOLLOW | (0 if existed else os.O_CREAT | os.O_EXCL))
        )
        if not existed:
            Path(path).unlink()
    except OSError as error:
        return text.failure(error)
    return None


@contextmanager
def recorded(output: str | None, user: tuple[int, int] | None, mode: int = PRIVATE):
    """(a path to record to, what to call when the recording is whole): it then becomes `output`, `user`'s and of `mode`;
    or the name that the call is given in the temporary directory, where nothing was to be kept."""
    place = str(Path(output).absolute().parent) if output else tempfile.gettempdir()
    with unnamed(place) as file:
        try:
            yield file.path, lambda name=output: name and file.name(name, user, mode)
        except OSError as error:
            raise _telling(error, file.path, output) from error


def _telling(error: Exception, path: str, output: str | None) -> Exception:
    """The error, with a place that tells the user something instead of the unnamed file that was recorded to."""
    if isinstance(error, OSError) and error.filename == path:
        return OSError(error.errno, error.strerror, output or tempfile.gettempdir())
    return error


def survived(ended, path: str, output: str | None, otherwise: str) -> str:
    """One line for a failure of iotrace's own that a target has survived (tracing.Ended), recorded to `path`."""
    failure = text.failure(_telling(ended.failure, path, output))
    if ended.how == "failed":
        return f"{failure}; tracing ended early, {otherwise}"
    return f"{failure}; names and calls still open may be missing, nothing else is; {otherwise}"


@contextmanager
def own_failures(status: int):
    """What nobody foresaw becomes Failure: one line, and with --debug the traceback."""
    try:
        yield
    except (click.ClickException, click.exceptions.Exit, click.Abort, OSError):
        raise
    except KeyboardInterrupt:
        raise Failure("interrupted", status) from None
    except Exception as error:
        raise Failure(
            f"iotrace failed: {text.failure(error)} (--debug shows where)", status
        ) from error


@contextmanager
def rescuing(output: str | None, keep: Callable[[str], None], status: int, otherwise: str = ""):
    """For showing a report: where that fails by a fault of ours, the recording is kept though nobody asked for it, and
    Failure says where; otherwise: what else there is to say then."""
    try:
        yield
    except (click.exceptions.Exit, click.Abort):
        raise
    except Exception as error:
        if _is_no_fault(error):
            raise
        where = output
        if not where:
            where = str(Path(tempfile.gettempdir(), f"iotrace-{secrets.token_hex(4)}.parquet"))
            keep(where)
        raise Failure(
            f"the report failed: {text.failure(error)}; {otherwise}the recording is kept as {where}",
            status,
        ) from error


def _is_no_fault(error: Exception) -> bool:
    """Whether a report could not be shown for a reason outside iotrace: a stream takes no more, or --strict."""
    if isinstance(error, click.ClickException):
        return error.__cause__ is None
    return isinstance(error, OSError) and error.filename in STREAMS


@contextmanager
def progress(wanted: bool):
    """Says on a terminal's stderr how many events there are so far, when the run is a long one."""
    if not (wanted and sys.stderr.isatty()):
        yield lambda count: None
        return

    def say(words: str) -> None:
        with suppress(OSError):  # the terminal may go, and what is traced need not end for that
            click.echo(words, nl=False, err=True)

    yield lambda count: say(f"\r{count:,} events, Ctrl-C ends the run")
    say("\r\033[K")
