"""tracer/analysis/verdict/io_model.py: the verdict on operations, whoever made them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tracer.analysis.operations.boundaries import EPOLLET, EPOLLONESHOT
from tracer.analysis.operations.table import (
    AFTER_SUBMIT,
    BY_SIGNAL,
    BY_SUSPEND,
    BY_THREAD,
    DEVICE,
    IN_SUBMIT,
    INLINE,
    POLL_ARMED,
    WAIT_KINDS,
    WORKER,
    Operations,
    with_defaults,
)
from tracer.analysis.verdict import facts, io_model
from tracer.analysis.verdict.io_model import DOMINANT, ModelVerdict, VerdictContext, in_all
from tracer.analysis.verdict.io_model import judge as judged
from tracer.analysis.verdict.io_model import models_of as codes_of
from tracer.kernel import syscalls
from tracer.report.wording.evidence import sentence
from tracer.terms import BOUNDARIES, SYNCHRONOUS

WATCHER, FD = 9, 4


def operation(
    wait_kind: str,
    *,
    tid: int = 100,
    fd: int = FD,
    wait_nr: str = "",
    events: int = 0,
    index: int = 0,
) -> dict[str, Any]:
    """One operation's columns."""
    at = 1000 * index
    return {
        "tid": tid,
        "tgid": tid,
        "receiver_tid": 0,
        "fd": fd,
        "inode": 9000,
        "bytes": 64,
        "messages": 1,
        "nr": 45,
        "wait_kind": WAIT_KINDS.index(wait_kind),
        "ask": at,
        "ready": at + 15,
        "told": at + 16,
        "copy_start": at + 17,
        "copy_end": at + 20,
        "done": at + 20,
        "raw_ask": at,
        "raw_ready": at + 15,
        "raw_told": at + 16,
        "raw_copy_start": at + 17,
        "estimated": 0,
        "queued": 0,
        "wait_nr": syscalls.numbers()[wait_nr] if wait_nr else -1,
        "epfd": WATCHER if wait_nr else -1,
        "events": events,
        "signal": 29 if wait_kind == "signal" else 0,
        "generated": 0,
        "delivered": 0,
        "eagain_count": 1,
        "completion_kind": 0,
        "named": False,
        "by_sigwait": False,
        "fell_asleep": 0,
        "told_tid": 0,
        "woken": 0,
        "running": 0,
        "woken_in": 0,
        "filled": False,
        "in_call": False,
        "slept": 5,
        "inside": 0,
        "waited_asleep": True,
        "slept_nr": syscalls.numbers()[wait_nr] if wait_nr else -1,
        "serial": index,
    }


def table(rows: list[dict[str, Any]]) -> Operations:
    columns = {name: np.array([row[name] for row in rows]) for name in operation("signal")}
    return with_defaults(len(rows), columns)


def judge(rows: list[dict[str, Any]], **beside: Any) -> ModelVerdict:
    operations = table(rows)
    return judged(operations, codes_of(operations), VerdictContext(**beside))


def said(verdict: ModelVerdict) -> list[str]:
    """The facts in words."""
    return [sentence(fact) for fact in verdict.evidence]


def models_of(rows: list[dict[str, Any]]) -> list[str]:
    return [io_model.NAMES[code] for code in codes_of(table(rows))]


def many(*ways: str, tid: int = 100) -> list[dict[str, Any]]:
    return [operation(wait_kind, tid=tid, index=index) for index, wait_kind in enumerate(ways)]


PURE = [
    ("blocked", "", 0, "blocking"),
    ("polled", "", 0, "nonblocking"),
    ("signal", "", 0, "signal"),
    ("posix-aio", "", 0, "posix-aio"),
    ("multiplexed", "select", 0, "select"),
    ("multiplexed", "poll", 0, "poll"),
    ("multiplexed", "pselect6", 0, "select"),
    ("multiplexed", "epoll_wait", 1, "epoll-lt"),
    ("multiplexed", "epoll_pwait2", 1, "epoll-lt"),
    ("multiplexed", "epoll_wait", 1 | EPOLLET, "epoll-et"),
]


@pytest.mark.parametrize(("wait_kind", "wait_nr", "events", "name"), PURE)
def test_each_way_is_a_model(wait_kind: str, wait_nr: str, events: int, name: str) -> None:
    verdict = judge(
        [operation(wait_kind, wait_nr=wait_nr, events=events, index=index) for index in range(23)]
    )
    assert verdict.name == name
    assert verdict.synchronous is SYNCHRONOUS[name]
    assert 0.9 < verdict.confidence < 1
    assert verdict.shares == {}
    lines = said(verdict)
    assert lines and all("\n" not in line for line in lines)
    assert "23" in lines[0]


