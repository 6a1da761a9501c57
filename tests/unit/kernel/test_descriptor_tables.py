"""tracer/kernel/descriptor_tables.py on threads of this process and on children."""

from __future__ import annotations

import ctypes
import os
import subprocess
import threading
from contextlib import contextmanager

import pytest

from tracer.kernel.descriptor_tables import DescriptorTables

CLONE_FILES = 0x400


@contextmanager
def threads(count: int, of_its_own: int):
    """Thread IDs, of which the last ones have tables of their own."""
    stop, tids = threading.Event(), []
    ready = threading.Barrier(count + 1)

    def work(index: int) -> None:
        if index >= count - of_its_own:
            assert ctypes.CDLL(None).unshare(CLONE_FILES) == 0
        tids.append((index, threading.get_native_id()))
        ready.wait()
        stop.wait()

    started = [threading.Thread(target=work, args=(index,)) for index in range(count)]
    [thread.start() for thread in started]
    ready.wait()
    yield [tid for _, tid in sorted(tids)]
    stop.set()
    [thread.join() for thread in started]


@pytest.fixture
def tables():
    its = DescriptorTables()
    if its.is_new(os.getpid()) is None:
        pytest.skip("no kcmp here (CONFIG_KCMP)")
    return its


def test_threads_share_a_table_unless_they_have_unshared_it(tables):
    with threads(7, 3) as tids:
        assert [tables.is_new(tid) for tid in tids] == [False] * 4 + [True] * 3
        assert [tables.is_new(tid) for tid in tids] == [False] * 7


def test_a_child_has_its_own(tables):
    child = subprocess.Popen(["cat"], stdin=subprocess.PIPE)
    assert tables.is_new(child.pid) is True and tables.is_new(child.pid) is False
    child.communicate(b"")
    assert tables.is_new(child.pid) is None  # it has ended
    with threads(3, 1) as tids:  # also where it was one of those to compare with
        assert [tables.is_new(tid) for tid in tids] == [False, False, True]
