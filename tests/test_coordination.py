"""tracer/coordination.py: what there is between threads, from who waited for whom and who ran when."""

from __future__ import annotations

import pytest

from tracer.coordination import coordination
from tracer.render.verdict import verdict

MS = 1_000_000


def word(kind: str, *pairs: tuple[int, int, int]) -> dict:
    """A futex word with its (waiter, waker, ms waited)."""
    between = [{"waiter": waiter, "waker": waker, "count": 1, "waited_ns": ms * MS, "longest_ns": ms * MS}
               for waiter, waker, ms in pairs]
    return {"address": "…1000", "process": None, "kind": kind, "waits": len(pairs), "wakes": len(pairs),
            "waited_ns": sum(its["waited_ns"] for its in between), "longest_ns": max(its["longest_ns"] for its in between),
            "between": between}


def lanes(overlap_ms: int, possible_ms: int = 100, cpus: tuple[int, ...] = (0, 1)) -> dict:
    return {"pairs": [{"tids": [1, 2], "overlap_ns": overlap_ms * MS, "possible_ns": possible_ms * MS}],
            "threads": [{"tid": tid, "cpus": list(cpus)} for tid in (1, 2)]}


def kinds(*arguments) -> list[str]:
    return [its["kind"] for its in coordination(*arguments)]


MUTEX = word("mutual exclusion", (1, 2, 110), (2, 1, 120))


@pytest.mark.parametrize(("locks", "on_cpu", "wanted"), [
    ([], None, []), ([MUTEX], None, ["mutual exclusion"]),
    ([word("synchronisation", (1, 2, 90))], None, ["synchronisation"]),
    ([word("unclear", (1, 2, 90))], None, []),
    ([word("mutual exclusion", (1, 2, 9))], None, []),  # too little to be what it is about
    ([], lanes(0), ["concurrent"]), ([], lanes(90), ["parallel"]), ([], lanes(1), ["parallel"]),
    ([MUTEX], lanes(1), ["mutual exclusion"]),  # at the moment of handing over both run
    ([MUTEX], lanes(0), ["mutual exclusion", "concurrent"]),
    ([word("synchronisation", (3, 1, 199))], lanes(90), ["parallel", "synchronisation"]),  # who waits does not compute
    ([word("synchronisation", (3, 1, 199))], lanes(1), ["parallel", "synchronisation"]),
    ([MUTEX, word("synchronisation", (1, 2, 180))], None, ["mutual exclusion", "synchronisation"]),
])
def test_what_threads_are_about(locks, on_cpu, wanted):
    assert kinds(locks, on_cpu, 200 * MS) == wanted


def test_the_evidence_has_the_numbers():
    said = coordination([MUTEX], lanes(50), 200 * MS)
    assert said[0]["evidence"] == ("2 threads waited, each until one that waits there too had released it: 2 waits on a "
                                   "futex word, 230.0 ms in all, the longest 120.0 ms")
    assert said[1]["evidence"] == ("threads 1 and 2 ran on 2 CPUs, at the same time for 50.0 ms, 50% of the shorter one's "
                                   "time on a CPU")
    assert "on CPU 1, in turns" in coordination([], lanes(0, cpus=(1,)), 200 * MS)[0]["evidence"]


def test_it_takes_the_place_of_a_model_where_nothing_is_received():
    report = {"scenario": "x", "model": {"name": "none", "evidence": ["no receive"]},
              "coordination": coordination([MUTEX], None, 200 * MS)}
    text = " ".join("\n".join(line.plain for line in verdict(report)).split())
    assert text.startswith("threads mutual exclusion") and "2 waits on a futex word" in text
    assert text.endswith("none of input and output: no data was received")
    report["model"] = {"name": "blocking", "synchronous": True, "confidence": 0.9, "evidence": []}
    assert "mutual exclusion" not in "\n".join(line.plain for line in verdict(report))
