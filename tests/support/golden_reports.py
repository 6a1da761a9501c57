"""Reports of the recordings in tests/data, as text and as JSON, and the golden files that they are compared with.

python -m support.golden_reports  (from tests/) makes the golden files anew: look at `git diff` before they are kept.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial

from support.pictures import DATA, KEPT

from tracer import output
from tracer.output.format import Kind, Options
from tracer.recording import parquet
from tracer.report import build

GOLDEN = DATA / "reports"
# What each is made by: the option, None for the terminal's report (of which -v shows all).
FORMS = {"txt": None, "json": "--json"}


def reports_of(name: str) -> Iterator[tuple[str, str]]:
    """(txt or json, what `iotrace report` prints of a recording); JSON as lines: a difference is one line's."""
    path = str(DATA / f"{name}.parquet")
    report = build.build(partial(parquet.columns, path), parquet.read_facts(path))
    for form, flag in FORMS.items():
        render = next(
            each.renders[Kind.REPORT]
            for each in output.formats()
            if each.flag == flag and Kind.REPORT in each.renders
        )
        pieces = render(report, Options(switches=frozenset({"verbose"})))
        text = "".join(str(piece) for piece in pieces)
        yield form, f"{json.dumps(json.loads(text), indent=1)}\n" if flag else text


if __name__ == "__main__":
    GOLDEN.mkdir(exist_ok=True)
    for kept in KEPT:
        for form, text in reports_of(kept):
            (GOLDEN / f"{kept}.{form}").write_text(text)
