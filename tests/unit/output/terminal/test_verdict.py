"""tracer/output/terminal/verdict.py: verdict, estimates, oracle, ledger and cost, on made-up reports."""

from __future__ import annotations

from typing import Any

import pytest
from support.drawn import plain, squeezed
from support.report_samples import sample

from tracer.output.terminal import verdict
from tracer.output.terminal.lines import LOUD
from tracer.output.terminal.report import render


def test_verdict_names_model_sense_and_evidence() -> None:
    text = squeezed(verdict.verdict(sample("posix-aio")))
    assert "asynchronous I/O (POSIX aio), 20 of 20 operations show it" in text and "%" not in text
    assert "POSIX asynchronous: no call of the thread waits" in text
    assert "a helper thread received" in text
    assert "POSIX synchronous: the thread" in squeezed(verdict.verdict(sample("signal")))


@pytest.mark.parametrize(
    ("shown_by", "shown_of", "confidence", "words"),
    [
        (1, 1, 0.67, "blocking I/O, 1 of 1 operation shows it"),
        (1, 23, 0.67, "blocking I/O, 1 of 23 operations shows it"),
        (0, 23, 0.5, "blocking I/O, 0 of 23 operations show it"),
        (23, 23, 0.5, "blocking I/O, 23 of 23 operations show it, but evidence is missing"),
    ],
)
def test_how_many_operations_show_the_model(
    shown_by: int, shown_of: int, confidence: float, words: str
) -> None:
    report = sample("blocking")
    report["model"] |= {"shown_by": shown_by, "shown_of": shown_of, "confidence": confidence}
    assert plain(verdict.verdict(report)).splitlines()[0].partition("model")[2].strip() == words


def test_a_free_thread_that_sleeps_all_the_same_does_so_by_choice() -> None:
    report = sample("posix-aio")
    report["model"]["waits_in"] = "io_uring_enter"
    assert "it waits in io_uring_enter by choice" in squeezed(verdict.verdict(report))


@pytest.mark.parametrize(
    ("waits_in", "copies_in", "words"),
    [
        (None, None, "no call of the thread waits for the data or copies it"),
        ("futex", None, "no call of its own copies; it waits in futex by choice"),
        (None, "io_uring_enter", "asking does not wait; io_uring_enter copies what has come"),
        (
            "io_uring_enter",
            "io_uring_enter",
            "it waits in io_uring_enter by choice, and that call copies",
        ),
        (
            "poll",
            "io_uring_enter",
            "asking does not wait; it waits in poll by choice, io_uring_enter copies what has come",
        ),
    ],
)
def test_of_an_asynchronous_thread_it_is_said_which_call_waits_and_which_copies(
    waits_in: str | None, copies_in: str | None, words: str
) -> None:
    report = sample("posix-aio")
    report["model"] |= {
        key: call
        for key, call in (("waits_in", waits_in), ("copies_in", copies_in))
        if call is not None
    }
    assert f"POSIX asynchronous: {words} because" in squeezed(verdict.verdict(report))


def test_a_ring_whose_reads_are_done_in_the_asking_call_is_not_called_asynchronous() -> None:
    report = sample("posix-aio")
    report["model"] |= {"name": "io-uring", "synchronous": True}
    text = squeezed(verdict.verdict(report))
    assert "io_uring, synchronous here" in text and "asynchronous" not in text


def test_mixed_model_shows_its_shares() -> None:
    model: dict[str, Any] = {
        "name": "mixed",
        "synchronous": None,
        "confidence": 0.6,
        "evidence": [],
        "shares": {"blocking": 5, "epoll-lt": 15},
    }
    text = squeezed(verdict.verdict(sample("blocking", model=model)))
    assert (
        text.index("75.0% I/O multiplexing (epoll") < text.index("25.0% blocking I/O")
        and "undecided" in text
    )


def test_a_good_ledger_is_calm() -> None:
    text = squeezed(verdict.ledger(sample("blocking")))
    assert (
        "220 events counted in the kernel = 220 delivered + 0 lost" in text and "complete" in text
    )
    assert "!!" not in plain(verdict.ledger(sample("blocking")))


@pytest.mark.parametrize(
    "change, words",
    [
        ({"delivered": 200}, "DOES NOT BALANCE: 20 events counted"),
        ({"counted": 200}, "DOES NOT BALANCE: 20 events delivered that were never counted"),
        ({"balanced": False}, "DOES NOT BALANCE"),
        ({"delivered": None}, "DOES NOT BALANCE"),
        ({"delivered": 200, "lost": 20}, "20 EVENTS LOST (9.1%)"),
        ({"missed": 3}, "3 EVENTS MISSED"),
        ({"untracked": 2}, "2 threads NOT TRACED"),
        ({"unlearnt": 3}, "3 sockets NOT LEARNT"),
        ({"rows": 200, "missing_rows": 20}, "HOLDS 200 RECORDS, 20 FEWER"),
        ({"rows": 240, "missing_rows": -20}, "HOLDS 240 RECORDS, 20 MORE"),
    ],
)
def test_loss_is_loud(change: dict[str, Any], words: str) -> None:
    report = sample("blocking")
    report["ledger"].update(change)
    lines = verdict.ledger(report)
    loud = [line for line in lines if line.plain.startswith("!!")]
    assert loud and all(str(line.style) == LOUD for line in loud)
    assert words in squeezed(loud) and "complete" not in plain(lines)
    assert words.split()[0] in render(report)


