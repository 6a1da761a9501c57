"""What the rounds of a comparison say together: yes, no, or nothing (tracer/statistics, as `iotrace diff` has it).

The unit is the run: a round gives one number of each run. A difference inside what the rounds scatter is none, and that
none was seen says that there is none only where one would have been seen.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from tracer import statistics
from tracer.statistics import ALPHA

# Of the greater value: rounds in which a difference as small as this would show can say that there is none.
TELLING = 0.2
Answer = bool | None
"""None: the rounds cannot tell."""


def less(one: Sequence[float], other: Sequence[float]) -> Answer:
    """Whether the values of one run are less (True) or more (False) than those of another; None: not told apart. A
    value a round each, and none may be empty."""
    first, second = _runs(one), _runs(other)
    if statistics.step_down(first, second)[0] > ALPHA:
        return None
    return bool(first.mean() < second.mean())


def below(one: Sequence[float], other: Sequence[float], times: float = 1.0) -> Answer:
    """Whether the values of one run lie below `times` those of another: they do not where these are less, or where
    they are not told apart and TELLING of the greater would have shown."""
    scaled = [times * value for value in other]
    if (is_less := less(one, scaled)) is not None:
        return is_less
    return False if would_show(one, scaled) <= TELLING else None


def would_show(one: Sequence[float], other: Sequence[float]) -> float:
    """How small a difference these rounds could tell: a share of the greater median."""
    first, second = _runs(one), _runs(other)
    greater = max(abs(float(np.median(first))), abs(float(np.median(second))))
    return float(statistics.detectable(first, second)[0]) / greater if greater else 0.0


def _runs(values: Sequence[float]) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    return np.array(values, float).reshape(-1, 1)


def above(values: Sequence[float], least: float) -> Answer:
    """Whether the value is at least that great: in every round, in none (False), or in some of them (None)."""
    reached = [value >= least for value in values]
    return True if all(reached) else None if any(reached) else False


def under(values: Sequence[float], most: float) -> Answer:
    """Whether the value is at most that great: in every round, in none (False), or in some of them (None)."""
    return above([-value for value in values], -most)


def times(one: Sequence[float], other: Sequence[float]) -> float:
    """How many times `one` is as great as `other`: Hodges and Lehmann's shift of the logarithms. Values above 0."""
    logarithms = [np.log(np.maximum(np.array(its, float), 1e-9)) for its in (other, one)]
    return math.exp(statistics.shift(*logarithms).effect)
