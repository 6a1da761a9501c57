"""The terminal report says what the report holds: checked by meaning, on made-up reports, without root."""

from __future__ import annotations

import random

import re

import pytest
from report_samples import HELPER, MS, NAMES, TID, US, call, sample, summed
from rich.cells import cell_len
from rich.text import Text

from tracer.render import figure, tables, verdict
from tracer.render.terminal import render
from tracer.render.units import duration, to_ascii


def lines_of_figure(report: dict) -> list[str]:
    return [line.plain for line in figure.draw(report)]


def row(lines: list[str], *words: str) -> int:
    """The first line that holds all `words`."""
    return next(index for index, line in enumerate(lines) if all(word in line for word in words))


def plain(lines: list[Text]) -> str:
    return "\n".join(line.plain for line in lines)


def squeezed(lines: list[Text]) -> str:
    """One line, so that a test does not depend on where text was wrapped."""
    return " ".join(plain(lines).replace("!!", "").split())


# every report

@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("hist", [False, True])
@pytest.mark.parametrize("unicode", [False, True])
def test_every_line_fits_in_80_columns(name, hist, unicode):
    text = render(sample(name), hist=hist, unicode=unicode)
    assert max(map(cell_len, text.splitlines())) <= 80
    assert "\x1b" not in text and text.endswith("\n")
    assert unicode or text.isascii()


@pytest.mark.parametrize("name", NAMES)
def test_figure_reaches_but_never_leaves_its_columns(name):
    lines = lines_of_figure(sample(name))
    top, bottom = row(lines, "┌"), row(lines, "└")
    body = [line.ljust(80) for line in lines[top:bottom + 1]]
    assert {line[31] for line in body} <= set("┐│├┠┃┊┘")
    assert {line[48] for line in body} <= set("┌│┤└")
    assert {line[68] for line in body} <= set("┐┤│┘ ")
    assert all(len(line) <= 80 for line in lines)


@pytest.mark.parametrize("name", NAMES)
def test_figure_shows_every_phase_with_its_time_in_order(name):
    report = sample(name)
    op = report["operations"][report["figure"]["operation"]]
    lines = lines_of_figure(report)
    phases = {"wait": op["ready_ns"] - op["ask_ns"], "notice": op["copy_start_ns"] - op["ready_ns"],
              "copy": op["copy_end_ns"] - op["copy_start_ns"], "completion": op["done_ns"] - op["copy_end_ns"]}
    margins = [line[69:].strip() for line in lines]
    seen = []
    for phase, ns in phases.items():
        labels = [margin.lstrip("│┤┐┘ ") for margin in margins]
        if ns == 0:
            assert phase not in labels
            continue
        seen.append(labels.index(phase))
        assert labels[seen[-1] + 1].lstrip("~") == duration(ns)
    assert seen == sorted(seen) and len(seen) >= 3
    assert row(lines, "DATA READY") < row(lines, "copy to user") < row(lines, "copy complete")


@pytest.mark.parametrize("name", NAMES)
def test_sections_come_in_the_promised_order(name):
    text = render(sample(name), hist=True)
    order = ("application", "─ Phases", "─ Histograms", "─ Threads", "─ System calls", "─ Verdict", "\nledger",
             "\ncost")
    places = [text.index(word) for word in order]
    assert places == sorted(places)


def test_colour_changes_nothing_but_colour():
    report = sample("posix-aio")
    colored = render(report, color=True)
    assert "\x1b[" in colored
    assert [line.rstrip() for line in Text.from_ansi(colored).plain.splitlines()] == render(report).splitlines()


# the shape of each model

def test_blocking_is_one_call_that_sleeps_and_copies():
    lines = lines_of_figure(sample("blocking"))
    asks, ready, runs = row(lines, "recvfrom", "►"), row(lines, "DATA READY"), row(lines, "has a CPU again")
    assert asks < row(lines, "blocked 10.9 ms") < ready < row(lines, "wakes tid 4242") < runs
    assert runs < row(lines, "64 bytes ─", "◄", "copy complete", "has the data")
    assert sum("►" in line for line in lines) == 1
    assert all(line[9] == "┊" for line in lines[asks + 1:runs]) and lines[runs][9] == "┃"
    assert [lines[index].split()[0:2] for index in (ready, ready + 1)] == [["+10.9", "ms"], ["+28", "µs"]]
    assert lines[runs].startswith("  +29 µs") and lines[row(lines, "copy complete")].startswith("   +8 µs")


