"""tracer/analysis/verdict/context.py: evidence that could not be had is said where it would decide."""

from __future__ import annotations

import pytest
from support.records_builder import HELPER, TID, Trace, aio
from support.reports import built

from tracer.kernel.features import EVIDENCE
from tracer.recording.records import Kind
from tracer.terms import NOT_SEEN

REFUSED = {"aio_read": f"{NOT_SEEN} (uprobe on libc.so.6: Permission denied)"}
SEEN = {"aio_read": "uprobe on libc.so.6"}


def by_helper() -> Trace:
    """23 reads by a helper thread of the C library, whose aio_reads were not seen."""
    trace = Trace().add(Kind.THREAD, 3, tid=HELPER, fd=TID, result=TID)
    for i in range(23):
        aio(trace, 1000 * (i + 1))
    trace.rows = [row for row in trace.rows if row[4] != Kind.LIBRARY]
    return trace


def by_itself() -> Trace:
    trace = Trace()
    for i in range(23):
        at = 1000 * (i + 1)
        trace.sleep(at + 30, at + 210, at + 220).call("read", at + 20, at + 240, 64)
    return trace


@pytest.mark.parametrize(
    ("trace", "features", "confidence", "words"),
    [
        (by_helper(), REFUSED, 0.5, "aio_read could not be watched (uprobe on libc.so.6: Perm"),
        (by_helper(), SEEN, 0.96, "23 of 23 receives slept"),
        (by_itself(), REFUSED, 0.96, "23 of 23 receives slept"),
    ],
)
def test_the_verdict_says_what_it_lacks(trace, features, confidence, words):
    report = built(trace, 3, features=features)
    for model in (report["model"], report["processes"][0]["model"]):
        assert model["name"] == "blocking" and model["confidence"] == confidence
        assert model["evidence"][0].startswith(words)


@pytest.mark.parametrize(("source", "confidence"), [("not seen (no tracepoints)", 0.5), ("", 1.0)])
def test_a_ring_whose_requests_are_not_shown(source, confidence):
    trace = Trace()
    for i in range(7):
        trace.call("io_uring_enter", 100 * i + 10, 100 * i + 20, 1, fd=9)
    model = built(trace, features={"io_uring": source})["model"]
    assert (model["name"], model["confidence"]) == ("none", confidence)
    assert any("7 calls of io_uring_enter" in line for line in model["evidence"]) is bool(source)


def test_each_kind_of_missing_evidence_begins_in_one_way():
    missing = [ways[-1][1] for what, ways in EVIDENCE.items() if what in ("io_uring", "aio_read")]
    assert all(words.startswith(NOT_SEEN) for words in missing)
