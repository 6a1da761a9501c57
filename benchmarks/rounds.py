"""Interleaved rounds: every contender once a round, in another order each time, so that a slow minute is everybody's."""

from __future__ import annotations

import contextlib
import statistics
import time
from collections.abc import Callable, Iterable

MOST_TRIES = 4


class Noisy(Exception):
    """Somebody else had the CPU for too long; carries the measurement."""


class Failed(Exception):
    """A contender that could not do it; the text says why."""


def interleave(
    contenders: Iterable, measure: Callable, rounds: int, say: Callable[[str], None]
) -> dict[str, list]:
    """{contender's name: [what measure(contender) gave, a round each]}; who fails is named and left out.

    A measurement that raises Noisy is repeated, at most MOST_TRIES times.
    """
    results: dict[str, list] = {}
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


def _rotated(field: list, number: int) -> list:
    cut = number % len(field) if field else 0
    return field[cut:] + field[:cut]


def _once(measure: Callable, contender):
    kept = None
    for _ in range(MOST_TRIES):
        try:
            return measure(contender)
        except Noisy as noisy:
            kept = noisy.args[0]
    return kept


def median(values: Iterable[float]) -> dict:
    """{median, low, high, rounds} of what was measured."""
    values = list(values)
    return {
        "median": statistics.median(values),
        "low": min(values),
        "high": max(values),
        "rounds": len(values),
    }


def ratios(results: dict[str, list], key: Callable, over: str) -> dict[str, dict]:
    """{name: the median and spread of its ratio to `over`, round by round}."""
    base = [key(one) for one in results[over]]
    return {
        name: median(key(one) / below for one, below in zip(ones, base, strict=True))
        for name, ones in results.items()
    }


@contextlib.contextmanager
def stopwatch():
    """A list that holds the seconds when the block has ended."""
    took: list[float] = []
    began = time.monotonic()
    yield took
    took.append(time.monotonic() - began)
