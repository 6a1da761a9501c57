"""Two sets of runs → what differs between them: the dict that `diff --json` prints and its outputs read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Literal, cast

import numpy as np

from tracer.quantities import duration
from tracer.report.difference import measure, shapes
from tracer.report.difference.run import TIMED, Number, Place, Run, Usual, Where
from tracer.statistics import ALPHA, FEWEST, Floats, detectable, step_down

SCHEMA: Literal[1] = 1
_ONLY = "not there"
_UNITS = {"_ns": "ns", " calls": "count", "wake-ups": "count", " share": "share"}


def difference(one: Sequence[Run], other: Sequence[Run]) -> shapes.Difference:
    """The result of `diff` of two sets of runs, neither of them empty."""
    how = _how(len(one), len(other))
    pairs = _aligned(one, other)
    lines = [line for where, sides in pairs for line in _lines(where, *sides)]
    if how == "sets":
        _test(lines, pairs)
    lines = [_rounded(line) for line in lines]
    told = [line for line in lines if line["differs"]]
    return {
        "schema": SCHEMA,
        "same": not told,
        "a": [_run(its) for its in one],
        "b": [_run(its) for its in other],
        "how": how,
        "alpha": ALPHA,
        "differences": [
            cast(shapes.Told, {key: line[key] for key in shapes.Told.__annotations__})  # type: ignore[literal-required]  # keys of Line, all
            for line in told
        ],
        "measures": lines,
        "notes": _notes(one, other, how, lines),
    }


def _how(one: int, other: int) -> Literal["one run each", "few runs", "sets"]:
    if min(one, other) >= FEWEST:
        return "sets"
    return "one run each" if one == other == 1 else "few runs"


def _run(run: Run) -> shapes.DiffedRun:
    return {
        "name": run.name,
        "scenario": run.scenario,
        "host": cast(Any, run.host),
        "operations": run.places[Where()].operations,
        "lost": run.lost,
    }


# the same place on both sides

Sides = tuple[list[Place | None], list[Place | None]]


def _aligned(one: Sequence[Run], other: Sequence[Run]) -> list[tuple[Where, Sides]]:
    """Each place that a run has, and what each run has there (None: it has no such place). Processes whose names stand
    on one side alone are taken for each other, in the order of their beginnings: a program and its successor."""
    first, second = (_processes(runs) for runs in (one, other))
    only = [name for name in first if name not in second]
    instead = dict(zip([name for name in second if name not in first], only, strict=False))
    renamed = {
        id(run): {
            Where(instead.get(where.process, where.process), where.role): place
            for where, place in run.places.items()
        }
        for run in other
    }
    wheres = dict.fromkeys(where for run in one for where in run.places)
    wheres |= dict.fromkeys(where for places in renamed.values() for where in places)
    return [
        (
            where,
            (
                [run.places.get(where) for run in one],
                [renamed[id(run)].get(where) for run in other],
            ),
        )
        for where in wheres
    ]


def _processes(runs: Iterable[Run]) -> list[str]:
    return list(dict.fromkeys(where.process for run in runs for where in run.places))


# one measure after the other


def _lines(
    where: Where, one: list[Place | None], other: list[Place | None]
) -> Iterator[shapes.Line]:
    there = [[its for its in side if its is not None] for side in (one, other)]
    if all(len(its) == len(side) for its, side in zip(there, (one, other), strict=True)):
        yield from _words(where, *there)
        yield from _numbers(where, *there)
        yield from _usual(where, *there)
    elif not all(there):
        said = ["there" if its else _ONLY for its in there]
        sure = all(
            len(its) in (0, len(side)) for its, side in zip(there, (one, other), strict=True)
        )
        does = max(its.operations for side in there for its in side) > 0
        yield _line(where, "receives", "word", "exact", *said, differs=sure and does)


def _words(where: Where, one: list[Place], other: list[Place]) -> Iterator[shapes.Line]:
    for name in one[0].words:
        first, second = (sorted({its.words[name] for its in side}) for side in (one, other))
        differs = not set(first) & set(second)
        said = (" or ".join(side) for side in (first, second))
        yield _line(where, name, "word", "exact", *said, differs=differs)


def _numbers(where: Where, one: list[Place], other: list[Place]) -> Iterator[shapes.Line]:
    for key in _keys(one, other):
        if any(key not in its.numbers for its in (*one, *other)) and _unit(key) != "count":
            continue
        first, second = ([_number(its, key) for its in side] for side in (one, other))
        name, unit = key.removesuffix("_ns"), _unit(key)
        a, b = measure.median(first), measure.median(second)
        effect, interval = measure.effect(first, second)
        least = measure.floor_of(name, unit, a, b)
        differs = least is not None and measure.told(first, second, least)
        rule: shapes.Rule = "shown" if least is None else "floor"
        line = _line(where, name, unit, rule, a, b, differs=differs)
        line |= {"effect": effect, "interval": list(interval) if interval else None, "least": least}
        line["a_runs"], line["b_runs"] = ([its.value for its in side] for side in (first, second))
        yield line


def _keys(one: list[Place], other: list[Place]) -> list[str]:
    return list(dict.fromkeys(key for its in (*one, *other) for key in its.numbers))


def _number(place: Place, key: str) -> Number:
    """A call that a run never made it made 0 times."""
    return place.numbers.get(key) or Number(0.0, np.zeros(1), np.empty(0))


def _unit(key: str) -> str:
    return next(unit for ending, unit in _UNITS.items() if key.endswith(ending))


def _usual(where: Where, one: list[Place], other: list[Place]) -> Iterator[shapes.Line]:
    """What is usual for a message: counts and the sequence."""
    for name in dict.fromkeys(name for its in (*one, *other) for name in its.usual):
        sides = [[its.usual.get(name) or NEVER for its in side] for side in (one, other)]
        change = measure.changed(*sides)
        if change or name == "sequence":
            first, second = change or (sides[0][0].most, sides[1][0].most)
            unit = "word" if name == "sequence" else "count"
            yield _line(
                where, f"usual {name}", unit, "usual", first, second, differs=change is not None
            )


NEVER = Usual({0: 1.0})


def _line(
    where: Where,
    what: str,
    unit: str,
    rule: shapes.Rule,
    a: shapes.Value,
    b: shapes.Value,
    *,
    differs: bool,
) -> shapes.Line:
    return {
        "what": what,
        "where": {"process": where.process or None, "descriptor": where.role or None},
        "a": a,
        "b": b,
        "effect": None,
        "interval": None,
        "p": None,
        "unit": cast(Any, unit),
        "a_runs": [],
        "b_runs": [],
        "rule": rule,
        "differs": differs,
        "least": None,
    }


def _test(lines: list[shapes.Line], pairs: list[tuple[Where, Sides]]) -> None:
    """All numbers of all places, tested together."""
    places = {(where.process or None, where.role or None): sides for where, sides in pairs}
    tested = [line for line in lines if line["rule"] in ("floor", "shown")]
    if not tested:
        return
    one, other = (_table(tested, places, side) for side in (0, 1))
    p, least = step_down(one, other), detectable(one, other)
    for line, chance, shortest in zip(tested, p.tolist(), least.tolist(), strict=True):
        line["p"], line["rule"], line["differs"] = chance, "test", chance <= ALPHA
        line["least"] = shortest if np.isfinite(shortest) else None


def _table(
    tested: list[shapes.Line], places: dict[tuple[str | None, str | None], Sides], side: int
) -> Floats:
    """The numbers (runs, measures) of one side."""
    columns = [
        [_number(its, _key(line)).value for its in places[_where(line)][side] if its is not None]
        for line in tested
    ]
    return np.array(columns, np.float64).T


def _where(line: shapes.Line) -> tuple[str | None, str | None]:
    return line["where"]["process"], line["where"]["descriptor"]


def _key(line: shapes.Line) -> str:
    return f"{line['what']}_ns" if line["unit"] == "ns" else line["what"]


def _rounded(line: shapes.Line) -> shapes.Line:
    """Nanoseconds whole, counts and shares with four decimals."""

    def rounded(value: Any) -> Any:
        if isinstance(value, list):
            return [rounded(its) for its in value]
        if isinstance(value, float):
            return round(value) if line["unit"] == "ns" else round(value, 4)
        return value

    keys = ("a", "b", "effect", "interval", "least", "a_runs", "b_runs")
    p = line["p"]
    changes = {key: rounded(line[key]) for key in keys}  # type: ignore[literal-required]  # keys of Line, all
    return cast(shapes.Line, {**line, **changes, "p": p if p is None else round(p, 6)})


# what has to be said beside


def _notes(
    one: Sequence[Run], other: Sequence[Run], how: str, lines: Sequence[shapes.Line]
) -> list[str]:
    notes = []
    least = {line["what"]: line["least"] for line in reversed(lines) if line["least"]}
    shifts = ", ".join(
        f"{name.removesuffix(' p50')} {duration(least[name])}"
        for name in (f"{phase} p50" for phase in TIMED)
        if name in least
    )
    runs = f"{len(one)} and {len(other)} runs"
    if how == "one run each":
        notes.append(
            f"one run each: shifts of medians under these are not told: {shifts}, and none that is a wait for a CPU; "
            "p90 and CPU time are shown and not compared. Five runs of each, made in turns, tell more (--a RUN… --b "
            "RUN…)"
        )
    elif how == "few runs":
        notes.append(
            f"{runs} are too few for a test (5 and 5 are enough): times differ where all runs of one side lie beyond "
            f"all of the other, and medians by more than {shifts}"
        )
    else:
        notes.append(
            f"{runs}, one number a run; all {sum(line['rule'] == 'test' for line in lines)} tested together. With "
            f"their scatter, shifts of medians under these would not have been told: {shifts}"
        )
    for sides, name in ((one, "A"), (other, "B")):
        if lost := sum(its.lost for its in sides):
            notes.append(f"{name} lost {lost:,} events: its counts are too low")
    hosts = [{its.host.get("kernel") for its in side} for side in (one, other)]
    if hosts[0] != hosts[1]:
        notes.append(f"different kernels: {_said(hosts[0])} and {_said(hosts[1])}")
    return notes


def _said(names: Iterable[Any]) -> str:
    return ", ".join(sorted(map(str, names)))