def test_only_asynchronous_models_are_asynchronous() -> None:
    assert {name for name, synchronous in SYNCHRONOUS.items() if not synchronous} == {
        "posix-aio",
        "linux-aio",
        "io-uring",
    }


def test_no_operation_is_no_model() -> None:
    verdict = judge([])
    assert verdict.name == "none" and verdict.synchronous is None and verdict.evidence


@pytest.mark.parametrize(
    ("tids", "inodes", "each"),
    [
        ((1, 2, 3), (7, 8, 9), True),
        ((1, 1, 2, 2), (7, 7, 8, 8), True),
        ((1, 1, 1), (7, 8, 9), False),
        ((1, 2, 3), (7, 7, 7), False),
        ((1, 2, 1), (7, 8, 8), False),
        ((1,), (7,), False),
    ],
)
def test_a_thread_for_each_connection_is_said(
    tids: tuple[int, ...], inodes: tuple[int, ...], each: bool
) -> None:
    rows = [
        operation("blocked", tid=tid) | {"inode": inode}
        for tid, inode in zip(tids, inodes, strict=True)
    ]
    count = len(set(tids))
    assert (facts.ThreadEach(count) in judge(rows).evidence) is each


def test_two_models_are_mixed_with_their_shares() -> None:
    verdict = judge(many(*["blocked"] * 6, *["polled"] * 2))
    assert verdict.name == "mixed"
    assert verdict.shares == {"blocking": 0.75, "nonblocking": 0.25}
    assert verdict.synchronous is True
    assert len(verdict.evidence) >= 2


def test_synchronous_and_asynchronous_mixed_is_neither() -> None:
    assert judge(many(*["blocked"] * 5, *["posix-aio"] * 5)).synchronous is None


@pytest.mark.parametrize(("others", "name"), [(5, "blocking"), (6, "mixed")])
def test_a_few_others_do_not_make_it_mixed(others: int, name: str) -> None:
    assert DOMINANT == 0.95
    assert judge(many(*["blocked"] * (100 - others), *["polled"] * others)).name == name


def test_data_found_at_once_goes_with_what_was_before() -> None:
    assert models_of(many("polled", "at once", "blocked", "at once", "at once")) == [
        "nonblocking",
        "nonblocking",
        "blocking",
        "blocking",
        "blocking",
    ]


def test_data_found_at_once_at_first_goes_with_what_comes() -> None:
    assert models_of(many("at once", "at once", "signal", "at once")) == ["signal"] * 4


def test_data_found_at_once_and_nothing_else_says_nothing() -> None:
    rows = many("at once", "at once")
    assert models_of(rows) == ["unknown", "unknown"]
    verdict = judge(rows)
    assert (verdict.name, verdict.synchronous, verdict.confidence) == ("unknown", None, 0)
    assert verdict.reason == facts.AllThereAlready(2) and verdict.manner is None
    assert verdict.evidence == (facts.FoundAtOnce(2),)


def test_most_events_lost_leave_the_model_unknown() -> None:
    lost = facts.MostEventsLost(51, 100)
    for rows in ([], many(*["blocked"] * 23)):
        verdict = judge(rows, lost=lost)
        assert (verdict.name, verdict.reason) == ("unknown", lost)
    assert io_model.lost({"lost": 51, "counted": 100}) == lost
    assert io_model.lost({"lost": 50, "counted": 100}) is None is io_model.lost({})


def test_what_says_nothing_has_no_share() -> None:
    rows = [operation("at once", tid=101, index=index) for index in range(50)]
    verdict = judge([*rows, *many("blocked", "polled")])
    assert verdict.shares == {"blocking": 0.5, "nonblocking": 0.5} == verdict.time_shares
    assert judge([*rows, *many("blocked", "blocked")]).name == "blocking"
    assert facts.FoundAtOnce(50) in verdict.evidence


def test_a_cpu_that_waiting_took_is_said() -> None:
    burnt = facts.Burnt((facts.Asking("poll", 1000, 1000, 0, 9),), 9, 10)
    for rows in ([], many("at once"), many("polled"), many("polled", "blocked")):
        verdict = judge(rows, burnt=burnt)
        assert verdict.busy and burnt in verdict.evidence
        assert not judge(rows).busy
    assert facts.NothingReceived() in judge([], burnt=burnt).evidence


def test_each_thread_speaks_for_itself() -> None:
    operations = [
        operation("polled"),
        operation("blocked", tid=101),
        operation("at once"),
        operation("at once", tid=101),
        operation("at once", tid=102),
    ]
    assert models_of(operations) == [
        "nonblocking",
        "blocking",
        "nonblocking",
        "blocking",
        "unknown",
    ]


