"""Real runs, recorded by tests/data/make.sh, analysed and drawn again: needs neither root nor BCC."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.cells import cell_len
from support.analysing import batches
from support.running import (
    BOUNDARIES,
    assert_one_line,
    check_closed_loop,
    iotrace,
    runner,
)

from scenarios import find
from tracer.cli.main import main
from tracer.kernel import syscalls
from tracer.output.terminal.report import render
from tracer.recording import parquet
from tracer.recording.batch import Read, RecordBatch
from tracer.recording.records import Kind
from tracer.report import build

DATA = Path(__file__).parents[1] / "data"
PATHS = sorted(DATA.glob("*.parquet"))
MESSAGES = 5
every = pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)


def stem(path: Path) -> str:
    """The scenario that a recording's name says: NAME, NAME-tcp, NAME-c."""
    return path.stem.removesuffix("-tcp").removesuffix("-c")


def built(path: Path) -> dict[str, Any]:
    return whole(build.build(partial(parquet.columns, str(path)), parquet.read_facts(str(path))))


def whole(its: dict[str, Any]) -> dict[str, Any]:
    """A report with its operations as a list."""
    return its | {"operations": list(its["operations"])}


def reader(records: np.ndarray, parts: int = 1) -> Read:
    """RECORD[n] to be read as `parts` batches."""

    def read(since: int | None = None, until: int | None = None) -> Iterator[RecordBatch]:
        inside = (records["time"] >= (since or 0)) & (records["time"] <= (until or 1 << 62))
        return batches(records[inside], parts)

    return read


def test_every_scenario_is_there() -> None:
    assert {path.stem for path in PATHS} >= {
        "blocking",
        "nonblocking",
        "select",
        "poll",
        "epoll-lt",
        "signal",
        "posix-aio",
        "blocking-tcp",
        "signal-c",
        "posix-aio-c",
    }
    assert all(path.stat().st_size < 60_000 for path in PATHS)


@every
def test_the_program_did_what_was_seen(path: Path) -> None:
    its = built(path)
    check_closed_loop(its, stem(path), MESSAGES)
    assert its["options"]["proto"] == (
        "tcp" if path.stem.endswith("-tcp") else "file" if path.stem == "linux-aio" else "udp"
    )
    assert its["options"].get("lang") == (
        "c" if path.stem.endswith("-c") else its["options"].get("lang")
    )


@every
def test_phases_of_an_operation_sum_to_its_time(path: Path) -> None:
    its = built(path)
    for op in its["operations"]:
        ask, ready, _, copy_start, copy_end, done = (op[name] for name in BOUNDARIES)
        assert (ready - ask) + (copy_start - ready) + (copy_end - copy_start) + (
            done - copy_end
        ) == done - ask
        assert (done > copy_end) == find(its["scenario"]).completes


@every
def test_the_figure_lies_in_its_operation(path: Path) -> None:
    its = built(path)
    op = its["operations"][its["figure"]["operation"]]
    assert [step["kind"] for step in its["figure"]["steps"]].count("copy") == 1
    for step in its["figure"]["steps"]:
        if step["kind"] == "send":  # another program's: it may have begun before, and return after
            assert step["exit_ns"] > op["ask_ns"] and step["enter_ns"] < op["done_ns"]
            continue
        for name in ("enter_ns", "exit_ns", "at_ns", "end_ns", "delivered_ns"):
            if step.get(name) is not None:
                assert op["ask_ns"] <= step[name] <= op["done_ns"], step


@every
@pytest.mark.parametrize("hist", [False, True])
@pytest.mark.parametrize("unicode", [False, True])
def test_every_line_fits_in_80_columns(path: Path, hist: bool, unicode: bool) -> None:
    text = render(built(path), width=80, hist=hist, unicode=unicode, color=False)
    assert max(map(cell_len, text.splitlines())) <= 80
    assert unicode or text.isascii()
    assert "\x1b" not in text


@every
def test_batches_change_nothing(path: Path) -> None:
    facts = parquet.read_facts(str(path))
    records = np.concatenate(list(parquet.read(str(path))))
    once = whole(build.build(reader(records), facts))
    for parts in (2, 7, 50):
        assert whole(build.build(reader(records, parts), facts)) == once


@every
def test_verdict_does_not_come_from_the_scenarios_name(path: Path) -> None:
    facts = parquet.read_facts(str(path))
    facts.update(scenario=None, notes=None, sender=None, untraced=None, event_cost_ns=None)
    its = whole(build.build(partial(parquet.columns, str(path)), facts))
    assert its["scenario"] is None and its["expected"] is None and its["cost"] is None
    assert its["model"]["name"] == find(stem(path)).model
    render(its, width=80, hist=True, unicode=True, color=False)