def test_nonblocking_folds_its_polls_into_one_line_with_their_count():
    lines = lines_of_figure(sample("nonblocking"))
    polls = row(lines, "× 12,345", "EAGAIN")
    assert sum("EAGAIN" in line for line in lines) == 1
    assert polls < row(lines, "DATA READY") < row(lines, "recvfrom", "copy to user")
    assert not any("┊" in line[9:32] for line in lines[:row(lines, "└")])


@pytest.mark.parametrize("name, waiter", [("select", "pselect6"), ("poll", "poll"), ("epoll-lt", "epoll_wait")])
def test_multiplexing_sleeps_in_the_waiter_and_then_receives(name, waiter):
    lines = lines_of_figure(sample(name))
    order = [row(lines, waiter, "►"), row(lines, "DATA READY"), row(lines, "told: readable", "◄"),
             row(lines, "recvfrom", "►"), row(lines, "64 bytes", "◄")]
    assert order == sorted(order)
    assert lines[order[1]][9] == "┊" and lines[order[3]][9] == "┃"


def test_signal_driven_is_free_until_the_signal():
    lines = lines_of_figure(sample("signal"))
    order = [row(lines, "~ wants the data"), row(lines, "free for other work"), row(lines, "DATA READY"),
             row(lines, "sends SIGIO"), row(lines, "signal handler", "◄", "SIGIO"), row(lines, "recvfrom", "►"),
             row(lines, "has the data"), row(lines, "recvfrom", "EAGAIN")]
    assert order == sorted(order)
    assert all(line[9] == "┃" for line in lines[order[0]:order[-1]])


def test_asynchronous_shows_who_really_reads():
    lines = lines_of_figure(sample("posix-aio"))
    order = [row(lines, "aio_read", "library call"), row(lines, "free for other work"),
             row(lines, f"helper thread {HELPER}"), row(lines, "pread64", "ESPIPE"), row(lines, "read", "system call"),
             row(lines, "DATA READY"), row(lines, "copy complete"), row(lines, "sends SIGRTMIN"),
             row(lines, "signal handler", "◄")]
    assert order == sorted(order)
    ready = lines[order[5]]
    assert (ready[9], ready[31]) == ("┃", "┊"), "the asking thread runs, the helper sleeps"
    assert "Not in the textbook" in "\n".join(lines)


def test_the_figure_is_drawn_from_steps_and_not_from_a_name():
    report = sample("blocking", scenario="whatever")
    report["figure"]["model"] = "none of the known"
    assert lines_of_figure(report)[1:] == lines_of_figure(sample("blocking"))[1:]


def test_many_different_calls_are_shortened():
    report = sample("blocking")
    start = report["figure"]["steps"][0]["enter_ns"]
    entries = [start - 900 * US + i * US for i in range(400)]
    polls = [call("recvfrom" if at % 2_000 else "getpid", at, at + 500, "EAGAIN") for at in entries]
    report["figure"]["steps"] = polls + report["figure"]["steps"]
    lines = lines_of_figure(report)
    assert len(lines) < 50 and any("391 more calls" in line for line in lines)
    assert row(lines, "has the data")


def test_data_that_was_there_before_says_so_and_how_long():
    report = sample("nonblocking")
    op = report["operations"][10]
    start = op["told_ns"]
    op.update(ask_ns=start, ready_ns=start, queued_ns=3 * MS)
    report["figure"]["steps"] = report["figure"]["steps"][2:]
    text = "\n".join(lines_of_figure(report))
    assert "data was there" in text and "in the queue for 3 ms" in text and "no data ready" not in text
    said = verdict.queued(summed(report))
    assert "1 operation found data" in squeezed(said) and "3 ms" in plain(said)


def test_an_estimated_readiness_is_marked():
    report = sample("blocking")
    report["operations"][10]["estimated"] = ["ready"]
    text = "\n".join(lines_of_figure(report))
    assert "~ DATA READY" in text and "~10.9 ms" in text and "~ estimated" in text


def test_a_call_still_open_and_odd_threads_are_drawn():
    report = sample("select")
    report["figure"]["steps"] = [call("pselect6", 5, None, None, tid=4_194_304, blocked=9, waits=True)]
    report["operations"] = []
    lines = lines_of_figure(report)
    assert row(lines, "pselect6", "►") and max(map(len, lines)) <= 80


