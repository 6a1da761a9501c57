"""tracer/report/wording/manner.py: the sentence of a model says what most operations did."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from tracer.analysis.verdict.facts import IN_THE_ASKING, TOLD_ONLY, Manner
from tracer.report.wording import manner
from tracer.terms import MODELS

SLEEPS = ("blocking", "select", "poll", "epoll-lt", "epoll-et")


def of(model: str, **changes: int | str | bool) -> str:
    given: dict[str, Any] = {
        "operations": 20,
        "shown": 20,
        "handed": 0,
        "asleep": 0,
        "elsewhere": 0,
        "elsewhere_in": "",
    }
    return manner.sentence(Manner(model, **given | {"asked": 0, "busy": False} | changes))


@pytest.mark.parametrize("model", SLEEPS)
def test_a_thread_is_said_to_sleep_in_the_call_only_where_most_operations_slept_there(
    model: str,
) -> None:
    for asleep, asked, busy in itertools.product((0, 1, 9, 10, 20), (0, 20), (False, True)):
        words = of(model, asleep=asleep, asked=asked, busy=busy)
        assert words.startswith("The thread sleeps in ") == (asleep >= 10), words


def test_asking_that_takes_a_cpu_is_said() -> None:
    for model in ("nonblocking", "poll", "epoll-lt"):
        assert "costs a CPU" in of(model, asked=20, busy=True)
        assert "CPU" not in of(model, asked=20)


def test_a_sleep_in_another_call_is_not_one_in_epoll_wait() -> None:
    words = of("epoll-lt", elsewhere=20, elsewhere_in="poll")
    assert words.startswith("The thread sleeps in poll, asks epoll_wait, ")


def test_who_is_told_need_not_be_who_receives() -> None:
    assert "another one receives" in of("epoll-lt", handed=10)
    assert "another" not in of("epoll-lt", handed=9)


def test_every_model_has_its_sentence() -> None:
    for model in MODELS:
        assert of(model, asleep=20).endswith(".")


@pytest.mark.parametrize(
    ("model", "call"), [("linux-aio", "io_submit"), ("io-uring", "io_uring_enter")]
)
def test_requests_that_the_asking_call_carries_out_are_not_collected_later(
    model: str, call: str
) -> None:
    for waits_in in ("", call):
        words = of(model, done=IN_THE_ASKING, waits_in=waits_in)
        assert call in words and "copies it" in words
        assert "later" not in words and "choice" not in words
        assert words.startswith(f"The thread sleeps in {call}") == bool(waits_in)


def test_polls_that_only_tell_read_nothing() -> None:
    for model in ("linux-aio", "io-uring"):
        words = of(model, done=TOLD_ONLY, waits_in="io_getevents")
        assert (
            "Reads" not in words
            and "choice" not in words
            and "sleeps in io_getevents until" in words
        )
