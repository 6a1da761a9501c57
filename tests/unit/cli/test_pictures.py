"""`iotrace report` with --svg, --html and --slowest: files beside what stdout shows, and parts made on request."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest
from support.running import ROOT, iotrace

RECORDING = str(ROOT / "tests" / "data" / "blocking.parquet")
ON_REQUEST = {"slowest", "states_over_time", "operations_over_time", "kernel_events"}


def test_picture_and_page_stand_beside_the_report(tmp_path: Path) -> None:
    picture, page = tmp_path / "a.svg", tmp_path / "a.html"
    done = iotrace("report", RECORDING, "--json", "--svg", str(picture), "--html", str(page))
    assert done.returncode == 0 and not done.stderr
    assert ElementTree.parse(picture).getroot().tag.endswith("svg")
    assert page.read_text().startswith("<!DOCTYPE html>")
    assert not ON_REQUEST & json.loads(done.stdout).keys(), "the page asked for them, JSON did not"
    assert {path.name for path in tmp_path.iterdir()} == {"a.svg", "a.html"}


def test_the_slowest_in_json_and_in_text() -> None:
    told = json.loads(iotrace("report", RECORDING, "--slowest", "2", "--json").stdout)
    times = [op["done_ns"] - op["ask_ns"] for op in told["operations"]]
    assert [sum(slow["phases"].values()) for slow in told["slowest"]] == sorted(times)[:-3:-1]
    assert all(
        set(reason) == {"what", "who", "ns", "text"} for reason in told["slowest"][0]["reasons"]
    )
    text = iotrace("report", RECORDING, "--slowest", "2").stdout
    for slow in told["slowest"]:
        assert f"#{slow['index']} " in text
    assert "no data had come: the thread slept in recvfrom" in " ".join(text.split())
    assert max(map(len, text.splitlines())) <= 80
    assert "Slowest" not in iotrace("report", RECORDING).stdout


@pytest.mark.parametrize(
    "wrong", [("--slowest", "0"), ("--slowest", "x"), ("--slowest", "3", "--events")]
)
def test_what_makes_no_sense_is_said_in_one_line(wrong: tuple[str, ...]) -> None:
    done = iotrace("report", RECORDING, *wrong)
    assert done.returncode == 2 and done.stderr.count("\n") == 1 and not done.stdout


def test_a_listing_has_neither_picture_nor_page(tmp_path: Path) -> None:
    for flag in ("--svg", "--html"):
        done = iotrace("report", RECORDING, "--events", flag, str(tmp_path / "x"))
        assert done.returncode == 2 and not any(tmp_path.iterdir())
