"""A result as one JSON object (docs/json.md), a piece at a time: a report can hold millions of operations."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any

from tracer.output.format import Format, Kind, Options

_AT_ONCE = 10_000
_ESCAPES = re.compile(
    r"\\(?:ud[89ab][0-9a-f]{2}\\ud[c-f][0-9a-f]{2}|(?P<half>ud[89a-f][0-9a-f]{2})|.)"
)


def render(report: Mapping[str, Any]) -> Iterator[str]:
    """Pieces that together are the object on one line."""
    separator = ""
    yield "{"
    for key, value in report.items():
        yield f"{separator}{_dumped(key)}: "
        if key == "operations":
            yield from _listed(value)
        else:
            yield _dumped(value)
        separator = ", "
    yield "}\n"


def _listed(items: Iterable[Any]) -> Iterator[str]:
    yield "["
    separator, remaining = "", iter(items)
    while batch := list(islice(remaining, _AT_ONCE)):
        yield separator + _dumped(batch)[1:-1]
        separator = ", "
    yield "]"


def _dumped(value: Any) -> str:
    """JSON in ASCII. Half of a character, which may be in a str and not in UTF-8, becomes a backslash and its number;
    raises ValueError for NaN and Infinity, which are no JSON."""
    text = json.dumps(value, allow_nan=False)
    return _ESCAPES.sub(_whole, text) if "\\ud" in text else text


def _whole(escape: re.Match[str]) -> str:
    return f"\\{escape[0]}" if escape["half"] else escape[0]


def _in_pieces(result: Mapping[str, Any], options: Options) -> Iterator[str]:
    return render(result)


FORMAT = Format(
    flag="--json",
    help="One JSON object on stdout, and nothing else.",
    renders=dict.fromkeys(
        (
            Kind.REPORT,
            Kind.COMPARISON,
            Kind.DIFFERENCE,
            Kind.READINESS,
            Kind.VERIFY,
            Kind.MATRIX,
        ),
        _in_pieces,
    ),
    order=10,
)