def test_a_switch_that_the_kernel_did_not_show_is_said() -> None:
    report = sample("blocking")
    assert "without a switch" not in squeezed(verdict.ledger(report))
    report["ledger"]["unseen_switches"] = 2
    text = squeezed(verdict.ledger(report))
    assert (
        "2 times a thread was back on a CPU without a switch to it that the kernel showed" in text
        and "!!" not in text
    )


def test_calls_without_an_entry_are_said_and_are_no_loss() -> None:
    report = sample("blocking")
    assert "no entry" not in squeezed(verdict.ledger(report))
    report["ledger"]["unentered"] = 200
    text = squeezed(verdict.ledger(report))
    assert "– complete 200 calls returned that had no entry" in text and "!!" not in text


def test_rounds_are_no_messages() -> None:
    report = sample("blocking")
    report["options"]["proto"] = "none"
    text = squeezed(verdict.oracle(report))
    assert text.startswith("workload says 20 rounds; recvfrom") and "byte" not in text


def test_a_kernel_that_does_not_tell_what_it_missed() -> None:
    report = sample("blocking")
    report["ledger"]["missed"] = None
    text = plain(verdict.ledger(report))
    assert "does not tell" in " ".join(text.split()) and "!!" not in text and "complete" not in text


def test_cost_measured_and_not() -> None:
    text = squeezed(verdict.cost(sample("blocking")))
    assert "21.4 µs of CPU a message untraced (20.1 µs to 23.5 µs in 3 runs)" in text
    assert text.endswith("29.3 µs traced, ×1.37")
    assert "not measured" in plain(verdict.cost(sample("blocking", cost=None)))


def test_latency_beside_the_untraced_one_and_alone() -> None:
    report = sample("blocking")
    assert "61.2 µs untraced, 66 µs traced" in squeezed(verdict.latency(report))
    report["latency"]["untraced"] = None
    text = squeezed(verdict.latency(report))
    assert "66 µs traced" in text and "untraced" not in text
    assert verdict.latency(sample("blocking", latency=None)) == []


def test_stamps_of_the_programs_beside_the_boundaries() -> None:
    report = sample("blocking")
    accuracy = report["latency"]["accuracy"]
    assert "receiver's 800 ns after done, sender's 12.3 µs before ready (p50)" in squeezed(
        verdict.latency(report)
    )
    accuracy["done_to_user"]["p50_ns"] = -20  # what must not be is said as it was seen
    assert "receiver's 20 ns before done, sender's" in squeezed(verdict.latency(report))
    accuracy["done_to_user"] = accuracy["send_to_ready"] = None
    assert "stamps" not in squeezed(verdict.latency(report))


def test_estimates_are_counted_with_their_causes() -> None:
    report = sample("nonblocking")
    report["estimates"] = [
        {"boundary": "ready", "count": 7, "text": "was late"},
        {"boundary": "ready", "count": 2, "text": "was not seen"},
        {"boundary": "copy_start", "count": 20, "text": "has none"},
    ]
    whole = squeezed(verdict.estimates(report))
    assert "ready in 7 of 20: was late ready in 2 of 20: was not seen" in whole
    assert whole.endswith("copy start in all: has none")
    assert "was not seen" not in squeezed(verdict.estimates(report, brief=True))


def test_oracle_equality_and_differences() -> None:
    report = sample("select")
    assert "recvfrom 20: traced exactly so" in squeezed(verdict.oracle(report))
    report["expected"].update(
        match={"calls": False}, differences=["recvfrom: the workload made 20, traced 19"]
    )
    text = plain(verdict.oracle(report))
    assert (
        "exactly" not in text
        and "!! TRACED OTHERWISE: recvfrom: the workload made 20, traced 19" in text
    )
    assert verdict.oracle(sample("select", expected=None)) == []


def test_rounds_that_nothing_was_compared_of_are_not_called_exact() -> None:
    report = sample("select")
    report["options"] = {**report["options"], "proto": "none"}
    assert "rounds; " in (text := squeezed(verdict.oracle(report))) and "exactly" in text
    report["expected"] |= {"calls": {}, "signals": {}}
    assert squeezed(verdict.oracle(report)).endswith("20 rounds")