def test_a_wait_that_returns_after_the_copy_tells_of_completion():
    report = sample("blocking")
    op = report["operations"][10]
    ask, end = op["ask_ns"], op["copy_end_ns"]
    op.update(done_ns=end + 16 * US)
    report["figure"]["steps"] = [call("io_uring_enter", ask, end + 16 * US, 1, blocked=9 * MS, waits=True)]
    lines = lines_of_figure(report)
    assert row(lines, "copy complete") < row(lines, "told: complete", "◄") and "completion" in "\n".join(lines)


@pytest.mark.parametrize("seed", range(150))
def test_no_hole_in_a_report_stops_the_drawing(seed):
    chance = random.Random(seed)
    report = sample(chance.choice(NAMES), count=chance.choice([1, 3]))
    parts = [*report["operations"], *report["figure"]["steps"], *report["threads"], *report["syscalls"],
             report["ledger"], report["model"], report["expected"], report["cost"], report["host"]]
    for part in parts:
        for key in [key for key in part if key not in ("kind", "index")]:
            if chance.random() < 0.08:
                part[key] = None
    chance.shuffle(report["figure"]["steps"])
    report.pop(chance.choice(list(report)))
    assert max(map(cell_len, render(report, hist=True).splitlines())) <= 80


# tables

def test_phases_table_gives_all_seven_numbers():
    text = render(sample("blocking"))
    wait = next(line for line in text.splitlines() if line.startswith("wait "))
    phase = sample("blocking")["phases"]["wait"]
    for key in ("min_ns", "p50_ns", "p90_ns", "p99_ns", "max_ns", "total_ns"):
        assert duration(phase[key], fixed=True) in wait
    assert wait.split()[1] == "20" and wait.endswith("%")


def test_thread_states_and_cpu_use():
    text = render(sample("nonblocking"))
    line = next(line for line in text.splitlines() if line.startswith(str(TID)))
    assert "99.1%" in line and "118 ms" in line and "█" in line and "▓" in line and "·" not in line


def test_calls_show_errors_and_the_library_call_has_no_times():
    text = render(sample("nonblocking"))
    assert "246,920" in text and "EAGAIN 246,900" in text
    line = next(line for line in render(sample("posix-aio")).splitlines() if line.startswith("aio_read"))
    assert "20" in line and "a library call" in line and "ns" not in line


def test_merged_signals_are_named():
    text = render(sample("signal", signals=[{"name": "SIGIO", "generated": 500, "delivered": 286, "merged": 214}]))
    assert "500" in text and "286" in text and "214 merged" in text


def test_large_numbers_still_fit():
    report = sample("nonblocking")
    for phase in report["phases"].values():
        phase.update(count=123_456_789, total_ns=987_654 * 10**9)
    report["threads"][0].update(tid=4_194_304, name="数据线程数据线程数据线程", blocked_ns=10**15)
    report["syscalls"][0].update(calls=10**12, errors={f"E{i}LONGNAME": 10**9 for i in range(6)})
    text = render(report)
    assert max(map(cell_len, text.splitlines())) <= 80
    assert "123,456,789" in text and "1,000,000,000,000" in text and "4194304" in text


# verdict, ledger, cost, oracle

def test_verdict_names_model_sense_and_evidence():
    text = squeezed(verdict.verdict(sample("posix-aio")))
    assert "asynchronous I/O (POSIX aio), 98% sure" in text and "POSIX calls it asynchronous" in text
    assert "a helper thread received" in text
    assert "calls it synchronous" in squeezed(verdict.verdict(sample("signal")))


def test_mixed_model_shows_its_shares():
    model = {"name": "mixed", "synchronous": None, "confidence": 0.6, "evidence": [],
             "shares": {"blocking": 5, "epoll-lt": 15}}
    text = squeezed(verdict.verdict(sample("blocking", model=model)))
    assert text.index("75.0% I/O multiplexing (epoll") < text.index("25.0% blocking I/O") and "undecided" in text


def test_a_good_ledger_is_calm():
    text = squeezed(verdict.ledger(sample("blocking")))
    assert "220 events counted in the kernel = 220 delivered + 0 lost" in text and "complete" in text
    assert "!!" not in plain(verdict.ledger(sample("blocking")))


