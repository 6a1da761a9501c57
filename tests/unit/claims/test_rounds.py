"""tracer/claims/rounds.py: what rounds say together, and that they may say nothing."""

from __future__ import annotations

import pytest

from tracer.claims.claim import Findings, Verdict
from tracer.claims.rounds import above, below, less, times, under, would_show

LOW, HIGH = [10.0, 11, 12, 10.5, 11.5], [20.0, 22, 21, 23, 20.5]


def test_what_lies_apart_in_every_round_differs() -> None:
    assert below(LOW, HIGH) is True and below(HIGH, LOW) is False
    assert below(LOW, HIGH, 0.9) is True
    assert below(LOW, HIGH, 0.3) is False  # 11 is not below 0.3 × 21


def test_less_is_more_or_not_told_apart() -> None:
    assert less(LOW, HIGH) is True and less(HIGH, LOW) is False
    agree = [10.0, 10.1, 10.2, 10.1, 10], [10.1, 10, 10.2, 10.1, 10]
    assert less(*agree) is None and would_show(*agree) < 0.05
    assert less(LOW, [10.2, 11, 12, 10.6, 11.4]) is None
    assert would_show(LOW, HIGH) < would_show([5.0, 15, 10, 7, 13], HIGH)


def test_three_rounds_are_too_few() -> None:
    """Two ranges of three part by chance in 2 of 20 cases."""
    assert below(LOW[:3], HIGH[:3]) is None


def test_rounds_that_scatter_cannot_tell_and_rounds_that_agree_can() -> None:
    assert below([10.0, 30, 12, 25, 11], [20.0, 9, 26, 14, 31]) is None
    assert below([10.0, 10.1, 10.2, 10.1, 10], [10.1, 10, 10.2, 10.1, 10]) is False
    assert below([1.0] * 5, [1.0] * 5) is False  # no scatter at all


@pytest.mark.parametrize(
    ("values", "answer"), [([10, 12, 11], True), ([9, 8, 7], False), ([9, 12, 11], None)]
)
def test_above_is_what_all_rounds_say(values: list[float], answer: bool | None) -> None:
    assert above(values, 10) is answer
    assert under([-value for value in values], -10) is answer


def test_times_is_of_the_pairs_middle() -> None:
    assert times([2.0, 4, 8], [1.0, 2, 4]) == pytest.approx(2)
    assert times([5.0] * 3, [1.0] * 3) == pytest.approx(5)


def test_the_worst_finding_is_the_verdict() -> None:
    findings = Findings(but=["a"])
    assert findings.judgement("e").verdict == Verdict.QUALIFIED
    findings.must(None, "it grows")
    findings.must(None, "it grows")
    findings.must(None, "it costs more")
    its = findings.judgement("e")
    assert its.verdict == Verdict.UNDECIDED
    assert its.qualification.endswith("whether it grows and whether it costs more")
    findings.must(False, "it does not")
    assert findings.judgement("e").verdict == Verdict.FAILS
