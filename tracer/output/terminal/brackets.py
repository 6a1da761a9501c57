"""What is not told apart, in groups: a "compact letter display" (Piepho, An Algorithm for a Letter-Based Representation
of All-Pairwise Comparisons, 2004), which says of every two whether they differ."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TypeVar

One = TypeVar("One")


def groups(ones: Sequence[One], apart: Collection[frozenset[One]]) -> list[list[One]]:
    """The largest groups of which no two are in `apart`, in the order of `ones`: two differ where no group holds both.

    The maximal cliques of those that are together (Bron & Kerbosch, Algorithm 457, 1973).
    """
    together = {
        one: {its for its in ones if its != one and frozenset((one, its)) not in apart}
        for one in ones
    }
    found: list[set[One]] = []

    def grow(group: set[One], candidates: set[One], seen: set[One]) -> None:
        if not candidates and not seen:
            found.append(group)
        for one in [its for its in ones if its in candidates]:
            grow(group | {one}, candidates & together[one], seen & together[one])
            candidates = candidates - {one}
            seen = seen | {one}

    grow(set(), set(ones), set())
    return [[one for one in ones if one in group] for group in found]
