"""tracer/output/terminal/figure.py: what the figure shows of each model, on made-up reports."""

from __future__ import annotations

import random

import pytest
from rich.cells import cell_len
from support.drawn import lines_of_figure, plain, row, squeezed
from support.report_samples import HELPER, MS, NAMES, US, call, sample, summed

from tracer.output.terminal import verdict
from tracer.output.terminal.report import render
from tracer.output.units import duration


@pytest.mark.parametrize("name", NAMES)
def test_figure_reaches_but_never_leaves_its_columns(name: str) -> None:
    lines = lines_of_figure(sample(name))
    top, bottom = row(lines, "┌"), row(lines, "└")
    body = [line.ljust(80) for line in lines[top : bottom + 1]]
    assert {line[31] for line in body} <= set("┐│├┠┃┊┘")
    assert {line[48] for line in body} <= set("┌│┤└")
    assert {line[68] for line in body} <= set("┐┤│┘ ")
    assert all(len(line) <= 80 for line in lines)


@pytest.mark.parametrize(
    "alike, said",
    [
        (None, "median of 3"),
        (3, "median of 3"),
        (2, "median of 2 of its kind"),
        (1, "only one of its kind"),
    ],
)
def test_the_caption_says_of_how_many_it_is_the_median(alike: int | None, said: str) -> None:
    report = sample("signal")
    report["operations"] = report["operations"][:1] * 3
    report["figure"]["operation"] = 0
    if alike is not None:
        report["figure"]["of"] = alike
    assert any(f"Operation 0, the {said}: " in line for line in lines_of_figure(report))


@pytest.mark.parametrize("name", NAMES)
def test_figure_shows_every_phase_with_its_time_in_order(name: str) -> None:
    report = sample(name)
    op = report["operations"][report["figure"]["operation"]]
    lines = lines_of_figure(report)
    phases = {
        "wait": op["ready_ns"] - op["ask_ns"],
        "notice": op["copy_start_ns"] - op["ready_ns"],
        "receive call": op["copy_end_ns"] - op["copy_start_ns"],
        "completion": op["done_ns"] - op["copy_end_ns"],
    }
    margins = [line[69:].strip() for line in lines]
    seen = []
    for phase, ns in phases.items():
        labels = [margin.lstrip("│┤┐┘ ") for margin in margins]
        words = phase.split()
        if ns == 0:
            assert words[0] not in labels
            continue
        seen.append(labels.index(words[0]))
        after = labels[seen[-1] :]
        assert after[: len(words)] == words and after[len(words)].lstrip("~") == duration(ns)
    assert seen == sorted(seen) and len(seen) >= 3
    assert row(lines, "DATA READY") < row(lines, "copy to user") < row(lines, "copy complete")


def test_where_the_copy_is_seen_the_bracket_says_copy() -> None:
    report = sample("blocking")
    for operation in report["operations"]:
        operation["estimated"] = []
    margins = [line[69:].strip("│┤┐┘ ") for line in lines_of_figure(report)]
    assert "copy" in margins and "call" not in margins


def sending(name: str, before: int, after: int) -> dict[str, object]:
    """The sample with a send that begins and returns so long (ns) before and after readiness."""
    report = sample(name)
    drawn = report["figure"]
    ready = report["operations"][drawn["operation"]]["ready_ns"]
    drawn["steps"].append({"kind": "send", "enter_ns": ready - before, "exit_ns": ready + after})
    return report


@pytest.mark.parametrize("name", NAMES)
def test_the_senders_call_is_at_the_kernels_far_edge(name: str) -> None:
    lines = lines_of_figure(sending(name, 3000, 700))
    enters, ready = row(lines, "sender: send┃"), row(lines, "DATA READY")
    returns = row(lines, "send returns ──►┃")
    assert enters < ready < returns and lines[ready].ljust(80)[66] == "┃"
    edges = [index for index, line in enumerate(lines) if line.ljust(80)[66] == "┃"]
    assert edges == [*range(enters, returns + 1)]
    said = " ".join(" ".join(lines).split())
    assert "700 ns of the sender's own send follow DATA READY" in said
    assert "┃ the sender is in its send" in said or "far right: ┃ the sender in its send" in said
    # nothing else changes but times, and the room that brackets need
    rest = [line for index, line in enumerate(lines) if index not in (enters, returns)]
    assert events(rest) == events(lines_of_figure(sample(name)))


