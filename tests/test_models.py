"""tracer/models.py: the verdict on operations, whoever made them."""

from __future__ import annotations

import pytest

from tracer.folding import Call
from tracer.models import DOMINANT, EPOLLET, SYNCHRONOUS, judge, models_of
from tracer.operations import Operation

WATCHER, FD = 9, 4


def operation(way: str, *, tid: int = 100, fd: int = FD, waited_in: str = "", index: int = 0) -> Operation:
    at = 1000 * index
    receive = Call(tid, 45, fd, 64, 0, at + 10, at + 10, at + 20, sleeps=[[at + 11, at + 15, at + 16]])
    before = Call(tid, 45, fd, -11, 0, at, at, at + 5)
    signal = (29, at + 1, at + 2) if way == "signal" else ()
    return Operation(tid, fd, 64, way, at, at + 15, at + 16, at + 17, at + 20, at + 20, calls=[before, receive],
                     waited_in=waited_in, watcher=WATCHER if waited_in else -1, signal=signal)


def many(*ways: str, tid: int = 100) -> list[Operation]:
    return [operation(way, tid=tid, index=index) for index, way in enumerate(ways)]


PURE = [("blocked", "", {}, "blocking"), ("polled", "", {}, "nonblocking"), ("signal", "", {}, "signal"),
        ("posix-aio", "", {}, "posix-aio"), ("multiplexed", "select", {}, "select"), ("multiplexed", "poll", {}, "poll"),
        ("multiplexed", "epoll_wait", {(WATCHER, FD): 1}, "epoll-lt"),
        ("multiplexed", "epoll_wait", {(WATCHER, FD): 1 | EPOLLET}, "epoll-et"),
        ("multiplexed", "epoll_wait", {(WATCHER, 5): 1 | EPOLLET}, "epoll-lt")]


@pytest.mark.parametrize(("way", "waited_in", "registrations", "name"), PURE)
def test_each_way_is_a_model(way, waited_in, registrations, name):
    operations = [operation(way, waited_in=waited_in, index=index) for index in range(23)]
    verdict = judge(operations, registrations)
    assert verdict.name == name
    assert verdict.synchronous is SYNCHRONOUS[name]
    assert 0.9 < verdict.confidence < 1
    assert verdict.shares == {}
    assert verdict.evidence and all("\n" not in line for line in verdict.evidence)
    assert "23" in verdict.evidence[0]


def test_only_asynchronous_models_are_asynchronous():
    assert {name for name, synchronous in SYNCHRONOUS.items() if not synchronous} == \
        {"posix-aio", "linux-aio", "io-uring"}


def test_no_operation_is_no_model():
    verdict = judge([], {})
    assert verdict.name == "none" and verdict.synchronous is None and verdict.evidence


def test_two_models_are_mixed_with_their_shares():
    verdict = judge(many(*["blocked"] * 6, *["polled"] * 2), {})
    assert verdict.name == "mixed"
    assert verdict.shares == {"blocking": 0.75, "nonblocking": 0.25}
    assert verdict.synchronous is True
    assert len(verdict.evidence) >= 2


def test_synchronous_and_asynchronous_mixed_is_neither():
    assert judge(many(*["blocked"] * 5, *["posix-aio"] * 5), {}).synchronous is None


@pytest.mark.parametrize(("others", "name"), [(5, "blocking"), (6, "mixed")])
def test_a_few_others_do_not_make_it_mixed(others, name):
    assert DOMINANT == 0.95
    assert judge(many(*["blocked"] * (100 - others), *["polled"] * others), {}).name == name


def test_data_found_at_once_goes_with_what_was_before():
    assert models_of(many("polled", "at once", "blocked", "at once", "at once"), {}) == \
        ["nonblocking", "nonblocking", "blocking", "blocking", "blocking"]


def test_data_found_at_once_at_first_goes_with_what_comes():
    assert models_of(many("at once", "at once", "signal", "at once"), {}) == ["signal"] * 4


def test_data_found_at_once_and_nothing_else_is_a_plain_receive():
    assert models_of(many("at once", "at once"), {}) == ["blocking", "blocking"]


def test_each_thread_speaks_for_itself():
    operations = [operation("polled"), operation("blocked", tid=101), operation("at once"),
                  operation("at once", tid=101), operation("at once", tid=102)]
    assert models_of(operations, {}) == ["nonblocking", "blocking", "nonblocking", "blocking", "blocking"]


def test_confidence_falls_when_there_is_little_to_go_by():
    confidences = [judge(many(*["blocked"] * count), {}).confidence for count in (1, 3, 23)]
    assert confidences == sorted(set(confidences))
    assert judge(many(*["at once"] * 50), {}).confidence <= 0.5
    assert judge(many("blocked", *["at once"] * 50), {}).confidence < judge(many(*["blocked"] * 51), {}).confidence
    assert judge(many(*["blocked"] * 10**5), {}).confidence < 1


def test_data_found_at_once_is_said():
    assert any("2 receives found their data" in line for line in judge(many("blocked", "at once", "at once"), {}).evidence)
