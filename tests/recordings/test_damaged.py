"""Damaged and forged recordings: each is refused in one line, or reported by every output; damage is never taken for
what was recorded. Thousands more with --thorough."""

from __future__ import annotations

import dataclasses
import faulthandler
import json
import os
import random
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from support import mutations, reading
from support.mutations import Base

from tracer.recording import parquet, partial, trial
from tracer.recording.batch import RecordBatch

# A worker of pytest-xdist has threads, one of which may hold a lock that a forked child then waits for in vain.
pytestmark = pytest.mark.skipif(
    "PYTEST_XDIST_WORKER" in os.environ, reason="forks, and is run alone (setup/test)"
)

DATA = Path(__file__).parents[1] / "data"
NAMES = ("signal-c", "claims/epoll-lt-10", "claims/threads")
FEW, MANY = 15, 1000  # of each mutation
MOST_BYTES, MOST_SECONDS = 512 << 20, 20


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("damaged")


@pytest.fixture(scope="module")
def bases(room: Path) -> dict[Base, str]:
    """Recordings with checksums and as they were before → their reports as JSON."""
    reports = {}
    for name in NAMES:
        for checked in (True, False):
            its = mutations.base(DATA / f"{name}.parquet", room, checked)
            (room / "whole").write_bytes(its.raw)
            outcome = reading.read(room / "whole")
            assert outcome.kind == "report" and outcome.checked is checked, outcome.said
            reports[its] = outcome.said
    return reports


def outcomes(
    mutation: mutations.Mutation, bases: dict[Base, str], room: Path, count: int
) -> Iterator[tuple[Base, reading.Outcome]]:
    chance = random.Random(f"{mutation.__name__} {count}")
    for _ in range(count):
        its = chance.choice([*bases])
        (room / "run").write_bytes(mutation(its, chance, room))
        outcome = reading.read(room / "run")
        assert outcome.kind in ("refused", "report"), outcome.said
        assert outcome.seconds < MOST_SECONDS and outcome.most < MOST_BYTES
        yield its, outcome


def check_damage(mutation: mutations.Mutation, bases: dict[Base, str], room: Path, n: int) -> None:
    for its, outcome in outcomes(mutation, bases, room, n):
        if outcome.kind == "report" and outcome.said != bases[its]:
            assert not outcome.checked, "damage was not seen"


@pytest.mark.parametrize("mutation", mutations.DAMAGE, ids=lambda its: its.__name__)
def test_damage_is_found_or_changes_nothing(mutation, bases, room):
    check_damage(mutation, bases, room, FEW)


@pytest.mark.parametrize("mutation", mutations.FORGERY, ids=lambda its: its.__name__)
def test_what_cannot_be_is_refused_or_reported(mutation, bases, room):
    assert [*outcomes(mutation, bases, room, FEW // 3 if mutation is mutations.claims else FEW)]


@pytest.mark.thorough
@pytest.mark.parametrize("mutation", mutations.DAMAGE, ids=lambda its: its.__name__)
def test_very_much_damage_is_found_or_changes_nothing(mutation, bases, room):
    check_damage(mutation, bases, room, MANY)


@pytest.mark.thorough
@pytest.mark.parametrize("mutation", mutations.FORGERY, ids=lambda its: its.__name__)
def test_very_much_that_cannot_be_is_refused_or_reported(mutation, bases, room):
    assert [*outcomes(mutation, bases, room, MANY // 20 if mutation is mutations.claims else MANY)]


@pytest.mark.parametrize(
    "mutation", (mutations.flipped, mutations.cut), ids=lambda its: its.__name__
)
def test_a_damaged_stream_is_refused_or_reported_as_cut_short(mutation, bases, room):
    """What stays where iotrace was killed (tracer/recording/partial.py) has no checksums, and is never complete."""
    its = next(iter(bases))
    with partial.Writer(str(room / "stream"), str(room / "run"), None) as writer:
        writer.begin({key: its.facts[key] for key in mutations.BEGUN if key in its.facts})
        for part in np.array_split(its.records, 5):
            writer.write(RecordBatch.of(part))
    streamed, chance = (
        dataclasses.replace(its, raw=(room / "stream").read_bytes()),
        random.Random(1),
    )
    kinds = set()
    for _ in range(2 * FEW):
        (room / "stream").write_bytes(mutation(streamed, chance, room))
        outcome = reading.read(room / "stream")
        assert outcome.kind in ("refused", "report"), outcome.said
        if outcome.kind == "report":
            assert json.loads(outcome.said)["ended"] == "cut short"
            assert json.loads(outcome.said)["ledger"]["counted"] is None
        kinds.add(outcome.kind)
    assert "report" in kinds


def test_a_file_that_can_be_read_only_by_an_abort_is_refused_in_one_line(
    bases, room, monkeypatch, capfd
):
    """libparquet ends the process that reads some footers: a child is what it ends."""
    path = room / "aborts"
    path.write_bytes(next(iter(bases)).raw)
    for act, words in (
        (lambda *_, **__: (faulthandler.disable(), os.abort()), "SIGABRT"),
        (lambda *_, **__: bytearray(64 << 30), "more memory"),
    ):
        monkeypatch.setattr(parquet, "columns", act)
        with pytest.raises(parquet.RecordingError, match=words) as caught:
            trial.refuse_unreadable(str(path))
        assert str(caught.value).startswith(f"{path}: damaged: ") and not capfd.readouterr().err
