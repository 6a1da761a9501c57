"""The one pass over a recording: its steps, found by being there, fed batch by batch, each after those that it needs.

A new analysis is one file (tracer/analysis/steps/step.py shows it). Nothing is written down elsewhere: a class in a
module below tracer/analysis (or tracer/report) that derives from Step or ReportPart is registered.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Iterable
from dataclasses import replace
from functools import cache
from graphlib import TopologicalSorter
from types import ModuleType
from typing import Any, TypeAlias

from tracer.analysis.identity.identity import Identity
from tracer.analysis.steps.step import Recording, ReportPart, Results, State, Step

AnyStep: TypeAlias = type[Step[Any, Any]]


@cache
def registered(package: ModuleType) -> tuple[AnyStep, ...]:
    """The steps in the modules of a package and below, by the modules' names."""
    names = sorted(
        its.name for its in pkgutil.walk_packages(package.__path__, package.__name__ + ".")
    )
    return tuple(step for name in names for step in steps_of(importlib.import_module(name)))


def steps_of(module: ModuleType) -> list[AnyStep]:
    """The steps that a module defines, in its order."""
    return [
        its
        for its in vars(module).values()
        if inspect.isclass(its)
        and issubclass(its, Step)
        and not inspect.isabstract(its)
        and its.__module__ == module.__name__
    ]


def ordered(steps: Iterable[AnyStep]) -> tuple[AnyStep, ...]:
    """The steps and those that they need, each after those; raises graphlib.CycleError."""
    needs: dict[AnyStep, tuple[AnyStep, ...]] = {}
    waiting = list(steps)
    while waiting:
        step = waiting.pop()
        if step not in needs:
            needs[step] = step.NEEDS
            waiting += step.NEEDS
    return tuple(TopologicalSorter(needs).static_order())


def run(recording: Recording, steps: Iterable[AnyStep]) -> Results:
    """Feeds the recording to the steps, and to those that they need; their results."""
    made = {step: step() for step in ordered(steps)}
    identity = made.get(Identity)
    batches = recording.read(None, None)
    if isinstance(identity, Identity):
        batches = map(identity.with_lives, batches)
    for batch in batches:
        state = State(recording)
        for kind, step in made.items():
            state.put(kind, step.feed(batch, state))
    if isinstance(identity, Identity):
        recording = replace(recording, read=identity.read_again(recording.read))
    results = Results(recording)
    for kind, step in made.items():
        results.put(kind, step.finish(results))
    return results


def parts(results: Results, steps: Iterable[AnyStep]) -> dict[str, Any]:
    """What the ReportParts among the steps say, as one dict."""
    said: dict[str, Any] = {}
    for step in steps:
        if issubclass(step, ReportPart):
            part: dict[str, Any] = results[step]
            said |= part
    return said
