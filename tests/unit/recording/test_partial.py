"""tracer/recording/partial.py: a stream that is cut anywhere is reported up to there, and says so (damage:
tests/recordings/test_damaged.py)."""

from __future__ import annotations

import os

import numpy as np
import pytest
from support.recordings import FACTS

from tracer.recording import parquet, partial
from tracer.recording.batch import RecordBatch, joined
from tracer.recording.parquet import RecordingError
from tracer.recording.records import RECORD, Kind

BEGUN = {
    key: FACTS[key] for key in ("version", "host", "features", "scenario", "options", "target")
}


def batch(first: int, count: int, kind: Kind = Kind.CALL) -> RecordBatch:
    """Records with the times first, first + 1 …"""
    records = np.zeros(count, RECORD)
    records["time"] = records["start"] = np.arange(first, first + count)
    records["kind"], records["tid"] = kind, 7
    return RecordBatch.of(records)


def streamed(path, *batches: RecordBatch) -> partial.Writer:
    writer = partial.Writer(f"{path}.partial", str(path), None)
    writer.begin(BEGUN)
    for records in batches:
        writer.write(records)
    return writer


def recovered(path) -> tuple[dict, np.ndarray]:
    """What partial.whole() has a child of it make, by this process."""
    made = f"{path}.made"
    partial.recover(str(path), made)
    return parquet.read_facts(made), joined(list(parquet.columns(made))).records()


def test_the_recording_holds_what_was_written_and_its_own_facts(tmp_path):
    batches = [batch(100, 1, Kind.START), batch(101, 300_000), batch(300_101, 5)]
    writer = streamed(tmp_path / "run", *batches)
    writer.close(FACTS | {"base_ns": 100})
    facts = parquet.read_facts(str(tmp_path / "run"))
    assert (facts["ended"], facts["rows"], facts["checked"]) == ("completed", 300_006, True)
    held = joined(list(parquet.columns(str(tmp_path / "run"))))
    assert (held.records() == joined(batches).records()).all()


def test_nothing_written_is_a_recording_without_rows(tmp_path):
    streamed(tmp_path / "run").close(FACTS)
    assert parquet.read_facts(str(tmp_path / "run"))["rows"] == 0
    assert not (tmp_path / "run.partial").exists()


def test_a_stream_cut_anywhere_gives_whole_batches_and_no_ledger(tmp_path):
    batches = [batch(100 * i, 100, Kind.START if not i else Kind.CALL) for i in range(1, 6)]
    streamed(
        tmp_path / "run", *batches
    )  # neither closed nor abandoned, as where its process was killed
    stream = tmp_path / "run.partial"
    raw, seen = stream.read_bytes(), set()
    for length in [*range(4, len(raw), 61), len(raw)]:
        stream.write_bytes(raw[:length])
        try:
            facts, records = recovered(stream)
        except RecordingError as error:
            assert "\n" not in str(error)
            seen.add(0)
            continue
        assert records["time"].tolist() == list(range(100, 100 + len(records)))
        assert len(records) % 100 == 0
        assert (facts["ended"], facts["base_ns"]) == ("cut short", 100)
        assert facts["end_ns"] == records["time"][-1]
        assert (facts["ledger"]["delivered"], facts["ledger"]["counted"]) == (len(records), None)
        seen.add(len(records))
    assert seen == {0, 100, 200, 300, 400, 500}


def test_a_command_begins_where_its_program_is_executed(tmp_path):
    executed = batch(150, 1, Kind.EXEC)
    streamed(tmp_path / "run", batch(100, 1, Kind.START), batch(101, 49), executed, batch(151, 9))
    facts, _ = recovered(tmp_path / "run.partial")
    assert facts["base_ns"] == 150


def test_an_earlier_stream_and_a_link_are_replaced_and_a_directory_is_not(tmp_path):
    other = tmp_path / "other"
    other.write_text("not ours")
    (tmp_path / "run.partial").symlink_to(other)
    streamed(tmp_path / "run", batch(1, 5)).abandon()
    assert other.read_text() == "not ours"
    assert os.stat(tmp_path / "run.partial").st_mode & 0o7777 == 0o600
    os.unlink(tmp_path / "run.partial")
    os.mkdir(tmp_path / "run.partial")
    with pytest.raises(OSError, match=r"run\.partial"):
        streamed(tmp_path / "run", batch(1, 5))


def test_what_failed_is_not_kept_but_for_a_disk_that_is_full(tmp_path):
    for failure, stays in ((RuntimeError(), False), (OSError(28, "no space"), True)):
        with pytest.raises(type(failure)), streamed(tmp_path / "run", batch(1, 5)):
            raise failure
        assert (tmp_path / "run.partial").exists() == stays


def test_two_runs_to_one_file_make_each_its_own_recording(tmp_path):
    first = streamed(tmp_path / "run", batch(1, 5))
    second = streamed(tmp_path / "run", batch(100, 7))  # whose stream has the name now
    first.close(FACTS)
    assert joined(list(parquet.columns(str(tmp_path / "run")))).time.tolist() == [1, 2, 3, 4, 5]
    second.close(FACTS)
    assert joined(list(parquet.columns(str(tmp_path / "run")))).time.tolist() == [*range(100, 107)]
