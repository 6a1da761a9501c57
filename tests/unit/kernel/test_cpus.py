"""tracer/kernel/cpus.py: lists of CPUs, what sysfs says of their sleep, and steal time."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tracer.kernel import cpus

TICK_NS = 10**9 // os.sysconf("SC_CLK_TCK")


@pytest.mark.parametrize(
    ("listed", "its"),
    [("0-3,8\n", {0, 1, 2, 3, 8}), ("5", {5}), ("0,2,4-5", {0, 2, 4, 5}), ("", set())],
)
def test_lists_are_read_and_written(listed: str, its: set[int]) -> None:
    assert cpus.numbers(listed) == its and cpus.listed(its) == listed.strip()


def test_no_list_is_no_cpus() -> None:
    assert cpus.numbers("all of them") == cpus.numbers("1-") == set()


def write(place: Path, content: str) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(content)


def test_a_machine_of_two_cores_with_two_threads_each(tmp_path: Path) -> None:
    devices, info = tmp_path / "cpu", tmp_path / "cpuinfo"
    write(devices / "cpuidle/current_driver", "intel_idle\n")
    write(devices / "cpuidle/current_governor_ro", "menu\n")
    for cpu in range(4):
        write(devices / f"cpu{cpu}/topology/thread_siblings_list", f"{cpu % 2},{cpu % 2 + 2}\n")
        governor = "powersave" if cpu else "performance"
        write(devices / f"cpu{cpu}/cpufreq/scaling_governor", governor + "\n")
    write(info, "flags\t\t: fpu vme hypervisor lahf_lm\n")
    assert cpus.machine(devices, info) == {
        "idle_driver": "intel_idle",
        "idle_governor": "menu",
        "frequency_governor": "performance, powersave",
        "hypervisor": True,
        "siblings": [[0, 2], [1, 3]],
    }
    write(info, "flags\t\t: fpu hypervisorless\n")
    assert cpus.machine(devices, info)["hypervisor"] is False


def test_what_the_kernel_does_not_tell_is_none(tmp_path: Path) -> None:
    nothing = cpus.machine(tmp_path / "cpu", tmp_path / "cpuinfo")
    assert nothing.pop("siblings") == [] and set(nothing.values()) == {None}


def test_an_idle_driver_that_is_none_is_no_driver(tmp_path: Path) -> None:
    write(tmp_path / "cpuidle/current_driver", "none\n")
    write(tmp_path / "cpuidle/current_governor", "menu\n")
    its = cpus.machine(tmp_path, tmp_path / "cpuinfo")
    assert its["idle_driver"] is None and its["idle_governor"] is None


def test_steal_time_is_that_of_each_cpu() -> None:
    stat = (
        "cpu  9 9 9 9 9 9 9 99 0 0\ncpu0 1 2 3 4 5 6 7 8 0 0\ncpu11 0 0 0 0 0 0 0 3 0 0\nintr 5\n"
    )
    assert cpus.stolen_ns(stat) == {"0": 8 * TICK_NS, "11": 3 * TICK_NS}
    assert cpus.stolen_ns("cpu0 1 2 3\n") is None


def test_a_cpu_that_is_not_there_or_not_allowed_is_refused() -> None:
    allowed = os.sched_getaffinity(0)
    assert "there is no CPU 999999 here" in (cpus.refused(999_999) or "")
    assert all(cpus.refused(cpu) is None for cpu in allowed)
    if len(allowed) > 1:
        first, *others = sorted(allowed)
        os.sched_setaffinity(0, {first})
        try:
            assert f"CPU {others[0]} is not allowed here" in (cpus.refused(others[0]) or "")
        finally:
            os.sched_setaffinity(0, allowed)
