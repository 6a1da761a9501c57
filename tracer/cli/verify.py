"""`iotrace verify`: the textbook's claims put to the test on this kernel."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tracer import text
from tracer.cli import files, progress, show
from tracer.cli.errors import Command
from tracer.cli.params import Value, output_options
from tracer.cli.show import Wanted
from tracer.errors import CANNOT, IotraceError
from tracer.output.format import Kind

if TYPE_CHECKING:
    from tracer.claims.claim import Claim
    from tracer.report.contract import Verification

ORDER = 8


class Claims(Value):
    """A claim's number or name."""

    name = "claim"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> Claim:
        from tracer import claims

        known = claims.claims()
        for claim in known:
            if str(value).lower() in (str(claim.number), claim.name):
                return claim
        names = ", ".join(f"{claim.number} {claim.name}" for claim in known)
        self.fail(f"no claim {text.quoted(value)}: there are {names}", param, ctx)


@click.command("verify", cls=Command)
@click.argument("chosen", nargs=-1, type=Claims(), metavar="[CLAIM]...")
@output_options(Kind.VERIFY, strict=False)
@click.option(
    "-o",
    "--output",
    type=click.Path(file_okay=False),
    help="Keep the recordings in this directory.",
)
@click.option(
    "--as-root", is_flag=True, help="Run the programs as root, not as the user who called sudo."
)
def command(chosen: tuple[Claim, ...], output: str | None, as_root: bool, wanted: Wanted) -> None:
    """Put the textbook's claims to the test on this kernel; CLAIM is a number or a name, all of them without.

    A claim that does not hold is a finding, and the status is 0. It is 3 if one could not be tested here. Ctrl-C ends
    the runs, and what was judged by then is shown; the status is 1.
    """
    from tracer import claims
    from tracer.claims.claim import Verdict

    numbers = {claim.number for claim in chosen}
    tested = [claim for claim in claims.claims() if not numbers or claim.number in numbers]
    report = _tested(tested, output, as_root)
    if report["interrupted"]:
        if report["claims"]:
            show.show(Kind.VERIFY, lambda: report, wanted)
        raise KeyboardInterrupt
    show.show(Kind.VERIFY, lambda: report, wanted)
    if report["failed"]:
        raise IotraceError("; ".join(report["failed"]))
    untested = [
        str(claim["number"])
        for claim in report["claims"]
        if claim["verdict"] == Verdict.UNTESTED.value
    ]
    if untested:
        raise IotraceError(f"cannot be tested here: claim {', '.join(untested)}", CANNOT)


def _tested(claims: list[Claim], output: str | None, as_root: bool) -> Verification:
    """The report on these claims, from runs made for it; raises CannotTrace, OSError, KeyboardInterrupt."""
    from tracer.capture import spawn
    from tracer.capture.interrupts import interrupting
    from tracer.kernel import features

    kernel = features.find()
    from tracer.claims import run  # not before this machine can trace

    runs, user = run.runs_of(claims), None if as_root else spawn.invoking_user()
    kept = files.directory(output, user)
    # inside the directory in which they are kept, if they are
    with interrupting(), tempfile.TemporaryDirectory(prefix=".iotrace-", dir=kept) as directory:
        with progress.of_claims(sum(map(run.rounds_of, runs))) as say:
            made = run.run(runs, kernel, Path(directory), user, say)
        report = run.report(claims, made, kernel.sources, output)
        if kept:
            files.keep_all(Path(directory), kept, user)
    return report
