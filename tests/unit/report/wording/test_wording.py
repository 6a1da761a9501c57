"""tracer/report/wording: every fact has its sentence, and each number of the fact stands in it."""

from __future__ import annotations

import dataclasses
import re
import typing
from typing import Any

import pytest

from tracer.analysis.verdict import facts
from tracer.analysis.verdict.io_model import ModelVerdict
from tracer.report.wording import advice, evidence

MS = 1_000_000
FLAGS = {"owned", "edge", "gave_back"}
EXACT = {  # one of each way in which a sentence bends
    facts.FoundAtOnce(1): "1 receive found its data waiting already",
    facts.FoundAtOnce(2): "2 receives found their data waiting already",
    facts.Registered((1, 1 << 31 | 1), True): "registered with EPOLLIN or EPOLLIN|EPOLLET",
    facts.Registered((1,), False): "registered with EPOLLIN, without EPOLLET",
    facts.RingCopies(0, 0, 3): "3 times another thread copied",
    facts.RingCopies(
        1, 2, 3
    ): "1 times the thread that submitted copied inside its io_uring_enter, "
    "2 times the thread that submitted copied outside its io_uring_enter, as task work, "
    "3 times another thread copied",
    facts.RingReads(5, 2, 0, 0, 3, 0, 0): "5 reads were completed by io_uring: 2 inside the "
    "io_uring_enter that submitted them, 3 by the device",
    facts.OtherReads((("eventfds", 1, 8), ("inotify", 1000, 32000))): "it read from eventfds 1 "
    "time, 8 bytes; inotify 1,000 times, 32,000 bytes",
    facts.FutexSleeps(
        12, 40 * MS, 30 * MS, 9 * MS, False, True
    ): "12 times a thread waited at a futex, 40 ms in "
    "all, at most 9 ms: 30 ms asleep, then for a CPU; it woke others there later, as at a lock "
    "whose owner is not to be seen, a "
    "barrier, or a condition variable by which threads take turns",
    facts.TookTurns(2, 1): "2 threads computed, on the same CPU, and no two at the same time: they "
    "took turns",
    facts.FutexSleeps(12, 40 * MS, 30 * MS, 9 * MS, True, True): "12 times a thread waited at a "
    "futex, 40 ms in all, at most 9 ms: 30 ms asleep, then for a CPU; another thread had the lock "
    "then, and woke it when it gave it back",
    facts.TimeSpent(MS, 0, 2 * MS): "the threads' time: 1 ms computing, 0 ns waiting for a "
    "CPU, 2 ms asleep on futexes",
    facts.ToldReady(3, 4, "select", 1500, 5, 0, "", 6): "3 of 4 receives came after select had "
    "said the descriptor was ready, half of them done within 1.5 µs of its return; 5 times the "
    "thread slept in select; 6 receives found nothing (EAGAIN)",
    facts.ToldReady(3, 4, "epoll_wait", 1500, 0, 1, "poll", 0): "3 of 4 receives came after "
    "epoll_wait had said the descriptor was ready, half of them done within 1.5 µs of its return; "
    "0 times the thread slept in epoll_wait; 1 time in poll; 0 receives found nothing (EAGAIN)",
    facts.Burnt(
        (facts.Asking("poll", 4000, 4000, 0, 0), facts.Asking("epoll_wait", 50, 0, 49, 0)),
        9 * MS,
        10 * MS,
    ): "4,000 calls of poll with time-out 0 found nothing, 50 calls of epoll_wait told again of what "
    "the one before had told; none of these slept: 9 ms on a CPU, of the 10 ms that the threads "
    "had",
}
VERDICT: list[type] = [*typing.get_args(facts.Fact)]
ADVICE: list[type] = [*typing.get_args(facts.AdviceFact)]


def example(kind: type) -> Any:
    """A fact with a number of its own in each field."""
    values: dict[str, Any] = {}
    for place, field in enumerate(dataclasses.fields(kind), 3):
        number = 1_000_000 * place if field.name.endswith("_ns") else 10 * place + 7
        values[field.name] = {
            "bool": True,
            "str": "epoll_wait",
            "tuple[int, int]": (number, number + 1),
            "tuple[int, ...]": (1,),
            "tuple[str, ...]": ("select", "poll"),
            "tuple[tuple[str, int, int], ...]": (("eventfds", number, number + 1),),
            "tuple[Asking, ...]": (facts.Asking("poll", number, number, 0, 0),),
        }.get(str(field.type), number)
    return kind(**values)


@pytest.mark.parametrize("kind", [*VERDICT, *ADVICE], ids=lambda kind: kind.__name__)
def test_every_fact_has_its_sentence(kind: type) -> None:
    fact = example(kind)
    words = (advice if kind in ADVICE else evidence).sentence(fact)
    assert words and "\n" not in words and words == words.strip()
    for name, value in dataclasses.asdict(fact).items():
        if isinstance(value, int) and name not in FLAGS and not name.endswith("_ns"):
            assert re.search(rf"\b{value}\b", words) or kind is facts.Scanned, (name, words)


@pytest.mark.parametrize("fact", EXACT, ids=str)
def test_sentences(fact: facts.Fact) -> None:
    assert evidence.sentence(fact) == EXACT[fact]


def test_every_class_of_facts_is_in_use() -> None:
    there = {its for its in vars(facts).values() if dataclasses.is_dataclass(its)}
    parts = {facts.Asking, facts.Manner}  # of a fact; what report/wording/manner.py has words for
    assert there == {*VERDICT, *ADVICE, *parts}


def test_a_model_has_the_keys_that_it_needs() -> None:
    plain = evidence.model(ModelVerdict("poll", True, 0.9, (facts.FoundAtOnce(1),)))
    assert [*plain] == [
        *("name", "synchronous", "confidence", "shown_by", "shown_of", "busy", "evidence")
    ]
    mixed = ModelVerdict("mixed", None, 0.9, (), {"poll": 1.0}, {"poll": 0.5}, {"inline": 3})
    assert [*evidence.model(mixed)][7:] == ["shares", "time_shares", "variants"]
    instead = evidence.model(ModelVerdict("none", None, 1.0, instead="computing"))
    assert [*instead][5:] == ["busy", "instead", "evidence"] and instead["instead"] == "computing"