def events(lines: list[str]) -> list[str]:
    """What is written in the application's column and beside it, top down, with the left edge."""
    body = lines[row(lines, "┌") + 1 : row(lines, "└")]
    return [line[9:48] for line in body if line[10:48].strip("│┃┊ ")]


def test_a_send_that_had_returned_made_nothing_ready() -> None:
    lines = lines_of_figure(sending("blocking", 5000, -2000))
    assert row(lines, "send returns") < row(lines, "DATA READY")
    assert "returned 2 µs before the data was there" in " ".join(" ".join(lines).split())


def test_a_send_from_before_the_question_has_its_return_alone() -> None:
    lines = lines_of_figure(sending("blocking", 20 * MS, 900))
    assert not any("sender: send┃" in line for line in lines)
    assert lines[row(lines, "recvfrom", "►")].ljust(80)[66] == "┃"
    assert row(lines, "DATA READY") < row(lines, "send returns")


def test_blocking_is_one_call_that_sleeps_and_copies() -> None:
    lines = lines_of_figure(sample("blocking"))
    asks, ready, runs = (
        row(lines, "recvfrom", "►"),
        row(lines, "DATA READY"),
        row(lines, "has a CPU again"),
    )
    assert asks < row(lines, "blocked 10.9 ms") < ready < row(lines, "wakes tid 4242") < runs
    assert runs < row(lines, "64 bytes ─", "◄", "copy complete", "has the data")
    assert sum("►" in line for line in lines) == 1
    assert all(line[9] == "┊" for line in lines[asks + 1 : runs]) and lines[runs][9] == "┃"
    assert [lines[index].split()[0:2] for index in (ready, ready + 1)] == [
        ["+10.9", "ms"],
        ["+28", "µs"],
    ]
    assert lines[runs].startswith("  +29 µs") and lines[row(lines, "copy complete")].startswith(
        "   +8 µs"
    )


def test_nonblocking_folds_its_polls_into_one_line_with_their_count() -> None:
    lines = lines_of_figure(sample("nonblocking"))
    polls = row(lines, "× 12,345", "EAGAIN")
    assert sum("EAGAIN" in line for line in lines) == 1
    assert polls < row(lines, "DATA READY") < row(lines, "recvfrom", "copy to user")
    assert not any("┊" in line[9:32] for line in lines[: row(lines, "└")])


@pytest.mark.parametrize(
    "name, waiter", [("select", "pselect6"), ("poll", "poll"), ("epoll-lt", "epoll_wait")]
)
def test_multiplexing_sleeps_in_the_waiter_and_then_receives(name: str, waiter: str) -> None:
    lines = lines_of_figure(sample(name))
    order = [
        row(lines, waiter, "►"),
        row(lines, "DATA READY"),
        row(lines, "told: readable", "◄"),
        row(lines, "recvfrom", "►"),
        row(lines, "64 bytes", "◄"),
    ]
    assert order == sorted(order)
    assert lines[order[1]][9] == "┊" and lines[order[3]][9] == "┃"


def test_signal_driven_is_free_until_the_signal() -> None:
    lines = lines_of_figure(sample("signal"))
    order = [
        row(lines, "~ wants the data"),
        row(lines, "continues executing"),
        row(lines, "DATA READY"),
        row(lines, "sends SIGIO"),
        row(lines, "signal handler", "◄", "SIGIO"),
        row(lines, "recvfrom", "►"),
        row(lines, "has the data"),
        row(lines, "EAGAIN", "◄"),
    ]
    assert order == sorted(order)
    assert all(line[9] == "┃" for line in lines[order[0] : order[-1]])


