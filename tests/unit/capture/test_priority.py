"""tracer/capture/priority.py: this process's priority is what it was, afterwards."""

from __future__ import annotations

import os
import threading

import pytest

from tracer.capture.priority import Priority


def mine() -> tuple[int, int]:
    return os.sched_getscheduler(0), os.getpriority(os.PRIO_PROCESS, 0)


@pytest.fixture(autouse=True)
def restored():
    before = mine()
    yield before
    os.sched_setscheduler(0, before[0], os.sched_param(0))
    os.setpriority(os.PRIO_PROCESS, 0, before[1])


def needs_right() -> None:
    try:
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
    except OSError as error:
        pytest.skip(f"no real time here: {error.strerror}")


def test_urgent_steps_are_in_real_time_and_the_rest_is_not(restored):
    needs_right()
    with Priority() as priority:
        assert mine() == (os.SCHED_OTHER, -20)
        with priority.urgent():
            assert mine()[0] == os.SCHED_RR
        assert mine() == (os.SCHED_OTHER, -20)
    assert mine() == restored


def test_it_is_in_real_time_once_it_was_late(restored):
    needs_right()
    with Priority() as priority:
        priority.woke(0.001)
        assert mine()[0] == os.SCHED_OTHER
        priority.woke(0.5)
        assert mine()[0] == os.SCHED_RR
        with priority.urgent():
            pass
        assert mine()[0] == os.SCHED_RR
    assert mine() == (restored[0], -20)  # for the report: other programs have the CPUs


def test_threads_that_were_made_meanwhile_have_it_no_longer():
    needs_right()
    stop, before = threading.Event(), mine()
    with Priority() as priority, priority.urgent():
        thread = threading.Thread(target=stop.wait)
        thread.start()
    assert os.sched_getscheduler(thread.native_id) == before[0]
    assert os.getpriority(os.PRIO_PROCESS, thread.native_id) == before[1]
    stop.set()
    thread.join()


def test_what_the_kernel_refuses_is_left_as_it_is(monkeypatch, restored):
    def refuse(*_):
        raise PermissionError(1, "not permitted")

    monkeypatch.setattr(os, "setpriority", refuse)
    monkeypatch.setattr(os, "sched_setscheduler", refuse)
    with Priority() as priority, priority.urgent():
        priority.woke(1)
    monkeypatch.undo()
    assert mine() == restored
