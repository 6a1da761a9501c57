"""The report as one JSON object (docs/json.md), a piece at a time: it can hold millions of operations."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import islice

_AT_ONCE = 10_000


def render(report: dict) -> Iterator[str]:
    """Pieces that together are the object on one line."""
    opening = "{"
    for key, value in report.items():
        yield f"{opening}{json.dumps(key)}: "
        if key == "operations":
            yield from _listed(iter(value))
        else:
            yield json.dumps(value)
        opening = ", "
    yield "}\n"


def _listed(items: Iterator) -> Iterator[str]:
    yield "["
    separator = ""
    while batch := list(islice(items, _AT_ONCE)):
        yield separator + json.dumps(batch)[1:-1]
        separator = ", "
    yield "]"
