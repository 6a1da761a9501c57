"""iotrace export and tracer.open: the same tables, equal to the report, read by DuckDB, Polars and pandas."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from support.running import NOBODY, ROOT, assert_one_line, iotrace

import tracer
from tracer.errors import IotraceError
from tracer.recording.parquet import RecordingError
from tracer.tables.files import export
from tracer.tables.schema import TABLES

DATA = ROOT / "tests" / "data"
RUNS = [DATA / "signal.parquet", DATA / "posix-aio-thread.parquet"]
SLOW = "select max(took_ns) from '{}/calls/*/*/*.parquet' where name = 'recvfrom'"


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("tables") / "tables"
    done = iotrace("export", *RUNS, "-o", place)
    assert done.returncode == 0 and not done.stderr and not done.stdout
    return place


@pytest.fixture(scope="module")
def opened() -> list[Any]:
    return [tracer.open(path) for path in RUNS]


def test_the_files_are_what_open_gives(exported: Path, opened: list[Any]) -> None:
    files = sorted(path for path in exported.rglob("*") if path.is_file())
    assert len(files) == len(TABLES) * len(RUNS)
    assert {path.parts[-4] for path in files} == TABLES.keys()
    for path, run in zip(RUNS, opened, strict=True):
        host = f"host={run.facts['host']['kernel']}"
        for name, table in run.tables.items():
            file = exported / name / host / f"run={path.stem}" / "part-0.parquet"
            with pq.ParquetFile(file) as written:
                assert written.read().equals(table, check_metadata=True)
                assert table.num_rows > 0
                assert table.schema.names == [*TABLES[name]]


def test_the_tables_are_the_reports(opened: list[Any]) -> None:
    for run in opened:
        report = run.report
        operations = run.operations.to_pylist()
        assert len(operations) == len(report["operations"]) > 0
        for row, its in zip(operations, report["operations"], strict=True):
            assert {key: row[key] for key in row.keys() & its.keys()} == {
                key: its[key] for key in row.keys() & its.keys()
            }
            took = [row[f"{name}_took_ns"] for name in ("wait", "notice", "copy", "completion")]
            assert sum(took) == its["done_ns"] - its["ask_ns"]
        for name in ("threads", "descriptors"):
            said = [{key: its[key] for key in TABLES[name]} for its in report[name]]
            assert getattr(run, name).to_pylist() == said
        calls = [call for call in run.calls.to_pylist() if call["in_window"]]
        for its in report["syscalls"]:
            mine = [call for call in calls if call["name"] == its["name"]]
            if not its.get("library"):
                assert len(mine) == its["calls"]
                assert sum(call["took_ns"] for call in mine) == its["total_ns"]
        signals = [its for its in run.signals.to_pylist() if its["in_window"]]
        for its in report["signals"]:
            of_it = [row["event"] for row in signals if row["name"] == its["name"]]
            assert of_it.count("generated") == its["generated"]


def test_the_figure_shows_itself(opened: list[Any]) -> None:
    figure = opened[0].figure
    assert figure._repr_svg_().startswith("<svg") and figure._repr_svg_() in figure._repr_html_()
    assert str(figure) == figure._repr_svg_() and opened[0]._repr_html_() == figure._repr_html_()


def slowest(opened: list[Any]) -> int:
    calls = [call for run in opened for call in run.calls.to_pylist()]
    return max(call["took_ns"] or 0 for call in calls if call["name"] == "recvfrom")


def test_duckdb_reads_them(exported: Path, opened: list[Any]) -> None:
    duckdb = pytest.importorskip("duckdb", reason="DuckDB is not installed")
    assert duckdb.sql(SLOW.format(exported)).fetchall() == [(slowest(opened),)]
    runs = duckdb.sql(f"select distinct run from '{exported}/threads/*/*/*.parquet'").fetchall()
    assert {run for (run,) in runs} == {path.stem for path in RUNS}


def test_polars_reads_them(exported: Path, opened: list[Any]) -> None:
    polars = pytest.importorskip("polars", reason="Polars is not installed")
    calls = polars.scan_parquet(exported / "calls", hive_partitioning=True)
    received = calls.filter(polars.col("name") == "recvfrom").collect()
    assert received["took_ns"].max() == slowest(opened)


def test_pandas_reads_them(exported: Path, opened: list[Any]) -> None:
    pandas = pytest.importorskip("pandas", reason="pandas is not installed")
    calls = pandas.read_parquet(exported / "calls")
    assert calls[calls.name == "recvfrom"].took_ns.max() == slowest(opened)
    assert {*calls.run} == {path.stem for path in RUNS}


def test_what_is_no_recording_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    foreign = tmp_path / "foreign.parquet"
    foreign.write_bytes(RUNS[0].read_bytes()[:-200])
    wrong = [([RUNS[0], foreign], 1), ([tmp_path / "none"], 1), ([RUNS[0], RUNS[0]], 2)]
    for paths, status in wrong:
        with pytest.raises(IotraceError) as refused:
            export([*map(str, paths)], str(tmp_path / "tables"))
        assert refused.value.status == status
        assert [*tmp_path.iterdir()] == [foreign]
    done = iotrace("export", RUNS[0], foreign, "-o", tmp_path / "tables")
    assert_one_line(done, 1, "foreign.parquet")
    assert [*tmp_path.iterdir()] == [foreign]
    with pytest.raises(RecordingError, match="foreign"):
        tracer.open(foreign)


def test_runs_of_one_name_have_places_of_their_own(tmp_path: Path) -> None:
    for day in ("monday", "tuesday"):
        (tmp_path / day).mkdir()
        shutil.copy(DATA / "blocking-c.parquet", tmp_path / day / "run.parquet")
    paths = [tmp_path / "monday" / "run.parquet", tmp_path / "tuesday" / "run.parquet"]
    assert export([*map(str, paths)], str(tmp_path / "t")) == 2 * len(TABLES)
    runs = {path.name for path in (tmp_path / "t" / "calls").glob("*/*")}
    assert runs == {"run=monday-run", "run=tuesday-run"}


def test_the_documentation_has_every_column() -> None:
    text = (ROOT / "docs" / "export.md").read_text()
    for name, columns in TABLES.items():
        _, _, section = text.partition(f"### {name}\n")
        section = section.partition("\n### ")[0]
        assert [f"| `{key}` | {kind} | {says} |" for key, (kind, says) in columns.items()] == [
            line for line in section.splitlines() if line.startswith("| `")
        ]


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, which sudo gives")
def test_under_sudo_the_files_are_the_users_and_nothing_else_can_be_written(tmp_path: Path) -> None:
    under_sudo = {"SUDO_UID": str(NOBODY), "SUDO_GID": str(NOBODY)}
    for place in (tmp_path, *tmp_path.parents[:2]):
        place.chmod(0o755)
    recording, mine, others = (tmp_path / name for name in ("r.parquet", "mine", "others"))
    shutil.copy(DATA / "blocking-c.parquet", recording)
    mine.mkdir()
    os.chown(mine, NOBODY, NOBODY)
    assert iotrace("export", recording, "-o", mine, env=under_sudo).returncode == 0
    files = [path for path in mine.rglob("*") if path.is_file()]
    assert len(files) == len(TABLES)
    assert all(path.stat().st_uid == NOBODY for path in files)
    others.mkdir(mode=0o755)
    assert_one_line(iotrace("export", recording, "-o", others, env=under_sudo), 1, "others")
    assert not any(others.iterdir())
