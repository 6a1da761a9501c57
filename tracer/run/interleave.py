"""Scenarios run several times under the probes, in turns, so that what disturbs the machine disturbs all of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass

from tracer.kernel.features import Features
from tracer.run import scenario
from tracer.run.scenario import ScenarioPlan


@dataclass(frozen=True)
class Run:
    """One run: of which plan (its place in the list), in which round (from 0), and where it was recorded; where this
    machine cannot run it, no path but why."""

    plan: int
    round: int
    path: str | None
    why: str = ""


Place = Callable[[ScenarioPlan, int], AbstractContextManager[tuple[str, Callable[[], None]]]]


def order(plans: int, rounds: int) -> Iterator[tuple[int, int]]:
    """(round, plan): every round has each plan once, and begins one further, so that none always follows the same."""
    for number in range(rounds):
        for place in range(plans):
            yield number, (place + number) % plans


def run(
    plans: Sequence[ScenarioPlan],
    rounds: int,
    features: Features,
    place: Place,
    progress: Callable[[ScenarioPlan, int], None],
) -> Iterator[Run]:
    """Runs every plan `rounds` times, in turns. What the machine cannot run is given out once, and left out then.

    place: of a plan and a round, a context that gives the path to record to, and what to call when the recording is
    whole and has been looked at; it is left when the next run is asked for.
    progress: called before each run. Raises what experiment.traced does, RunFailed also for a time-out, and
    KeyboardInterrupt for a run that was interrupted.
    """
    unable = set()
    for number, which in order(len(plans), rounds):
        if which in unable:
            continue
        plan = plans[which]
        progress(plan, number)
        with place(plan, number) as (path, keep):
            try:
                ended = scenario.traced(plan, features, path, lambda count: None)
            except scenario.CannotRun as error:
                unable.add(which)
                yield Run(which, number, None, str(error))
                continue
            if ended == "interrupted":
                raise KeyboardInterrupt
            if ended == "failed":
                raise scenario.RunFailed(
                    f"{plan.scenario}: iotrace failed: {scenario.failure_of(path)}"
                )
            if ended == "timeout":
                raise scenario.RunFailed(f"{plan.scenario} had not ended after {plan.timeout:g} s")
            yield Run(which, number, path)
            keep()
