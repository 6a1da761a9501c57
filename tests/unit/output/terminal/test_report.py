"""The terminal report as a whole: it fits, says what is missing, and lets nothing from outside through."""

from __future__ import annotations

import re
from typing import Any

import pytest
from rich.cells import cell_len
from rich.table import Table
from rich.text import Text
from support.drawn import squeezed
from support.records_builder import EAGAIN, Trace
from support.report_samples import NAMES, sample
from support.reports import built

from tracer.output.terminal import tables
from tracer.output.terminal.report import SCREEN, render
from tracer.output.units import to_ascii

# every report


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("hist", [False, True])
@pytest.mark.parametrize("unicode", [False, True])
def test_every_line_fits_in_80_columns(name: str, hist: bool, unicode: bool) -> None:
    text = render(sample(name), hist=hist, unicode=unicode)
    assert max(map(cell_len, text.splitlines())) <= 80
    assert "\x1b" not in text and text.endswith("\n")
    assert unicode or text.isascii()


@pytest.mark.parametrize("name", NAMES)
def test_sections_come_in_the_promised_order(name: str) -> None:
    text = render(sample(name), hist=True)
    order = (
        "application",
        "─ Phases",
        "─ Histograms",
        "─ Threads",
        "─ System calls",
        "─ Verdict",
        "\nledger",
        "\ncost",
    )
    places = [text.index(word) for word in order]
    assert places == sorted(places)


def test_colour_changes_nothing_but_colour() -> None:
    report = sample("posix-aio")
    colored = render(report, color=True)
    assert "\x1b[" in colored
    assert [line.rstrip() for line in Text.from_ansi(colored).plain.splitlines()] == render(
        report
    ).splitlines()


# what is missing or odd


def test_a_report_with_no_operations() -> None:
    empty = {name: {"count": 0, "total_ns": 0} for name in ("wait", "notice", "copy", "completion")}
    text = render(
        sample(
            "blocking",
            operations=[],
            figure=None,
            phases=empty,
            threads=[],
            syscalls=[],
            expected=None,
            cost=None,
            scenario=None,
            model={"name": "none", "synchronous": None, "confidence": 0, "evidence": []},
        )
    )
    assert "No operation to draw" in text and "no phases" in text and "no system call" in text


@pytest.mark.parametrize(
    "report",
    [
        {},
        {"ledger": None, "model": None, "figure": {"steps": []}, "phases": None},
        {"phases": {"wait": None}, "figure": {"operation": 3, "steps": None}},
    ],
)
def test_an_all_but_empty_report_is_still_drawn(report: dict[str, Any]) -> None:
    text = render(report, hist=True)
    assert "NO LEDGER" in text and max(map(cell_len, text.splitlines())) <= 80


@pytest.mark.parametrize(
    ("net", "line"),
    [
        ({"rate": None, "delay": 0, "loss": 0.0}, "no limit"),
        ({"rate": 10**6, "delay": 0, "loss": 0.0}, "at most 1 Mbit a second"),
        (
            {"rate": 512_000, "delay": 5 * 10**6, "loss": 0.015},
            "at most 512 kbit a second, 5 ms later, 1.5% lost",
        ),
    ],
)
def test_a_link_stands_in_the_head(net: dict[str, Any], line: str) -> None:
    report = sample("blocking")
    assert "veth" not in render(report)
    report["options"]["net"] = net
    assert render(report).splitlines()[1] == f"through a veth link: {line}"
    report["options"]["net"] = net | {"nics": ["eth0", "eth1"]}
    assert render(report).splitlines()[1] == f"from eth1 to eth0: {line}"


def test_where_it_ran_stands_in_the_head_and_what_the_machine_is_in_whole() -> None:
    report = sample("blocking")
    report["options"] |= {"pin": [0, 1], "keep_awake": True}
    report["host"] |= {"idle_driver": "haltpoll", "idle_governor": None, "hypervisor": True}
    took = {"p50_ns": 17_000}
    report["sender"] = {
        "took": took,
        "inside": 12,
        "outside": 8,
        "until_ready": took,
        "after_ready": {"p50_ns": 5_000},
        "early": 2,
    }
    text = " ".join(render(report, verbose=False).split())
    assert "receiver on CPU 0, sender on 1; the receiver's CPU kept awake" in text
    assert "machine idles" not in text
    text = " ".join(render(report).split())
    assert "machine idles by haltpoll; a virtual machine" in text
    assert "5 µs of it follow (medians; 12 of 20 inside a send); 2 were received before" in text
    report["sender"] |= {"inside": 0, "until_ready": None, "after_ready": None, "early": 0}
    assert "sender its send takes 17 µs machine" in " ".join(render(report).split())


