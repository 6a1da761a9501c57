"""Numbers and histograms as text, without a report and without a kernel."""

from __future__ import annotations

import pytest
from rich.cells import cell_len

from tracer.output.terminal.histogram import log2
from tracer.output.terminal.lines import fit
from tracer.output.units import duration, share, size, stacked

US, MS = 1_000, 1_000_000


@pytest.mark.parametrize(
    "ns, text",
    [
        (0, "0 ns"),
        (999, "999 ns"),
        (1_000, "1 µs"),
        (28 * US, "28 µs"),
        (8_020, "8.02 µs"),
        (10_900 * US, "10.9 ms"),
        (999_600, "1 ms"),
        (999_499, "999 µs"),
        (1_230 * MS, "1.23 s"),
        (100_000 * MS, "100 s"),
        (1_234_567 * MS, "1,235 s"),
        (None, "–"),
        (-28 * US, "−28 µs"),
        (99_960, "100 µs"),
    ],
)
def test_durations_have_three_digits(ns: int | None, text: str) -> None:
    assert duration(ns) == text


def test_fixed_durations_keep_their_zeros_and_stay_narrow() -> None:
    assert duration(28 * US, fixed=True) == "28.0 µs"
    assert max(len(duration(3**power, fixed=True)) for power in range(25)) <= 7


def test_small_shares_are_not_shown_as_nothing() -> None:
    assert (share(1, 100_000), share(0, 10), share(1, 1), share(1, 0)) == (
        "<0.1%",
        "0.0%",
        "100%",
        "–",
    )


def test_a_bar_keeps_a_cell_for_what_is_small_and_its_width() -> None:
    bar = stacked([214_000, 1, 1, 1], "abcd", 16)
    assert sum(map(len, bar)) == 16 and all(bar)
    assert stacked([0, 0], "ab", 16) == ["", ""]
    assert stacked([1, 0, 0, 0], "abcd", 16) == ["a" * 16, "", "", ""]


def test_wide_characters_are_cut_by_cells() -> None:
    assert cell_len(fit("数据数据数据", 7)) == 7


def test_histogram_is_bccs() -> None:
    text = "\n".join(line.plain for line in log2({"0": 1, "1": 1, "4": 4, "16": 1}))
    lines = text.splitlines()
    assert lines[0].split() == ["nsecs", ":", "count", "distribution"]
    assert (
        lines[1].split("|")[0].split() == ["0", "->", "1", ":", "2"] and lines[1].count("*") == 20
    )
    assert (
        lines[2].split("|")[0].split() == ["2", "->", "3", ":", "0"] and lines[3].count("*") == 40
    )
    assert len(lines) == 6 and len({len(line) for line in lines[1:]}) == 1
    assert log2({}) == [] and log2(None) == []
    assert max(line.cell_len for line in log2({str(2**60): 10**12})) <= 80


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (None, "–"),
        (0, "0 B"),
        (999, "999 B"),
        (1000, "0.977 KiB"),
        (1 << 20, "1.00 MiB"),
        (9_500_000, "9.06 MiB"),
        (1 << 45, "32.0 TiB"),
    ],
)
def test_bytes_in_binary_units(count: int | None, text: str) -> None:
    assert size(count) == text
