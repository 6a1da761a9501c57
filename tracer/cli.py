"""The command line: the only module that prints, asks or exits. Statuses: 0 done, 1 the run failed, 2 wrong usage,
3 this machine cannot, 4 events were lost under --strict."""

from __future__ import annotations

import difflib
import json
import os
import re
import shutil
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path

import click

import scenarios
from tracer import __version__

FAILED, USAGE, CANNOT, LOST = 1, 2, 3, 4
_MOST_NS = 10**13
_MOST_TIMEOUT = 10**6  # s
_UNITS = {"ns": 1, "us": 10**3, "µs": 10**3, "ms": 10**6, "s": 10**9}


class Failure(click.ClickException):
    """One line on stderr and an exit status."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.exit_code = status


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


class Duration(click.ParamType):
    """A time such as 10ms, 2s or 500us → ns; a bare number is milliseconds."""

    name = "time"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if isinstance(value, int):
            return value
        match = re.fullmatch(r"(\d+(?:\.\d+)?)(ns|us|µs|ms|s)?", str(value))
        if not match:
            self.fail(f"{value!r} is not a time such as 10ms, 2s or 500us", param, ctx)
        ns = float(match[1]) * _UNITS[match[2] or "ms"]
        if ns > _MOST_NS:
            self.fail(f"{value!r} is longer than {_MOST_NS // 10**9} s", param, ctx)
        return round(ns)


class Seconds(click.FloatRange):
    """A number of seconds that one can wait; no range refuses NaN by itself."""

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        seconds = super().convert(value, param, ctx)
        if seconds != seconds:
            self.fail(f"{value!r} is not a number of seconds", param, ctx)
        return seconds


class Scenario(click.ParamType):
    """A scenario's name or alias."""

    name = "scenario"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> scenarios.Scenario:
        try:
            return scenarios.find(str(value))
        except LookupError:
            known = [name for s in scenarios.scenarios() for name in (s.name, *s.aliases)]
            near = difflib.get_close_matches(str(value).lower(), known, 1)
            hint = f"did you mean {near[0]}?" if near else "`iotrace list` shows them all"
            self.fail(f"no scenario {value!r}: {hint}", param, ctx)


@click.group(cls=OneLine, invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__)
@click.pass_context
def main(ctx: click.Context) -> None:
    """Show how a program waits for data on this very kernel, and where the time goes."""
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())


@main.command("list")
def list_scenarios() -> None:
    """The scenarios, one line each."""
    for scenario in scenarios.scenarios():
        click.echo(f"{scenario.name:<12} {scenario.summary}")


def shown(command):
    """The options of every command that shows a report."""
    for option in (
        click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout, and nothing else."),
        click.option("--hist", is_flag=True, help="Log2 histograms of the phases and calls."),
        click.option("--ascii", "plain", is_flag=True, help="Draw with ASCII alone."),
        click.option("--strict", is_flag=True, help="Exit with status 4 if any event was lost."),
    ):
        command = option(command)
    return command


@main.command()
@click.argument("scenario", type=Scenario())
@click.option("--messages", type=click.IntRange(1, 10**7), default=20, show_default=True, help="How many to send.")
@click.option("--interval", type=Duration(), default="10ms", show_default=True, help="One every so long.")
@click.option("--size", type=click.IntRange(1, 1 << 20), default=64, show_default=True, help="Bytes in a message.")
@click.option("--proto", default="udp", show_default=True, help="udp, or tcp where the model allows it.")
@click.option("--open-loop", is_flag=True, help="Send on schedule, whatever the receiver does.")
@click.option("-o", "--output", type=click.Path(dir_okay=False), help="Keep the recording in this file.")
@click.option("--timeout", type=Seconds(0, _MOST_TIMEOUT, min_open=True), help="End the run after so many seconds.")
@click.option("--as-root", is_flag=True, help="Run the scenario as root, not as the user who called sudo.")
@click.option("--no-cost", is_flag=True, help="Leave out the untraced run that the cost is compared with.")
@click.option("--ring-size", type=click.IntRange(4096, 1 << 30), default=16 << 20, show_default=True,
              help="Bytes of the ring buffer, a power of two.")
