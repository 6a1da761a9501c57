"""tracer/lab/left_files.py, lab.py: what a machine leaves is taken under names of ours, and lands nowhere else."""

from __future__ import annotations

import io
import tarfile

from tracer.cli import lab as commands_lab
from tracer.lab import (
    lab,
    left_files,
)


def test_probes_that_a_machine_compiled_are_kept_as_its_own_cache_has_them(tmp_path):
    def brought(**files: bytes) -> bytes:
        archive = io.BytesIO()
        with tarfile.open(fileobj=archive, mode="w") as tar:
            for name, data in files.items():
                member = tarfile.TarInfo(
                    f"./../{name}.json"
                )  # whatever a machine says, nothing lands elsewhere
                member.size = len(data)
                tar.addfile(member, io.BytesIO(data))
        return archive.getvalue()

    cache = tmp_path / "kernel"
    lab._keep_compiled(b"", cache)  # it compiled nothing
    assert not cache.exists()
    lab._keep_compiled(brought(old=b"1", kept=b"2"), cache)
    lab._keep_compiled(brought(kept=b"2", new=b"3"), cache)
    assert {path.name: path.read_bytes() for path in tmp_path.rglob("*.json")} == {
        "kept.json": b"2",
        "new.json": b"3",
    }
    lab._keep_compiled(brought(new=b"4")[:600], cache)  # a machine that ended in the middle
    assert {path.name for path in cache.iterdir()} <= {"kept.json", "new.json"}


def test_what_a_machine_left_is_taken_under_its_jobs_number_alone():
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        for name in (
            "0/report.json",
            "x/report.json",
            "/etc/passwd",
            "../1/a",
            "report.json",
            "1/\udcff",
        ):
            tar.addfile(tarfile.TarInfo(name), io.BytesIO())
    archive.seek(0)
    assert left_files.by_job(archive) == {0: {"report.json": b""}, 1: {"\udcff": b""}}


def test_what_is_kept_takes_the_place_of_a_link(tmp_path, monkeypatch):
    (tmp_path / "precious").write_text("precious")
    monkeypatch.chdir(tmp_path)
    for name in ("recording.parquet", "report.parquet", "report.json", "verify.json"):
        (tmp_path / name).symlink_to("precious")
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        tar.addfile(tarfile.TarInfo("0/recording.parquet"), io.BytesIO())
    commands_lab._keep(archive)
    left_files.claims({}, tmp_path)
    left_files.cell(
        0, {"recording.parquet": b"", "report.json": b"null"}, None, tmp_path / "report"
    )
    assert (tmp_path / "precious").read_text() == "precious"
    assert not any(path.is_symlink() for path in tmp_path.iterdir())
    assert {
        path.stat().st_mode & 0o777 for path in tmp_path.iterdir() if path.name != "precious"
    } == {0o600}
