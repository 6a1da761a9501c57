"""The keys of what `diff --json` prints, as types; docs/json.md says what each means, docs/schema has the schema."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias, TypedDict

from tracer.report.contract import Also, Count, RecordedHost, Share

Value: TypeAlias = float | int | str | None
Rule: TypeAlias = Literal["test", "floor", "usual", "exact", "shown"]


class DiffedRun(TypedDict):
    """One recording. operations: how many it has; lost: events."""

    name: str
    scenario: str | None
    host: RecordedHost
    operations: Count
    lost: Count


class Place(TypedDict):
    """What a line is about: the processes of one name, or their descriptors of one role; null: all."""

    process: str | None
    descriptor: str | None


class Told(TypedDict):
    """One difference. a, b: values (of several runs the median); effect: b above a; interval: where that lies; p:
    corrected for all that was tested. null where there is no such thing."""

    what: str
    where: Place
    a: Value
    b: Value
    effect: float | None
    interval: Annotated[list[float], Also(length=2)] | None
    p: Share | None


class Line(Told):
    """One measure, whether it differs or not. unit: ns, count (a message), share or word; a_runs, b_runs: each run's
    number; rule: by what it is told; least: the least shift that would have been told, null where none can."""

    unit: Literal["ns", "count", "share", "word"]
    a_runs: list[float]
    b_runs: list[float]
    rule: Rule
    differs: bool
    least: float | None


class Difference(TypedDict):
    """What diff prints with --json. alpha: the chance of one false difference or more among all tested; runs: how many
    each side has; how: what times are told by."""

    schema: Literal[1]
    same: bool
    a: list[DiffedRun]
    b: list[DiffedRun]
    how: Literal["one run each", "few runs", "sets"]
    alpha: Share
    differences: list[Told]
    measures: list[Line]
    notes: list[str]
