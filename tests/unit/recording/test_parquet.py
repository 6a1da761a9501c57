"""tracer/recording/parquet.py: what is written comes back, others can read it, a bad file is refused in one line."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.recordings import write_recording

from tracer.cli.files import check_writable
from tracer.kernel import syscalls
from tracer.recording import facts as facts_of
from tracer.recording import parquet
from tracer.recording.batch import RecordBatch
from tracer.recording.fields import PROCESS_COLUMNS, THREAD_COLUMNS
from tracer.recording.parquet import RecordingError, Writer, read, read_facts
from tracer.recording.records import RECORD, Kind


def some_records(count: int, seed: int = 1) -> np.ndarray:
    """Every field from its whole range; but times are in order and not below 0, and IDs are such."""
    rng = np.random.default_rng(seed)
    records = np.zeros(count, RECORD)
    for name in RECORD.names or ():
        limits = np.iinfo(RECORD[name])
        records[name] = rng.integers(limits.min, limits.max, count, RECORD[name], endpoint=True)
    records["kind"] = rng.choice([kind.value for kind in Kind], count)
    records["tid"] >>= 11
    for columns in (THREAD_COLUMNS, PROCESS_COLUMNS):
        for name, kinds in columns.items():
            rows = np.isin(records["kind"], kinds)
            records[name][rows] = rng.integers(0, 1 << 22, int(rows.sum()))
    records["nr"] = rng.choice([0, 45, 7, 441, 600, 0x8003], count)
    records["time"] &= 2**62 - 1
    records["time"].sort()
    calls = np.isin(records["kind"], (Kind.CALL, Kind.OPEN))
    records["start"][calls] = records["time"][calls] // 2
    records["result"][calls] &= 0x7FFF
    return records


def write(path: Any, batches: Any, **facts: Any) -> None:
    write_recording(path, *batches, **{"base_ns": 1} | facts)


def contents(path: Any) -> np.ndarray:
    return np.concatenate([np.empty(0, RECORD), *read(str(path))])


@settings(
    max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
@given(st.integers(0, 2**32 - 1), st.lists(st.integers(0, 200), max_size=5))
def test_records_come_back_as_they_were(tmp_path: Path, seed: Any, lengths: Any) -> None:
    records = some_records(sum(lengths), seed)
    path = tmp_path / "run.parquet"
    write(path, np.split(records, np.cumsum(lengths)[:-1]) if lengths else [])
    assert np.array_equal(contents(path), records)


def test_more_than_a_row_group_comes_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet, "ROWS", 100)
    records = some_records(1050)
    write(tmp_path / "run", np.split(records, 21))
    assert np.array_equal(contents(tmp_path / "run"), records)
    assert pq.ParquetFile(tmp_path / "run").num_row_groups > 1
    assert len(list(read(str(tmp_path / "run")))) > 1


def test_batches_out_of_order_are_read_in_order(tmp_path: Path) -> None:
    early, late = np.split(some_records(100), 2)
    write(tmp_path / "run", [late, early])
    assert read_facts(str(tmp_path / "run"))["ordered"] is False
    assert np.array_equal(contents(tmp_path / "run"), np.concatenate([early, late]))


def test_facts_come_back(tmp_path: Path) -> None:
    facts = {
        "base_ns": 2**62,
        "more": 'für "alle"',
        "deep": {"list": [1, None, True], "empty": {}},
    }
    write(tmp_path / "run", [some_records(3)], **facts)
    found = read_facts(str(tmp_path / "run"))
    assert {key: found[key] for key in facts} == facts
    assert found["schema"] == facts_of.SCHEMA and found["ordered"] is True
    assert found["rows"] == 3 and found["checked"] is True


def test_names_by_thread_are_facts_like_others(tmp_path: Path) -> None:
    """As text 10000 stands before 9999."""
    write(tmp_path / "run", [some_records(3)], comms={9999: "one", 10000: "two"})
    assert read_facts(str(tmp_path / "run"))["comms"] == {"9999": "one", "10000": "two"}


def test_a_number_that_does_not_fit_has_its_name_too(tmp_path: Path) -> None:
    records = np.zeros(6, RECORD)
    records["time"], records["kind"] = np.arange(6), Kind.CALL
    records["kind"][4:] = Kind.UNENTERED, Kind.READY
    for row, (number, compat) in enumerate(
        [(0x1002D, False), (45, False), (0x8003, True), (0x1002D, False), (0x4000002D, False)]
    ):
        records["nr"][row], records["arg"][row] = syscalls.coded(number, compat)
    records["nr"][5], records["arg"][5] = syscalls.WHOLE, 1
    write(tmp_path / "run", [records])
    assert pq.read_table(tmp_path / "run")["call"].to_pylist() == [
        "syscall_0x1002d",
        "recvfrom",
        "i386:0x8003",
        "syscall_0x1002d",
        "x32:45",
        None,
    ]
    assert read_facts(str(tmp_path / "run"))["rows"] == 6


def test_other_tools_read_names_not_numbers(tmp_path: Path) -> None:
    records = np.zeros(4, RECORD)
    records["time"] = [1, 2, 3, 4]
    records["kind"] = [Kind.CALL, Kind.SWITCH_OUT, Kind.CALL, Kind.READY]
    records["nr"] = [syscalls.numbers()["recvfrom"], 1, 0x8003, 0]
    write(tmp_path / "run", [records])
    table = pq.read_table(tmp_path / "run")
    assert table.column_names == [
        "time_ns",
        "start_ns",
        "result",
        "tid",
        "kind",
        "call",
        "nr",
        "fd",
        "arg",
    ]
    assert table["kind"].to_pylist() == ["call", "switch_out", "call", "ready"]
    assert table["call"].to_pylist() == ["recvfrom", None, "i386:3", None]
    assert (
        json.loads(
            table.schema.metadata[b"iotrace"]
            if b"iotrace" in (table.schema.metadata or {})
            else pq.read_metadata(tmp_path / "run").metadata[b"iotrace"]
        )["base_ns"]
        == 1
    )


# files that are not what they should be


def refused(path: Any, *words: str) -> None:
    for function in (read_facts, contents):
        with pytest.raises(RecordingError) as caught:
            function(str(path))
        text = str(caught.value)
        assert "\n" not in text and text.startswith(str(path))
        for word in words:
            assert word in text


def test_missing_file(tmp_path: Path) -> None:
    refused(tmp_path / "none", "no such file")


def test_directory(tmp_path: Path) -> None:
    refused(tmp_path)


@pytest.mark.parametrize(
    "content", [b"", b"PAR1", b"hello, world\n", b"PAR1" + bytes(1000) + b"PAR1"]
)
def test_file_that_is_no_parquet(tmp_path: Path, content: Any) -> None:
    (tmp_path / "run").write_bytes(content)
    refused(tmp_path / "run")


def test_parquet_of_somebody_else(tmp_path: Path) -> None:
    pq.write_table(pa.table({"a": [1, 2]}), tmp_path / "run")
    refused(tmp_path / "run", "not a recording of iotrace")


def test_recording_of_a_newer_iotrace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(facts_of, "SCHEMA", facts_of.SCHEMA + 1)
    write(tmp_path / "run", [some_records(3)])
    monkeypatch.undo()
    refused(tmp_path / "run", "newer", str(facts_of.SCHEMA + 1))


def test_recording_cut_short_anywhere(tmp_path: Path) -> None:
    write(tmp_path / "whole", [some_records(500)])
    whole = (tmp_path / "whole").read_bytes()
    for length in [*range(0, len(whole), max(1, len(whole) // 50)), len(whole) - 1]:
        (tmp_path / "run").write_bytes(whole[:length])
        refused(tmp_path / "run")


def test_recording_with_overwritten_bytes_is_refused_or_read(tmp_path: Path) -> None:
    write(tmp_path / "whole", [some_records(500)])
    whole = (tmp_path / "whole").read_bytes()
    rng = np.random.default_rng(5)
    for at in rng.integers(0, len(whole) - 8, 200).tolist():
        broken = bytearray(whole)
        broken[at : at + 8] = rng.bytes(8)
        (tmp_path / "run").write_bytes(broken)
        try:
            contents(tmp_path / "run")
        except RecordingError as error:
            assert "\n" not in str(error)


def test_facts_that_are_no_json(tmp_path: Path) -> None:
    schema = pa.schema([("a", pa.int64())], metadata={b"iotrace": b"{not json"})
    pq.write_table(pa.table({"a": [1]}, schema=schema), tmp_path / "run")
    refused(tmp_path / "run")


def test_recording_without_its_columns(tmp_path: Path) -> None:
    schema = pa.schema(
        [("a", pa.int64())], metadata={b"iotrace": b'{"schema": 1, "ordered": true}'}
    )
    pq.write_table(pa.table({"a": [1]}, schema=schema), tmp_path / "run")
    with pytest.raises(RecordingError, match="damaged"):
        contents(tmp_path / "run")


def test_abandoned_recording_is_refused(tmp_path: Path) -> None:
    writer = Writer(str(tmp_path / "run"))
    writer.write(RecordBatch.of(some_records(3)))
    writer.abandon()
    refused(tmp_path / "run")


# before the run


def test_nobody_else_may_read_what_is_written_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        writer = Writer(str(tmp_path / "run"))
        assert (tmp_path / "run").stat().st_mode & 0o777 == 0o600
        writer.abandon()
    finally:
        os.umask(before)


def test_writable_place_is_left_as_it_was(tmp_path: Path) -> None:
    assert check_writable(str(tmp_path / "new")) is None
    assert os.listdir(tmp_path) == []
    (tmp_path / "old").write_bytes(b"content")
    assert check_writable(str(tmp_path / "old")) is None
    assert (tmp_path / "old").read_bytes() == b"content"


def test_places_that_cannot_be_written(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "none" / "run", "/proc/run.parquet"):
        problem = check_writable(str(path))
        assert problem and problem.startswith(str(path)) and "\n" not in problem


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_read_only_directory_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(stat.S_IRUSR | stat.S_IXUSR)
    assert "Permission denied" in (check_writable(str(tmp_path / "run")) or "")
