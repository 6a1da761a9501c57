"""A result as one JSON object (docs/json.md), a piece at a time: a report can hold millions of operations."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any

from tracer.output.format import Format, Kind, Options

_AT_ONCE = 10_000


def render(report: Mapping[str, Any]) -> Iterator[str]:
    """Pieces that together are the object on one line."""
    opening = "{"
    for key, value in report.items():
        yield f"{opening}{json.dumps(key)}: "
        if key == "operations":
            yield from _listed(value)
        else:
            yield json.dumps(value)
        opening = ", "
    yield "}\n"


def _listed(items: Iterable[Any]) -> Iterator[str]:
    yield "["
    separator, remaining = "", iter(items)
    while batch := list(islice(remaining, _AT_ONCE)):
        yield separator + json.dumps(batch)[1:-1]
        separator = ", "
    yield "]"


def _in_pieces(result: Mapping[str, Any], options: Options) -> Iterator[str]:
    return render(result)


FORMAT = Format(
    flag="--json",
    help="One JSON object on stdout, and nothing else.",
    renders=dict.fromkeys((Kind.REPORT, Kind.COMPARISON, Kind.VERIFY, Kind.MATRIX), _in_pieces),
    order=10,
)