def test_confidence_falls_when_there_is_little_to_go_by() -> None:
    confidences = [judge(many(*["blocked"] * count)).confidence for count in (1, 3, 23)]
    assert confidences == sorted(set(confidences))
    assert judge(many(*["at once"] * 50)).confidence <= 0.5
    assert (
        judge(many("blocked", *["at once"] * 50)).confidence
        < judge(many(*["blocked"] * 51)).confidence
    )
    assert judge(many(*["blocked"] * 10**5)).confidence < 1


@pytest.mark.parametrize(
    ("rows", "shown"),
    [
        (["blocked"] * 23, (23, 23)),
        (["blocked", *["at once"] * 22], (1, 23)),
        (["at once"] * 23, (0, 23)),
        ([*["blocked"] * 20, *["polled"] * 20, "at once"], (20, 41)),
        ([], (0, 0)),
    ],
)
def test_how_many_operations_show_the_model_and_of_how_many(rows, shown) -> None:
    verdict = judge(many(*rows))
    assert (verdict.shown_by, verdict.shown_of) == shown


def test_data_found_at_once_is_said() -> None:
    assert facts.FoundAtOnce(2) in judge(many("blocked", "at once", "at once")).evidence


def test_a_descriptor_that_was_not_registered_is_not_said_to_be() -> None:
    verdict = judge(
        [operation("multiplexed", wait_nr="epoll_wait", index=index) for index in range(23)]
    )
    assert facts.NotRegistered() in verdict.evidence
    assert not any("EPOLLET" in line for line in said(verdict))


@pytest.mark.parametrize("rows", [[], many("blocked", "blocked")])
def test_calls_that_are_not_decoded_are_said(rows: list[dict[str, Any]]) -> None:
    evidence = judge(rows, undecoded=23).evidence
    assert facts.Undecoded(23) in evidence and facts.NothingReceived() not in evidence


@pytest.mark.parametrize("rows", [[], many("blocked", "blocked")])
def test_missing_evidence_that_would_decide_is_said_first_and_leaves_it_open(
    rows: list[dict[str, Any]],
) -> None:
    missing = facts.Unwatched("aio_read", 23, "Permission denied")
    verdict = judge(rows, unwatched=(missing,))
    assert verdict.evidence[0] == missing and verdict.confidence == 0.5
    assert "Permission denied" in said(verdict)[0] and "POSIX aio" in said(verdict)[0]
    both = in_all([VerdictContext(unwatched=(missing,)), VerdictContext(unwatched=(missing,))])
    assert both.unwatched == (facts.Unwatched("aio_read", 46, "Permission denied"),)


def test_a_kernel_thread_that_submits_is_said() -> None:
    submits = facts.KernelSubmits()
    assert submits in judge(many("io-uring"), sqpoll=True).evidence
    assert submits not in judge(many("blocked"), sqpoll=True).evidence


def test_a_ring_that_only_tells_is_multiplexing() -> None:
    verdict = judge([operation("multiplexed", wait_nr="io_uring_enter") for _ in range(3)])
    assert (verdict.name, verdict.synchronous) == ("io-uring", True)
    assert verdict.evidence == (facts.RingTold(3, 3),)


def completed(kind: int, wait_kind: str = "linux-aio", **changes: Any) -> dict[str, Any]:
    """An asynchronous operation."""
    return operation(wait_kind) | {"completion_kind": kind} | changes


@pytest.mark.parametrize(
    ("inside", "after", "synchronous"), [(3, 0, True), (2, 1, True), (2, 2, False), (0, 3, False)]
)
def test_native_aio_that_is_done_in_io_submit_is_synchronous(
    inside: int, after: int, synchronous: bool
) -> None:
    rows = [completed(IN_SUBMIT)] * inside + [completed(AFTER_SUBMIT)] * after
    verdict = judge(rows)
    assert (verdict.name, verdict.synchronous) == ("linux-aio", synchronous)
    assert verdict.variants == {
        name: times
        for name, times in (("in io_submit", inside), ("after io_submit", after))
        if times
    }


def test_shares_of_time_are_from_ask_to_done() -> None:
    rows = [operation("blocked") | {"ask": 0, "ready": 90, "done": 100}] * 3
    rows += [operation("polled") | {"ask": 0, "ready": 10, "done": 100}]
    verdict = judge(rows)
    assert verdict.shares == {"blocking": 0.75, "nonblocking": 0.25} == verdict.time_shares