@pytest.mark.parametrize("change, words", [
    ({"delivered": 200}, "DOES NOT BALANCE: 20 events counted"),
    ({"counted": 200}, "DOES NOT BALANCE: 20 events delivered that were never counted"),
    ({"balanced": False}, "DOES NOT BALANCE"),
    ({"delivered": None}, "DOES NOT BALANCE"),
    ({"delivered": 200, "lost": 20}, "20 EVENTS LOST (9.1%)"),
    ({"missed": 3}, "3 EVENTS MISSED"),
    ({"untracked": 2}, "2 threads NOT TRACED"),
    ({"unlearnt": 3}, "3 sockets NOT LEARNT"),
])
def test_loss_is_loud(change, words):
    report = sample("blocking")
    report["ledger"].update(change)
    lines = verdict.ledger(report)
    loud = [line for line in lines if line.plain.startswith("!!")]
    assert loud and all(verdict.LOUD == str(line.style) for line in loud)
    assert words in squeezed(loud) and "complete" not in plain(lines)
    assert words.split()[0] in render(report)


def test_a_kernel_that_does_not_tell_what_it_missed():
    report = sample("blocking")
    report["ledger"]["missed"] = None
    text = plain(verdict.ledger(report))
    assert "does not tell" in " ".join(text.split()) and "!!" not in text and "complete" not in text


def test_cost_measured_and_not():
    assert "21.4 µs" in plain(verdict.cost(sample("blocking"))) and "×1.37" in plain(verdict.cost(sample("blocking")))
    assert "not measured" in plain(verdict.cost(sample("blocking", cost=None)))


def test_estimates_are_counted_and_explained():
    text = squeezed(verdict.estimates(sample("nonblocking")))
    assert "ready in 7 of 20: sk_data_ready" in text and "copy_start in all: no skb_copy" in text
    assert text.index("ready in 7") < text.index("copy_start in all")


def test_oracle_equality_and_differences():
    report = sample("select")
    assert "recvfrom 20: traced exactly so" in squeezed(verdict.oracle(report))
    report["expected"].update(match={"calls": False}, differences=["recvfrom: the workload made 20, traced 19"])
    text = plain(verdict.oracle(report))
    assert "exactly" not in text and "!! TRACED OTHERWISE: recvfrom: the workload made 20, traced 19" in text
    assert verdict.oracle(sample("select", expected=None)) == []


# what is missing or odd

def test_a_report_with_no_operations():
    empty = {name: {"count": 0, "total_ns": 0} for name in ("wait", "notice", "copy", "completion")}
    text = render(sample("blocking", operations=[], figure=None, phases=empty, threads=[], syscalls=[], expected=None,
                         cost=None, scenario=None,
                         model={"name": "none", "synchronous": None, "confidence": 0, "evidence": []}))
    assert "No operation to draw" in text and "no phases" in text and "no system call" in text


@pytest.mark.parametrize("report", [{}, {"ledger": None, "model": None, "figure": {"steps": []}, "phases": None},
                                    {"phases": {"wait": None}, "figure": {"operation": 3, "steps": None}}])
def test_an_all_but_empty_report_is_still_drawn(report):
    text = render(report, hist=True)
    assert "NO LEDGER" in text and max(map(cell_len, text.splitlines())) <= 80


@pytest.mark.parametrize(("net", "line"), [
    ({"rate": None, "delay": 0, "loss": 0.0}, "no limit"), ({"rate": 10**6, "delay": 0, "loss": 0.0}, "at most 1 Mbit a second"),
    ({"rate": 512_000, "delay": 5 * 10**6, "loss": 0.015}, "at most 512 kbit a second, 5 ms later, 1.5% lost")])
def test_a_link_stands_in_the_head(net, line):
    report = sample("blocking")
    assert "veth" not in render(report)
    report["options"]["net"] = net
    assert render(report).splitlines()[1] == f"through a veth link: {line}"


def test_an_interrupted_run_says_so_first():
    assert "INTERRUPTED" in render(sample("blocking", ended="interrupted")).splitlines()[2]
    failed = sample("blocking")
    failed["target"]["exit_status"] = 3
    assert "exit status 3" in render(failed).splitlines()[2]


def test_nothing_from_outside_moves_the_cursor():
    report = sample("blocking", scenario=None)
    report["target"]["command"] = ["evil\x1b[2J", "[bold]x[/bold]"]
    report["threads"][0]["name"] = "a\x1b[31m\nb"
    text = render(report)
    assert "\x1b" not in text and "[bold]x[/bold]" in text and "a?[31m?b" in text


def test_nothing_in_the_report_is_changed():
    report, twin = sample("posix-aio"), sample("posix-aio")
    render(report, hist=True)
    assert report == twin


