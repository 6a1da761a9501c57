"""What stands below the options in a command's --help: the commands below it, its exit statuses, and examples that can
be copied."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import click

from tracer.errors import CANNOT, FAILED, LOST, USAGE

Statuses: TypeAlias = dict[int | str, str]
"""Status, or N for those of a command → what it means."""
_DONE = "done"
_WHOLE = 10_000  # letters: no sentence is longer
REPORTED: Statuses = {0: "done, after Ctrl-C too: what was captured is shown"}
_FAILED: Statuses = {FAILED: "it failed, or had not ended in time"}
_USAGE: Statuses = {USAGE: "wrong usage"}
_CANNOT: Statuses = {CANNOT: "this machine cannot: the line says what is missing"}
_LOST: Statuses = {LOST: "with --strict: events were lost"}

PLAIN: Statuses = {0: _DONE, FAILED: "it failed", **_USAGE}
TRACES: Statuses = {**REPORTED, **_FAILED, **_USAGE, **_CANNOT, **_LOST}
READS: Statuses = {0: _DONE, FAILED: "the recording cannot be read", **_USAGE, **_LOST}
READS_ALL: Statuses = {
    0: _DONE,
    FAILED: "a recording cannot be read, or a table not written",
    **_USAGE,
}
DOCTOR: Statuses = {0: "it can trace", **_USAGE, **_CANNOT}
COMPARES: Statuses = {0: _DONE, **_FAILED, **_USAGE, **_CANNOT, **_LOST}
TESTS: Statuses = {
    0: "done, whatever the claims' verdicts",
    FAILED: "a run failed",
    **_USAGE,
    CANNOT: "a claim could not be tested here, or nothing can be traced",
}
COMMAND: Statuses = {
    "N": "the command's own; 128 + n where signal n ended it",
    LOST: "with --strict: events were lost",
    125: "iotrace itself failed, or was used wrongly",
    126: "the command cannot be executed",
    127: "the command was not found",
}
IN_MACHINE: Statuses = {"N": "that of the command in the machine", **_FAILED, **_USAGE, **_CANNOT}
LAB: Statuses = {0: _DONE, FAILED: "it failed, or a machine ended early", **_USAGE, **_CANNOT}


def epilog(statuses: Statuses, examples: Sequence[str]) -> str:
    """As click takes it: paragraphs that begin with \\b keep their lines."""
    width = max(len(str(status)) for status in statuses)
    told = [f"  {status!s:<{width}}  {meaning}" for status, meaning in statuses.items()]
    shown = [f"  {example}" for example in examples]
    return "\n".join(["\b", "Exit status:", *told, "", "\b", "Examples:", *shown])


class Group(click.Group):
    """Its --help has the first sentence of each command below it whole, where click would cut it to one line."""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        found = ((name, self.get_command(ctx, name)) for name in self.list_commands(ctx))
        rows = [(name, its.get_short_help_str(_WHOLE)) for name, its in found if its]
        with formatter.section("Commands"):
            formatter.write_dl(rows)
