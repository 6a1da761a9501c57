"""What is said on stderr while something lasts: on a terminal in one line that goes again, else seldom or never."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import click

from tracer import text

if TYPE_CHECKING:
    from tracer.run.interleave import Turn

_MOST_REFUSED = 5  # processes that are named
_ERASE = "\r\033[K"  # the line on which the cursor stands


@contextmanager
def of_events(wanted: bool) -> Iterator[Callable[[int], None]]:
    """For a run, where `wanted`: a function of how many events there are so far. Nothing but on a terminal."""
    if not (wanted and sys.stderr.isatty()):
        yield lambda count: None
        return
    yield lambda count: _say(f"\r{count:,} events, Ctrl-C ends the run")
    _say(_ERASE)


def of_refused(why_not: dict[int, str]) -> None:
    """One line: which processes are not traced while others are, and why."""
    shown = "; ".join(list(why_not.values())[:_MOST_REFUSED])
    more = len(why_not) - _MOST_REFUSED
    others = f"; and {more} more" if more > 0 else ""
    _say(f"iotrace: {text.printable(shown)}{others}: the others are traced\n")


@contextmanager
def of_claims(total: int) -> Iterator[Callable[[int, str], None]]:
    """For `total` runs: a function of how many are done and what runs now; one line for each tenth of them."""
    if sys.stderr is None:
        yield lambda done, name: None
    elif sys.stderr.isatty():
        yield lambda done, name: _say(f"{_ERASE}{done + 1}/{total}  {name}")
        _say(_ERASE)
    else:
        step = max(1, total // 10)

        def say(done: int, name: str) -> None:
            if done % step == 0:
                _say(f"iotrace: {done} of {total} runs made\n")

        yield say


@contextmanager
def of_rounds(names: Sequence[tuple[str, str]], rounds: int) -> Iterator[Callable[[Turn], None]]:
    """For rounds of runs of these scenarios, each with its language: a function of the turn; one line a round."""
    terminal, runs, last = sys.stderr is not None and sys.stderr.isatty(), 0, -1
    total = len(names) * rounds

    def say(turn: Turn) -> None:
        nonlocal runs, last
        runs += 1
        name, lang = names[turn.plan]
        if terminal:
            _say(f"{_ERASE}run {runs} of {total}: {name} ({lang}), round {turn.round + 1}")
        elif turn.round != last:
            _say(f"round {turn.round + 1}, run {runs} of {total}\n")
        last = turn.round

    try:
        yield say
    finally:
        if terminal:
            _say(_ERASE)


def _say(words: str) -> None:
    with suppress(OSError):  # the terminal may go, and what is traced need not end for that
        click.echo(words, nl=False, err=True)
