"""`iotrace verify`: the textbook's claims put to the test on this kernel."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import tempfile
from pathlib import Path

import click

from tracer.cli.common import Failure, drawing, put
from tracer.errors import CANNOT, FAILED

ORDER = 8


class Claims(click.ParamType):
    """A claim's number or name."""

    name = "claim"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None):
        from tracer import claims

        known = claims.claims()
        for claim in known:
            if str(value).lower() in (str(claim.number), claim.name):
                return claim
        names = ", ".join(f"{claim.number} {claim.name}" for claim in known)
        self.fail(f"no claim {value!r}: there are {names}", param, ctx)


@click.command("verify")
@click.argument("chosen", nargs=-1, type=Claims(), metavar="[CLAIM]...")
@click.option(
    "--json", "as_json", is_flag=True, help="One JSON object on stdout, and nothing else."
)
@click.option("--ascii", "plain", is_flag=True, help="Draw with ASCII alone.")
@click.option(
    "-o",
    "--output",
    type=click.Path(file_okay=False),
    help="Keep the recordings in this directory.",
)
@click.option(
    "--as-root", is_flag=True, help="Run the programs as root, not as the user who called sudo."
)
def command(chosen, as_json, plain, output, as_root) -> None:
    """Put the textbook's claims to the test on this kernel; CLAIM is a number or a name, all of them without.

    A claim that does not hold is a finding, and the status is 0. It is 3 if one could not be tested here.
    """
    from tracer import claims
    from tracer.capture import spawn
    from tracer.capture.interrupts import interrupting
    from tracer.claims.claim import Verdict
    from tracer.kernel import features

    numbers = {claim.number for claim in chosen}
    wanted = [claim for claim in claims.claims() if not numbers or claim.number in numbers]
    try:
        found = features.find()
        from tracer.claims import run

        runs, user = run.runs_of(wanted), None if as_root else spawn.invoking_user()
        with interrupting(), _directory(output, user) as directory:
            with _progress(sum(map(run.rounds_of, runs))) as say:
                made = run.run(runs, found, directory, user, say)
            report = run.report(wanted, made, found.sources, output)
            if output:
                _keep(directory, Path(output), user)
        _show(report, as_json, plain)
    except features.CannotTrace as error:
        raise Failure(str(error), CANNOT) from None
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        raise Failure(f"{where}{error.strerror or error}", FAILED) from None
    except KeyboardInterrupt:
        raise Failure("interrupted", FAILED) from None
    if report["failed"]:
        raise Failure("; ".join(report["failed"]), FAILED)
    untested = [
        str(its["number"]) for its in report["claims"] if its["verdict"] == Verdict.UNTESTED
    ]
    if untested:
        raise Failure(f"cannot be tested here: claim {', '.join(untested)}", CANNOT)


@contextlib.contextmanager
def _directory(output: str | None, user: tuple[int, int] | None):
    """A place for the recordings that goes away, inside `output` where they are to be kept there."""
    if output and not os.path.isdir(output):
        os.mkdir(output)
        if user:
            os.chown(output, *user, follow_symlinks=False)
    with tempfile.TemporaryDirectory(prefix=".iotrace-", dir=output) as directory:
        yield Path(directory)


def _keep(directory: Path, output: Path, user: tuple[int, int] | None) -> None:
    for path in directory.iterdir():
        if user:
            os.chown(path, *user, follow_symlinks=False)
        os.replace(path, output / path.name)


@contextlib.contextmanager
def _progress(total: int):
    """Says on stderr what runs now: on a terminal in one line, else in one for each tenth of them."""
    if sys.stderr is None:
        yield lambda done, name: None
    elif sys.stderr.isatty():
        yield lambda done, name: click.echo(
            f"\r\033[K{done + 1}/{total}  {name}", nl=False, err=True
        )
        click.echo("\r\033[K", nl=False, err=True)
    else:
        step = max(1, total // 10)
        yield (
            lambda done, name: (
                done % step or click.echo(f"iotrace: {done} of {total} runs made", err=True)
            )
        )


def _show(report: dict, as_json: bool, plain: bool) -> None:
    if as_json:
        put(json.dumps(report) + "\n")
    elif sys.stdout:
        from tracer.output.terminal import claims

        put(claims.render(report, **drawing(sys.stdout, plain)))
