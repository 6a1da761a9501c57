"""Random programs of threads, forks, execs, opens, closes, dups and passed descriptors, whose numbers are reused, on
the running kernel: iotrace's account of each file, thread and process is the program's own."""

from __future__ import annotations

import shutil
from itertools import count
from pathlib import Path

import pytest
from support.steps_program import Act, random_acts
from support.steps_run import compiled, differences, smallest, steps_of

AT_ONCE, LENGTH = 25, 60
THOROUGH = [pytest.param(n, marks=pytest.mark.thorough) for n in range(1, 40)]


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    if not shutil.which("cc"):
        pytest.skip("no C compiler (cc)")
    return compiled(tmp_path_factory.mktemp("program"))


@pytest.mark.parametrize("batch", [0, *THOROUGH])
def test_the_account_of_each_file_thread_and_process_is_the_programs_own(program, tmp_path, batch):
    seeds = range(batch * AT_ONCE, (batch + 1) * AT_ONCE)
    many = [random_acts(seed, LENGTH) for seed in seeds]
    found = differences(program, tmp_path / "all", many)
    if found:
        pytest.fail("\n".join([*found[:20], *_smallest(program, tmp_path, many)]))


def _smallest(program: Path, directory: Path, many: list[list[Act]]) -> list[str]:
    """The first program that differs by itself, made small, and how it differs."""
    numbers = count()

    def differs(acts: list[Act]) -> bool:
        return bool(differences(program, directory / str(next(numbers)), [acts]))

    for acts in many:
        if differs(acts):
            acts = smallest(differs, acts)
            found = differences(program, directory / "smallest", [acts])
            return ["", "by itself:", *found[:20], "", steps_of(acts)]
    return ["", "none of them differs by itself"]