def test_ascii_replaces_one_for_one():
    text = render(sample("posix-aio"), hist=True)
    for line, narrow in zip(text.splitlines(), render(sample("posix-aio"), hist=True, unicode=False).splitlines()):
        assert len(line) == len(narrow) and "?" not in narrow
    assert to_ascii("┃ 28 µs ►") == "# 28 us >"


def test_wider_terminals_are_used_and_narrower_ones_drawn_as_80():
    assert render(sample("blocking"), width=40) == render(sample("blocking"))
    assert max(map(cell_len, render(sample("blocking"), width=120).splitlines())) == 120


def test_tables_can_be_used_alone():
    assert tables.signals(sample("blocking")) is None
    assert tables.phases(sample("blocking")).row_count == 4


# lanes, locks, wake-ups

LANES = {"pairs": [{"tids": [11, 12], "overlap_ns": 0, "possible_ns": 5 * MS}], "begin_ns": 7 * MS, "cell_ns": MS,
         "threads": [{"tid": 11, "on_cpu_ns": 9 * MS, "cpus": [0], "cells": [0] * 30 + [-2] * 30},
                     {"tid": 12, "on_cpu_ns": 5 * MS, "cpus": [0, 11], "cells": [-1] * 30 + [11] * 30}]}


def test_lanes_show_who_had_which_cpu():
    text = render(sample("blocking", lanes=LANES))
    assert "11          " + "0" * 30 + "░" * 30 in text and "12          " + "·" * 30 + "b" * 30 in text
    assert "11 and 12 never ran at the same time" in text
    together = {**LANES, "pairs": [{"tids": [11, 12], "overlap_ns": 2 * MS, "possible_ns": 5 * MS}]}
    assert "in parallel, for 2 ms, 40.0%" in " ".join(render(sample("blocking", lanes=together)).split())
    assert "On which CPU" not in render(sample("blocking", lanes=None))


def test_locks_say_who_waited_for_whom():
    word = {"address": "…00004000", "process": 11, "kind": "mutual exclusion", "waits": 5, "wakes": 9,
            "waited_ns": 9 * MS, "longest_ns": 4 * MS,
            "between": [{"waiter": 11, "waker": 12, "count": 3, "waited_ns": 6 * MS, "longest_ns": 4 * MS},
                        {"waiter": 12, "waker": None, "count": 2, "waited_ns": 3 * MS, "longest_ns": 2 * MS}]}
    small = {**word, "address": "…00005000", "waited_ns": MS // 10}
    text = render(sample("blocking", locks=[word, small]))
    assert "…00004000  mutual exclusion" in text and "…00005000" not in text
    assert re.search(r"3 +11 +12 +4 ms +6 ms", text) and re.search(r"2 +12 +\? +2 ms +3 ms", text)
    assert "Waits on futexes" not in render(sample("blocking", locks=[]))


def test_wake_ups_for_nothing_are_said():
    herd = {"call": "epoll_wait", "threads": 4, "returned": 26, "woken": 92, "slept_again": 60, "found_nothing": 6}
    text = " ".join(render(sample("epoll-lt", wakeups=[herd])).split())
    assert "92 in 4 threads; 26 calls returned. 66 (71.7%) were for nothing: 60 slept again" in text
    assert "6 found EAGAIN" in text
    one = {**herd, "threads": 1, "slept_again": 0, "found_nothing": 0}
    assert "Wake-ups" not in render(sample("epoll-lt", wakeups=[one]))
    assert "None was for nothing" in render(sample("epoll-lt", wakeups=[{**one, "threads": 2}]))


def test_signals_taken_and_overflowed():
    text = render(sample("signal", signals=[
        {"name": "SIGIO", "generated": 3, "delivered": 0, "taken": 3, "merged": 8, "overflowed": 0},
        {"name": "SIGRTMIN+1", "generated": 12, "delivered": 0, "taken": 10, "merged": 0, "overflowed": 11}]))
    assert re.search(r"SIGIO +3 +0 +3 +8 merged into a pending one", text)
    assert re.search(r"SIGRTMIN\+1 +12 +0 +10 +11 found the queue full, 2 not yet taken", text)


def test_rounds_without_messages_draw_no_operation():
    report = sample("blocking", operations=[], figure=None, options={"proto": "none", "messages": 23})
    text = render(report | {"scenario": "lock"})
    assert "23 rounds" in text and "No operation to draw" not in text and "Phases" not in text
