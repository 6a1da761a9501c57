"""tracer/report/bench/in_call.py: which calls of a recording belong to which operation."""

from __future__ import annotations

import numpy as np

from tracer.analysis.threads.timeline import Calls
from tracer.kernel import syscalls
from tracer.report.bench import in_call


def calls(*made: tuple[str, int, int]) -> Calls:
    """Calls by (name, start, end)."""
    columns = {name: np.zeros(len(made), np.int64) for name in Calls.__dataclass_fields__}
    columns["nr"] = np.array([syscalls.numbers()[name] for name, _, _ in made])
    columns["start"], columns["end"] = (np.array([its[at] for its in made]) for at in (1, 2))
    return Calls(**columns)


def inside(name: str, operations: int, window: tuple[int, int], made: Calls) -> tuple[list, int]:
    block = {"call": name, "operations": operations, "window_ns": [*window]}
    (found,) = in_call.blocks(made, [block])
    return found.ns.tolist(), found.missing


def test_each_wait_is_an_operation_and_what_changes_the_set_belongs_to_it() -> None:
    made = calls(
        *(("epoll_ctl", 10, 15), ("epoll_wait", 20, 25)),  # before the window
        *(("epoll_wait", 100, 103), ("epoll_ctl", 110, 112), ("epoll_ctl", 113, 114)),
        *(("epoll_wait", 120, 127), ("epoll_ctl", 130, 131), ("epoll_ctl", 133, 135)),
        ("epoll_ctl", 300, 309),  # the next block's
    )
    assert inside("epoll-lt", 2, (90, 200), made) == ([6, 10], 0)
    assert inside("epoll-et", 2, (90, 200), made) == ([6, 10], 0)


def test_other_calls_of_the_time_are_none_of_it() -> None:
    made = calls(("pselect6", 100, 103), ("poll", 104, 110), ("pselect6", 111, 113))
    assert inside("select", 2, (90, 200), made) == ([3, 2], 0)
    assert inside("poll", 1, (90, 200), made) == ([6], 0)
    assert inside("io_uring", 0, (90, 200), made) == ([], 0)


def test_operations_that_the_recording_lacks_or_has_too_many_of() -> None:
    made = calls(("ppoll", 100, 103), ("ppoll", 104, 110))
    assert inside("poll", 3, (90, 200), made)[1] == 1
    assert inside("poll", 1, (90, 200), made)[1] == -1
    assert inside("poll", 3, (500, 600), made) == ([], 3)


def test_the_order_of_time_and_not_of_the_table() -> None:
    made = calls(("epoll_ctl", 110, 115), ("epoll_wait", 100, 102), ("epoll_wait", 120, 121))
    assert inside("epoll-lt", 2, (90, 200), made) == ([7, 1], 0)
