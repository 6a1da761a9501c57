"""The ledger in a report (tracer/report/build.py): whether a recording still holds what its ledger says."""

from __future__ import annotations

import pytest
from support.records_builder import Trace
from support.reports import built

BOOK = {"counted": 100, "delivered": 90, "lost": 10, "open": 3, "missed": 0}


@pytest.mark.parametrize(
    ("facts", "missing"),
    [
        ({"rows": 100, "ledger": {"added": 7}}, 0),
        ({"rows": 99, "ledger": {"added": 7}}, 1),
        ({"rows": 101, "ledger": {"added": 7}}, -1),
        ({"rows": 93, "ledger": {}}, 0),  # of an older iotrace, which did not count what it added
        ({"rows": 94, "ledger": {}}, 0),
        ({"rows": 92, "ledger": {}}, 1),
        ({"ledger": {"added": 7}}, None),  # not from a file
        ({"rows": 5, "ledger": {"added": 7}, "ended": "failed"}, None),  # which is said already
    ],
)
def test_rows_that_do_not_add_up_are_said(facts, missing):
    book = built(Trace(), **(facts | {"ledger": BOOK | facts["ledger"]}))["ledger"]
    assert (book["missing_rows"], book["rows"]) == (missing, facts.get("rows"))


def test_what_an_older_recording_did_not_count_is_unknown():
    assert built(Trace(), ledger=BOOK)["ledger"]["unentered"] is None
    assert built(Trace(), ledger=BOOK | {"unentered": 0})["ledger"]["unentered"] == 0
