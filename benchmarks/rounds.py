"""Interleaved rounds: every contender once a round, each time in another order: a slow minute is everybody's."""

from __future__ import annotations

import contextlib
import statistics
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Protocol, TypeVar

MOST_TRIES = 4


class Named(Protocol):
    """What is compared: by this name, if nothing that it needs is missing."""

    name: str

    @property
    def missing(self) -> str | None: ...


Who = TypeVar("Who", bound=Named)
Measured = TypeVar("Measured")


class Noisy(Exception):
    """Somebody else had the CPU for too long; carries the measurement."""


class Failed(Exception):
    """A contender that could not do it; the text says why."""


def interleave(
    contenders: Iterable[Who],
    measure: Callable[[Who], Measured],
    rounds: int,
    say: Callable[[str], None],
) -> dict[str, list[Measured]]:
    """{contender's name: [what measure(contender) gave, a round each]}; who fails is named and left out.

    A measurement that raises Noisy is repeated, at most MOST_TRIES times.
    """
    results: dict[str, list[Measured]] = {}
    field = list(contenders)
    for contender in list(field):
        if contender.missing:
            say(f"left out: {contender.name}: {contender.missing}")
            field.remove(contender)
    for number in range(rounds):
        for contender in _rotated(field, number):
            try:
                results.setdefault(contender.name, []).append(_once(measure, contender))
            except Failed as error:
                say(f"left out: {contender.name}: {error}")
                results.pop(contender.name, None)
                field.remove(contender)
    return {contender.name: results[contender.name] for contender in field}


def _rotated(field: list[Who], number: int) -> list[Who]:
    cut = number % len(field) if field else 0
    return field[cut:] + field[:cut]


def _once(measure: Callable[[Who], Measured], contender: Who) -> Measured:
    for _ in range(MOST_TRIES):
        try:
            return measure(contender)
        except Noisy as noisy:
            kept: Measured = noisy.args[0]
    return kept


def median(values: Iterable[float]) -> dict[str, float]:
    """{median, low, high, rounds} of what was measured."""
    values = list(values)
    return {
        "median": statistics.median(values),
        "low": min(values),
        "high": max(values),
        "rounds": len(values),
    }


def ratios(
    results: dict[str, list[Measured]], key: Callable[[Measured], float], over: str
) -> dict[str, dict[str, float]]:
    """{name: the median and spread of its ratio to `over`, round by round}."""
    base = [key(one) for one in results[over]]
    return {
        name: median(key(one) / below for one, below in zip(ones, base, strict=True))
        for name, ones in results.items()
    }


@contextlib.contextmanager
def stopwatch() -> Iterator[list[float]]:
    """A list that holds the seconds when the block has ended."""
    took: list[float] = []
    began = time.monotonic()
    yield took
    took.append(time.monotonic() - began)