DONE = 1 << BOUNDARIES.index("done")
EPOLL_WAIT = syscalls.numbers()["epoll_wait"]
EPOLL = {
    "wait_kind": WAIT_KINDS.index("multiplexed"),
    "wait_nr": EPOLL_WAIT,
    "slept_nr": EPOLL_WAIT,
}


def _left(events: int, before: int, entered: int) -> list[dict[str, Any]]:
    """Two operations of one socket: the first done at `before`; the second's data ready at 15, and its thread asleep in
    the wait that it had entered at `entered`."""
    first = {"fell_asleep": 0, "raw_ready": 1, "ready": 1, "done": before, "copy_end": before}
    return [
        operation("blocked") | EPOLL | {"events": events} | more
        for more in (first | {"told": before - 4}, {"fell_asleep": entered})
    ]


EVIDENCE: list[tuple[list[dict[str, Any]], tuple[facts.ModelFact, ...]]] = [
    (
        [operation("polled") | {"eagain_count": 3}, operation("at once") | {"eagain_count": 9}],
        (facts.AskedAgain(3, 1, 2), facts.NothingTold(), facts.FoundAtOnce(1)),
    ),
    (
        [operation("multiplexed", wait_nr="poll") | {"copy_end": 16 + took} for took in (2, 4, 90)],
        (facts.ToldReady(3, 3, "poll", 4, 3, 0, "", 3),),
    ),
    (
        [operation("signal"), operation("signal") | {"named": True, "by_sigwait": True}],
        (facts.ToldBySignal(2, 2), facts.NamedDescriptor(1), facts.TakenByCall(1)),
    ),
    ([operation("signal")], (facts.ToldBySignal(1, 1), facts.WaitedInNoCall())),
    (
        [completed(kind, "posix-aio") for kind in (BY_SIGNAL, BY_THREAD, BY_SUSPEND, BY_SIGNAL)],
        (
            facts.HelperReceived(4),
            facts.CompletionSignals(2),
            facts.CompletionThreads(1),
            facts.CompletionsAwaited(1),
        ),
    ),
    ([operation("posix-aio")], (facts.HelperReceived(1), facts.NoCompletionSeen())),
    (
        [
            completed(IN_SUBMIT, slept=7),
            completed(AFTER_SUBMIT, slept=5),
            completed(AFTER_SUBMIT, slept=5),
        ],
        (facts.DoneInSubmit(1, 3, 7), facts.DoneAfterSubmit(2, 3)),
    ),
    (
        [
            completed(INLINE, "io-uring", in_call=True),
            completed(POLL_ARMED, "io-uring", estimated=DONE),
            completed(WORKER, "io-uring", receiver_tid=5),
            completed(WORKER, "io-uring"),
            completed(DEVICE, "io-uring"),
        ],
        (
            facts.RingReads(5, 1, 1, 2, 1, 0, 0),
            facts.RingCopies(1, 1, 2),
            facts.RingCompletions(4, 1),
        ),
    ),
    (
        _left(events=1 | EPOLLET | EPOLLONESHOT, before=16, entered=17),
        (
            facts.ToldReady(2, 2, "epoll_wait", 4, 2, 0, "", 2),
            facts.Registered((1 | EPOLLET | EPOLLONESHOT,), True),
            facts.ArmedOnce(2),
            facts.SleptOnData(1),
        ),
    ),
    (  # it came after the receive before: a wake-up of its own
        _left(events=1 | EPOLLET, before=15, entered=17),
        (
            facts.ToldReady(2, 2, "epoll_wait", 4, 2, 0, "", 2),
            facts.Registered((1 | EPOLLET,), True),
        ),
    ),
    (  # it came after the wait was entered, and before the thread slept
        _left(events=1 | EPOLLET, before=16, entered=15),
        (
            facts.ToldReady(2, 2, "epoll_wait", 4, 2, 0, "", 2),
            facts.Registered((1 | EPOLLET,), True),
        ),
    ),
    (
        [
            operation("blocked")
            | EPOLL
            | {"events": 1, "waited_asleep": False, "slept_nr": -1, "raw_ready": ready}
            | {"done": 20 + later, "copy_end": 20}
            for ready, later in ((15, 0), (19, 20), (41, 40))
        ],
        (
            facts.ToldReady(3, 3, "epoll_wait", 4, 0, 0, "", 3),
            facts.Registered((1,), False),
            facts.ToldOfRest(1),
        ),
    ),
]


@pytest.mark.parametrize(("rows", "wanted"), EVIDENCE)
def test_evidence(rows: list[dict[str, Any]], wanted: tuple[facts.ModelFact, ...]) -> None:
    assert judge(rows).evidence == wanted