@every
def test_only_the_targets_threads_are_in_it(path: Path) -> None:
    records = np.concatenate(list(parquet.read(str(path))))
    born = records["tid"][np.isin(records["kind"], (Kind.START, Kind.THREAD))]
    strangers = np.isin(records["kind"], (Kind.READY, Kind.WAKER))  # whose data it was, who woke
    assert set(records["tid"][~strangers]) <= set(born)
    assert (np.diff(records["time"]) >= 0).all()


@every
def test_calls_are_those_of_the_model(path: Path) -> None:
    name = stem(path)
    its = built(path)
    calls = {
        syscalls.class_of(step["name"]) for step in its["figure"]["steps"] if step["kind"] == "call"
    }
    wanted = {
        "select": {"select"},
        "poll": {"poll"},
        "epoll-lt": {"epoll_wait"},
        "posix-aio": {"read"},
        "io-uring": {"io_uring_enter"},
        "linux-aio": {"io_submit"},
    }
    assert wanted.get(find(name).model, set()) <= calls or name == "linux-aio-poll"
    assert find(name).model in ("posix-aio", "io-uring", "linux-aio") or "recvfrom" in calls


# the command


@pytest.fixture
def nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """No root and no BCC."""
    monkeypatch.setitem(sys.modules, "bcc", None)
    monkeypatch.setattr(os, "geteuid", lambda: 65534)


@every
def test_report_needs_neither_root_nor_bcc(path: Path, nobody: None) -> None:
    done = runner().invoke(main, ["report", str(path)])
    assert done.exit_code == 0, done.output
    assert stem(path) in done.stdout and done.stderr == ""
    done = runner().invoke(main, ["report", str(path), "--json", "--strict"])
    assert done.exit_code == 0 and done.stderr == ""
    assert json.loads(done.stdout) == json.loads(json.dumps(built(path)))


def test_report_from_a_file_that_cannot_be_written(tmp_path: Path) -> None:
    path = tmp_path / "run.parquet"
    path.write_bytes(PATHS[0].read_bytes())
    path.chmod(0o444)
    assert iotrace("report", path, "--json").returncode == 0
    assert os.listdir(tmp_path) == ["run.parquet"]


@pytest.mark.parametrize("options", [(), ("--json",), ("--hist", "--ascii")])
def test_lost_events_are_status_4_under_strict_only(
    options: tuple[str, ...], tmp_path: Path
) -> None:
    path = tmp_path / "run"
    writer = parquet.Writer(str(path))
    for batch in parquet.read(str(PATHS[0])):
        writer.write(RecordBatch.of(batch))
    facts = parquet.read_facts(str(PATHS[0]))
    facts["ledger"] |= {"counted": facts["ledger"]["counted"] + 7, "lost": 7}
    writer.close(facts)
    assert iotrace("report", path, *options).returncode == 0
    strict = iotrace("report", path, "--strict", *options)
    assert strict.returncode == 4 and strict.stderr.splitlines() == ["iotrace: 7 events were lost"]
    assert strict.stdout == iotrace("report", path, *options).stdout


def test_report_of_a_broken_recording(tmp_path: Path) -> None:
    whole = PATHS[0].read_bytes()
    for name, content in {
        "short": whole[:-100],
        "text": b"hello\n",
        "empty": b"",
        "holed": whole[:5000] + bytes(9000) + whole[14000:],
    }.items():
        (tmp_path / name).write_bytes(content)
        assert_one_line(iotrace("report", tmp_path / name), 1, str(tmp_path / name))
    assert_one_line(iotrace("report", tmp_path / "none"), 1, "no such file")
    assert_one_line(iotrace("report", tmp_path), 1, str(tmp_path))


def test_a_time_is_read_without_the_rest() -> None:
    path = str(PATHS[0])
    records = np.concatenate(list(parquet.read(path)))
    since, until = (int(time) for time in np.quantile(records["time"], (0.4, 0.6)))
    part = np.concatenate([batch.records() for batch in parquet.columns(path, since, until)])
    assert (
        np.array_equal(part, records[(records["time"] >= since) & (records["time"] <= until)])
        and len(part) > 0
    )


@pytest.mark.parametrize(("name", "inside"), [("signal", False), ("signal-c", True)])
def test_figure_shows_whether_the_handler_itself_receives(name: str, inside: bool) -> None:
    """In C it does, and ends afterwards; CPython's ends first, and the Python handler runs later."""
    steps = built(DATA / f"{name}.parquet")["figure"]["steps"]
    told = next(step["delivered_ns"] for step in steps if step["kind"] == "signal")
    receives = next(
        step["enter_ns"] for step in steps if step["kind"] == "call" and step["brings_data"]
    )
    between = [
        step for step in steps if step["kind"] == "handler_end" and told < step["at_ns"] < receives
    ]
    assert len(between) == (0 if inside else 1)
    assert any(step["kind"] == "handler_end" for step in steps)
