"""Every output draws every document that docs/schema allows: nothing that can be null is summed or sorted unasked, no
list need have an entry, and no text moves a cursor."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rich.cells import cell_len
from support.documents import documents

from tracer import output
from tracer.output.format import Format, Kind, Options

KINDS = {
    "report": Kind.REPORT,
    "compare": Kind.COMPARISON,
    "diff": Kind.DIFFERENCE,
    "verify": Kind.VERIFY,
    "readiness": Kind.READINESS,
}
EXAMPLES = {"report": 50, "compare": 50, "diff": 50, "verify": 50, "readiness": 50}
COLOR = re.compile(r"\x1b\[[0-9;]*m")
# Binary ones are drawn, and not looked at here.
OPTIONS = st.builds(
    Options,
    width=st.sampled_from((80, 81, 100, 120)),
    color=st.booleans(),
    unicode=st.booleans(),
    switches=st.sets(
        st.sampled_from(
            sorted({switch.name for format_ in output.formats() for switch in format_.switches})
        )
    ).map(frozenset),
)


def of_kind(kind: Kind) -> list[Format]:
    return [format_ for format_ in output.formats() if kind in format_.renders]


def drawn(format_: Format, kind: Kind, document: dict[str, Any], options: Options) -> str | bytes:
    pieces = [*format_.renders[kind](document, options)]
    return (b"" if format_.binary else "").join(pieces)


def check(format_: Format, document: dict[str, Any], options: Options, text: str | bytes) -> None:
    if isinstance(text, bytes):
        return
    text.encode()  # strictly: no halves of characters
    if format_.name == "json":
        loaded = json.loads(text, parse_constant=pytest.fail)
        whole = json.dumps(loaded, ensure_ascii=False).encode()  # strictly
        assert text.isascii() and (loaded == document or b"\\\\ud" in whole)
        return
    plain = COLOR.sub("", text) if options.color else text
    assert all(its.isprintable() or its == "\n" for its in plain), format_.name
    if format_.flag is None:  # the terminal's
        lines = plain.split("\n")
        assert max(map(cell_len, lines)) <= options.width, max(lines, key=cell_len)
        if not options.unicode or "ascii" in options.switches:
            assert plain.isascii()


def draws_all(name: str, document: dict[str, Any], options: Options) -> None:
    for format_ in of_kind(KINDS[name]):
        check(format_, document, options, drawn(format_, KINDS[name], document, options))


def run(name: str, examples: int) -> None:
    @settings(
        max_examples=examples,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(documents(name), OPTIONS)
    def every_output_draws(document: dict[str, Any], options: Options) -> None:
        draws_all(name, document, options)

    every_output_draws()


@pytest.mark.parametrize("name", KINDS)
def test_every_output_draws_what_the_schema_allows(name: str) -> None:
    run(name, EXAMPLES[name])


@pytest.mark.thorough
@pytest.mark.parametrize("name", KINDS)
def test_every_output_draws_very_many_that_the_schema_allows(name: str) -> None:
    run(name, 40 * EXAMPLES[name])


def test_a_report_that_lacks_everything_is_drawn() -> None:
    draws_all("report", {}, Options())