def test_an_interrupted_run_says_so_first() -> None:
    assert "INTERRUPTED" in render(sample("blocking", ended="interrupted")).splitlines()[2]
    failed = sample("blocking")
    failed["target"]["exit_status"] = 3
    assert "exit status 3" in render(failed).splitlines()[2]


def test_nothing_from_outside_moves_the_cursor() -> None:
    report = sample("blocking", scenario=None)
    report["target"]["command"] = ["evil\x1b[2J", "[bold]x[/bold]"]
    report["threads"][0]["name"] = "a\x1b[31m\nb"
    text = render(report)
    assert "\x1b" not in text and "[bold]x[/bold]" in text and r"a\x1b[31m\nb" in text


def test_nothing_in_the_report_is_changed() -> None:
    report, twin = sample("posix-aio"), sample("posix-aio")
    render(report, hist=True)
    assert report == twin


def test_ascii_replaces_one_for_one() -> None:
    text = render(sample("posix-aio"), hist=True)
    for line, narrow in zip(
        text.splitlines(),
        render(sample("posix-aio"), hist=True, unicode=False).splitlines(),
        strict=True,
    ):
        assert len(line) == len(narrow) and "?" not in narrow
    assert to_ascii("┃ 28 µs ►") == "# 28 us >"


def test_wider_terminals_are_used_and_narrower_ones_drawn_as_80() -> None:
    assert render(sample("blocking"), width=40) == render(sample("blocking"))
    assert max(map(cell_len, render(sample("blocking"), width=120).splitlines())) == 120


def test_tables_can_be_used_alone() -> None:
    assert tables.signals(sample("blocking")) is None
    table = tables.phases(sample("blocking"))
    assert isinstance(table, Table) and table.row_count == 4


def test_context_switches_and_memory_are_summed_up() -> None:
    report = sample("blocking")
    assert tables.together(report) == []
    report["threads"] = [
        thread | {"switches": 1000, "preemptions": 1} for thread in report["threads"] * 2
    ]
    report["expected"] |= {"anonymous_bytes": 9 << 20}
    assert squeezed(tables.together(report)) == (
        "2 threads, 2,002 context switches (2 preempted); memory of its own: 9.00 MiB"
    )


# as long as a screen


@pytest.mark.parametrize("name", NAMES)
def test_by_default_a_report_fits_a_screen_with_what_a_reader_came_for(name: str) -> None:
    text = render(sample(name), verbose=False)
    assert len(text.splitlines()) < SCREEN
    for part in ("application", "─ Phases", "─ Verdict", "\nmodel", "\nledger", "-v shows all"):
        assert part in text


def test_what_has_no_room_is_named() -> None:
    report = sample("posix-aio")
    report["syscalls"] = [
        {**report["syscalls"][0], "name": f"call_{index}"} for index in range(SCREEN)
    ]
    short, whole = (render(report, verbose=verbose) for verbose in (False, True))
    assert "call_15" in whole
    assert "call_15" not in short and len(short.splitlines()) < SCREEN
    assert "system calls" in short.splitlines()[-1] or "more, in --json" in short


def test_losses_are_loud_on_a_screen_too() -> None:
    report = sample("blocking")
    report["ledger"] |= {"lost": 7, "counted": report["ledger"]["counted"] + 7}
    assert "7 EVENTS LOST" in render(report, verbose=False)


def polling(preemptions: int) -> dict[str, Any]:
    """A thread that polls and is preempted again and again, in polls and between them."""
    trace, at = Trace(), 1000
    for _ in range(preemptions):
        trace.call("recvfrom", at, at + 10, EAGAIN).preempted(at + 12, at + 900)
        trace.preempted(at + 905, at + 1800).call("recvfrom", at + 902, at + 1900, EAGAIN)
        at += 2000
    return built(trace.ready(at).call("recvfrom", at + 10, at + 20, 64))


@pytest.mark.parametrize("preemptions", [0, 1, 2, 3, 5, 40])
def test_a_poll_that_is_preempted_again_and_again_fits_a_screen(preemptions: int) -> None:
    report = polling(preemptions)
    text = render(report, verbose=False)
    assert text.count("\n") <= SCREEN
    if preemptions > 3:
        assert re.search(r"Without a CPU \d+ (more )?times", text) and "more calls" in text
    assert "copy complete" in text and "DATA READY" in text.replace("data was there", "DATA READY")


def test_a_figure_is_shortened_before_the_verdict_goes() -> None:
    text = render(polling(40), verbose=False)
    assert "operation shows it" in text and "POSIX" in text and "ledger" in text
