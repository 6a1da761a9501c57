"""A trace of C receivers that stamp the clock around every call, on the running kernel: each boundary lies on its side
of the program's stamps, and readiness after the kernel's own stamp of the arrival. No distance is asserted."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

import tracer

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
sys.path.append(str(BENCHMARKS))  # last: its files shadow nothing

pytestmark = pytest.mark.skipif(not BENCHMARKS.is_dir(), reason="no clone here")


def test_boundaries_lie_between_the_stamps(tmp_path, monkeypatch):
    import accuracy
    import machine
    import stamped
    from calls import Setting
    from contenders import Iotrace

    monkeypatch.setenv("PYTHONPATH", str(Path(tracer.__file__).parents[1]))  # of what traces
    machine.build(tmp_path)
    setting = Setting(tmp_path, 1, 0.25, *machine.cpus(), True, print)
    for model in ("nonblocking", "epoll", "signal", "posix-aio"):
        told = accuracy.traced_distances(setting, model, Iotrace(tmp_path, setting.tracer_cpu))
        sizes = {key: len(values) for key, values in told.items()}
        every = accuracy.messages(setting) - stamped.WARM_UP
        assert sizes["done"] == every
        assert sizes["ask"] == (0 if model == "signal" else every)
        # what a poller finds before its readiness is told may have none
        assert sizes["ready"] == (0 if model == "posix-aio" else every) or model == "nonblocking"
        for key, values in told.items():
            assert (values >= 0).all(), (model, key, values[values < 0])
