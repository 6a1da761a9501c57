"""What is said on stderr while something lasts: on a terminal in one line that goes again, else seldom or never."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import click

from tracer import text
from tracer.cli.paper import takes_escapes

_MOST_REFUSED = 5  # processes that are named
_ERASE = "\r\033[K"  # the line on which the cursor stands


@contextmanager
def of_events(wanted: bool) -> Iterator[Callable[[int], None]]:
    """For a run, where `wanted`: a function of how many events there are so far. Nothing but on a terminal."""
    if not (wanted and takes_escapes(sys.stderr)):
        yield lambda count: None
        return
    try:
        yield lambda count: _say(f"\r{count:,} events, Ctrl-C ends the run")
    finally:
        _say(_ERASE)


def of_refused(why_not: dict[int, str]) -> None:
    """One line: which processes are not traced while others are, and why."""
    shown = "; ".join(list(why_not.values())[:_MOST_REFUSED])
    more = len(why_not) - _MOST_REFUSED
    others = f"; and {more} more" if more > 0 else ""
    _say(f"iotrace: {text.printable(shown)}{others}: the others are traced\n")


class Runs:
    """How far many runs have come: on a terminal one line that goes again; else a line at each tenth of them, and
    notes."""

    def __init__(self, total: int) -> None:
        self._total, self._shown, self._begun = total, takes_escapes(sys.stderr), 0
        self._step = max(1, total // 10)

    def __call__(self, done: int, what: str) -> None:
        """`done` runs are made, and this one begins."""
        self._begun = max(self._begun, done + 1)
        if self._shown:
            _say(f"{_ERASE}{done + 1}/{self._total}  {text.printable(what)}")
        elif sys.stderr is not None and done % self._step == 0:
            _say(f"iotrace: {done} of {self._total} runs made\n")

    def note(self, line: str, begins: bool = False) -> None:
        """What else happens. begins: it is that a run begins, of several beside each other."""
        if begins:
            self(self._begun, line)
        elif self._shown:
            _say(f"{_ERASE}{self._begun}/{self._total}  {text.printable(line)}")
        else:
            _say(f"iotrace: {text.printable(line)}\n")

    def end(self) -> None:
        """Takes the line away."""
        if self._shown:
            _say(_ERASE)


@contextmanager
def of_runs(total: int) -> Iterator[Runs]:
    """For `total` runs, of compare, verify or the lab's matrix: what is told of each as it begins."""
    runs = Runs(total)
    try:
        yield runs
    finally:
        runs.end()


def _say(words: str) -> None:
    with suppress(OSError):  # the terminal may go, and what is traced need not end for that
        click.echo(words, nl=False, err=True)
