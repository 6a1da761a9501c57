"""`iotrace diff` of real runs: what was put into a program is found, and of the same program nothing is."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from support.contract import faults
from support.running import iotrace

pytestmark = [
    pytest.mark.live,
    pytest.mark.skipif(not shutil.which("cc"), reason="no cc"),
]
MESSAGES, INTERVAL_US = 100, 500
KINDS = {"base": (0, 0), "again": (0, 0), "spin": (20, 0), "extra": (0, 1)}  # µs, calls


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("planted") / "planted"
    source = Path(__file__).with_name("planted.c")
    subprocess.run(["cc", "-O2", "-Wall", "-Werror", "-o", made, source], check=True)
    return made


def recorded(program: Path, kind: str, number: int) -> Path:
    """One run of a kind."""
    path = program.with_name(f"{kind}-{number}.parquet")
    done = iotrace(
        *("trace", "--no-cost", "-o", path, "--"),
        *(program, MESSAGES, INTERVAL_US, *KINDS[kind]),
    )
    assert done.returncode == 0, done.stderr
    return path


def differences(*arguments: object) -> dict[str, Any]:
    done = iotrace("diff", "--exit-code", "--json", *arguments)
    assert done.stderr == ""
    result: dict[str, Any] = json.loads(done.stdout)
    assert not faults(result, "diff")
    assert done.returncode == (not result["same"])
    return {its["what"]: its for its in result["differences"]}


def test_what_was_put_in_is_found_with_one_run_each(program: Path) -> None:
    base, again, spin, extra = (recorded(program, kind, 0) for kind in KINDS)
    assert not differences(base, again)
    found = differences(base, spin)
    assert "fetching p50" in found and not {"usual sequence", "verdict"} & set(found)
    found = differences(base, extra)
    assert found["usual sequence"]["a"] == "epoll_wait, read"
    assert found["usual sequence"]["b"] == "epoll_wait, getppid, read"
    assert (found["usual getppid calls"]["a"], found["usual getppid calls"]["b"]) == (0, 1)
    assert not {name for name in found if "p50" in name}


@pytest.mark.thorough
def test_what_was_put_in_is_found_in_sets_of_five(program: Path) -> None:
    runs: dict[str, list[Path]] = {kind: [] for kind in KINDS}
    for number in range(1, 6):  # in turns: what else the machine does hits all alike
        for kind, paths in runs.items():
            paths.append(recorded(program, kind, number))

    def found(kind: str) -> dict[str, Any]:
        return differences("--a", *runs["base"], "--b", *runs[kind])

    assert not found("again")
    assert found("spin")["fetching p50"]["p"] <= 0.01
    assert {"getppid calls", "usual sequence"} <= set(found("extra"))