def test_asynchronous_shows_who_really_reads() -> None:
    lines = lines_of_figure(sample("posix-aio"))
    order = [
        row(lines, "aio_read", "library call"),
        row(lines, "continues executing"),
        row(lines, f"helper thread {HELPER}"),
        row(lines, "pread64", "►"),
        row(lines, "ESPIPE", "◄"),
        row(lines, " read ", "system call"),
        row(lines, "DATA READY"),
        row(lines, "copy complete"),
        row(lines, "sends SIGRTMIN"),
        row(lines, "signal handler", "◄"),
    ]
    assert order == sorted(order)
    ready = lines[row(lines, "DATA READY")]
    assert (ready[9], ready[31]) == ("┃", "┊"), "the asking thread runs, the helper sleeps"
    assert "Not in the textbook" in "\n".join(lines)


def test_the_figure_is_drawn_from_steps_and_not_from_a_name() -> None:
    report = sample("blocking", scenario="whatever")
    report["figure"]["model"] = "none of the known"
    assert lines_of_figure(report)[1:] == lines_of_figure(sample("blocking"))[1:]


def test_many_different_calls_are_shortened() -> None:
    report = sample("blocking")
    start = report["figure"]["steps"][0]["enter_ns"]
    entries = [start - 900 * US + i * US for i in range(400)]
    polls = [call("recvfrom" if at % 2_000 else "getpid", at, at + 500, "EAGAIN") for at in entries]
    report["figure"]["steps"] = polls + report["figure"]["steps"]
    lines = lines_of_figure(report)
    assert len(lines) < 50 and any("391 more calls" in line for line in lines)
    assert row(lines, "has the data")


def test_data_that_was_there_before_says_so_and_how_long() -> None:
    report = sample("nonblocking")
    op = report["operations"][10]
    start = op["told_ns"]
    op.update(ask_ns=start, ready_ns=start, queued_ns=3 * MS)
    report["figure"]["steps"] = report["figure"]["steps"][2:]
    text = "\n".join(lines_of_figure(report))
    assert (
        "data was there" in text and "in the queue for 3 ms" in text and "no data ready" not in text
    )
    said = verdict.queued(summed(report))
    assert "1 operation found data" in squeezed(said) and "3 ms" in plain(said)


def test_an_estimated_readiness_is_marked() -> None:
    report = sample("blocking")
    report["operations"][10]["estimated"] = ["ready"]
    text = "\n".join(lines_of_figure(report))
    assert "~ DATA READY" in text and "~10.9 ms" in text and "~ estimated" in text


def test_a_call_still_open_and_odd_threads_are_drawn() -> None:
    report = sample("select")
    report["figure"]["steps"] = [
        call("pselect6", 5, None, None, tid=4_194_304, blocked=9, waits=True)
    ]
    report["operations"] = []
    lines = lines_of_figure(report)
    assert row(lines, "pselect6", "►") and max(map(len, lines)) <= 80


def test_a_wait_that_returns_after_the_copy_tells_of_completion() -> None:
    report = sample("blocking")
    op = report["operations"][10]
    ask, end = op["ask_ns"], op["copy_end_ns"]
    op.update(done_ns=end + 16 * US)
    report["figure"]["steps"] = [
        call("io_uring_enter", ask, end + 16 * US, 1, blocked=9 * MS, waits=True)
    ]
    lines = lines_of_figure(report)
    assert row(lines, "copy complete") < row(
        lines, "told: complete", "◄"
    ) and "completion" in "\n".join(lines)


@pytest.mark.parametrize("seed", range(150))
def test_no_hole_in_a_report_stops_the_drawing(seed: int) -> None:
    chance = random.Random(seed)
    report = sample(chance.choice(NAMES), count=chance.choice([1, 3]))
    parts = [
        *report["operations"],
        *report["figure"]["steps"],
        *report["threads"],
        *report["syscalls"],
        report["ledger"],
        report["model"],
        report["expected"],
        report["cost"],
        report["host"],
    ]
    for part in parts:
        for key in [key for key in part if key not in ("kind", "index")]:
            if chance.random() < 0.08:
                part[key] = None
    chance.shuffle(report["figure"]["steps"])
    report.pop(chance.choice(list(report)))
    assert max(map(cell_len, render(report, hist=True).splitlines())) <= 80
