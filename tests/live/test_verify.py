"""`iotrace verify` on this kernel: every claim has its verdict, and nothing is left behind."""

from __future__ import annotations

import json
import os
import signal

import pytest
from jsonschema import Draft202012Validator
from support.running import ROOT, assert_one_line, iotrace, running

from tracer import claims


def test_every_claim_has_its_verdict(tmp_path):
    done = iotrace("verify", "--json", "-o", tmp_path / "runs")
    assert done.returncode in (0, 3), done.stderr
    its = json.loads(done.stdout)
    Draft202012Validator(
        json.loads((ROOT / "docs/schema/verify.schema.json").read_text())
    ).validate(its)
    assert [claim["number"] for claim in its["claims"]] == [
        claim.number for claim in claims.claims()
    ]
    assert its["failed"] == [] and its["ledger"]["lost"] == 0
    for claim in its["claims"]:
        if claim["verdict"] == "cannot be tested here":
            assert (os.cpu_count() == 1 and claim["name"] == "cpus") or claim["without"], claim
        else:
            assert claim["verdict"] != "does not hold", claim
    assert (done.returncode == 3) == (its["verdicts"]["cannot be tested here"] > 0)
    kept = {path for claim in its["claims"] for run in claim["runs"] for path in run["recordings"]}
    assert kept == {str(path) for path in (tmp_path / "runs").iterdir()}
    shown = iotrace("report", min(kept))
    assert shown.returncode == 0, shown.stderr


def test_chosen_claims_alone():
    done = iotrace("verify", "levels", "12")
    assert done.returncode == 0, done.stderr
    assert (
        "── 8  levels ─" in done.stdout
        and "── 12  fd-set ─" in done.stdout
        and "blocking" not in done.stdout
    )
    assert all(line.startswith("iotrace: ") for line in done.stderr.splitlines())


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_it_leaves_nothing(number, tmp_path):
    with running("verify", "blocking", "locks", env={"TMPDIR": str(tmp_path)}) as run:
        run.await_messages(1)
        os.kill(run.process.pid, number)
        done = run.end()
        assert done.returncode == 1 and done.stdout == ""
        assert done.stderr.splitlines()[-1] == "iotrace: interrupted"
        assert run.processes() == []
    assert os.listdir(tmp_path) == []


def test_interrupted_it_shows_what_was_judged_and_keeps_those_runs(tmp_path):
    """The four runs of levels come before those of synchronous, of which the first is interrupted."""
    with running("verify", "levels", "synchronous", "--json", "-o", tmp_path) as run:
        assert run.process.stderr
        while " 4 of " not in run.process.stderr.readline():
            run.check_running()
        os.kill(run.process.pid, signal.SIGINT)
        done = run.end()
    assert done.returncode == 1 and done.stderr.splitlines()[-1] == "iotrace: interrupted"
    its = json.loads(done.stdout)
    assert its["interrupted"] and [claim["name"] for claim in its["claims"]] == ["levels"]
    kept = {path for claim in its["claims"] for run in claim["runs"] for path in run["recordings"]}
    assert kept == {str(path) for path in tmp_path.iterdir()} and len(kept) == 4


def test_a_place_for_the_recordings_that_is_none(tmp_path):
    (tmp_path / "file").touch()
    for place in (tmp_path / "no" / "place", tmp_path / "file" / "place", tmp_path / "file"):
        assert_one_line(
            iotrace("verify", "levels", "-o", place), 2 if place.exists() else 1, str(place)
        )
