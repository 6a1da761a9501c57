"""For many questions at once: the nearest row of the same key that is not later, or not earlier, than a time."""

from __future__ import annotations

import numpy as np


def preceding(keys: np.ndarray, times: np.ndarray, asked: np.ndarray, at: np.ndarray) -> np.ndarray:
    """For each question (key `asked`, time `at`): the index of the last row (keys, times) not later, −1 for none.

    int64 all; keys[n] and times[n] in any order. Of rows at one time the last one given counts.
    """
    return _nearest(keys, times, asked, at, 1)


def following(keys: np.ndarray, times: np.ndarray, asked: np.ndarray, at: np.ndarray) -> np.ndarray:
    """The same, the first row not earlier."""
    return _nearest(keys[::-1], -times[::-1], asked, -at, -1)


def _nearest(
    keys: np.ndarray, times: np.ndarray, asked: np.ndarray, at: np.ndarray, step: int
) -> np.ndarray:
    rows = len(keys)
    if not rows or not len(asked):
        return np.full(len(asked), -1)
    key = np.concatenate([keys, asked]).astype(np.int64)
    question = np.arange(len(key)) >= rows
    order = np.lexsort((question, np.concatenate([times, at]), key))
    last = np.maximum.accumulate(np.where(order < rows, np.arange(len(order)), -1))
    near = order[np.maximum(last, 0)]
    found = np.where((last >= 0) & (key[near] == key[order]), near, -1)
    answers = np.full(len(key), -1)
    answers[order] = found
    answers = answers[rows:]
    return answers if step > 0 else np.where(answers >= 0, rows - 1 - answers, -1)


def at(values: np.ndarray, which: np.ndarray) -> np.ndarray:
    """values[which]; what −1 selects is for the caller to leave out."""
    return values[which] if len(values) else np.zeros(len(which), np.int64)