@shown
def run(scenario, messages, interval, size, proto, open_loop, output, timeout, as_root, no_cost, ring_size, as_json,
        hist, plain, strict) -> None:
    """Run SCENARIO under the probes and show its phases."""
    from scenarios.workload import Options
    from tracer import experiment, features, recording, target

    if proto not in scenario.protocols:
        raise Failure(f"{scenario.name} runs over {', '.join(scenario.protocols)}, not over {proto}", USAGE)
    if proto == "udp" and size > 65507:
        raise Failure("a UDP datagram holds at most 65507 bytes", USAGE)
    if ring_size & (ring_size - 1):
        raise Failure(f"--ring-size {ring_size} is not a power of two", USAGE)
    if output and (problem := recording.check_writable(output)):
        raise Failure(problem, FAILED)
    limit = timeout or 30 + 3 * messages * interval / 1e9
    try:
        found = features.find()
        options = Options(messages, interval, size, proto, open_loop)
        user = None if as_root else target.invoking_user()
        plan = experiment.Plan(scenario.name, options, limit, user, ring_size, not no_cost)
        with _recorded(output, user) as (path, keep):
            writer = recording.Writer(path)
            try:
                with _progress(messages * interval > 3 * 10**9) as progress:
                    ended = experiment.traced(plan, found, writer, progress)
            except BaseException:
                writer.abandon()
                raise
            keep()
            if ended == "timeout":
                raise Failure(f"{scenario.name} had not ended after {limit:g} s (--timeout)", FAILED)
            _show(output or path, as_json, hist, plain, strict)
    except features.CannotTrace as error:
        raise Failure(str(error), CANNOT) from None
    except experiment.NothingSeen as error:
        raise Failure(str(error), CANNOT) from None
    except (experiment.RunFailed, OSError) as error:
        raise Failure(str(error), FAILED) from None
    except KeyboardInterrupt:
        raise Failure("interrupted", FAILED) from None


@main.command()
@click.argument("recording", type=click.Path())
@shown
def report(recording, as_json, hist, plain, strict) -> None:
    """Show RECORDING again; needs neither root nor BCC."""
    _show(recording, as_json, hist, plain, strict)


@main.command()
def doctor() -> None:
    """What this kernel offers, what is missing, and what to do."""
    from tracer import experiment, features

    host = experiment.host()
    click.echo(f"{'kernel':<12}{host['kernel']} on {host['arch']}, {host['cpus']} CPUs; Python {host['python']}")
    try:
        found = features.find()
        click.echo(f"{'BCC':<12}{host['bcc'] or 'missing: apt-get install python3-bpfcc'}")
        for boundary, source in found.sources.items():
            click.echo(f"{boundary:<12}{source}")
        from tracer.session import Session

        with Session(found, 1, 4096):
            click.echo(f"{'probes':<12}compile, load and attach")
    except features.CannotTrace as error:
        raise Failure(str(error), CANNOT) from None


def _show(path: str, as_json: bool, hist: bool, plain: bool, strict: bool) -> None:
    from tracer import recording
    from tracer import report as reports

    try:
        facts = recording.read_facts(path)
        result = reports.build(recording.read(path), facts)
    except recording.RecordingError as error:
        raise Failure(str(error), FAILED) from None
    if as_json:
        click.echo(json.dumps(result))
    else:
        from tracer.render.terminal import render

        width = max(80, min(shutil.get_terminal_size().columns, 120))
        colour = sys.stdout.isatty() and "NO_COLOR" not in os.environ
        unicode = not plain and "utf" in (sys.stdout.encoding or "").lower()
        click.echo(render(result, width=width, hist=hist, color=colour, unicode=unicode))
    if strict and result["ledger"]["lost"]:
        raise Failure(f"{result['ledger']['lost']} events were lost", LOST)


@contextmanager
def _recorded(output: str | None, user: tuple[int, int] | None):
    """(a path to record to, what to call when the recording is whole): it then becomes `output`, and `user`'s."""
    directory = Path(output).absolute().parent if output else None
    handle, path = tempfile.mkstemp(prefix=".iotrace-", suffix=".parquet", dir=directory)

    def keep() -> None:
        if output:
            mask = os.umask(0)
            os.umask(mask)
            os.fchmod(handle, 0o666 & ~mask)
            if user:
                os.fchown(handle, *user)
            os.replace(path, output)

    try:
        yield path, keep
    finally:
        os.close(handle)
        Path(path).unlink(missing_ok=True)


@contextmanager
def _progress(wanted: bool):
    """Says on a terminal's stderr how many events there are so far, when the run is a long one."""
    if not (wanted and sys.stderr.isatty()):
        yield lambda count: None
        return
    yield lambda count: click.echo(f"\r{count:,} events, Ctrl-C ends the run", nl=False, err=True)
    click.echo("\r\033[K", nl=False, err=True)
