"""tracer/analysis/identity/descriptor_lives.py, descriptor_tables.py: what each write of made-up programs went to,
against a kernel's tables in plain Python (tests/reference/descriptor_table.py)."""

from __future__ import annotations

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st
from reference.descriptor_table import CLONE_FILES, CLONE_THREAD, Machine
from support.analysing import results_of

from tracer.analysis.counts.fd_usage import DescriptorUsage
from tracer.analysis.identity.identity import Identity

CALLS = (
    ("write",) * 8
    + ("open",) * 4
    + ("close",) * 3
    + (
        "open unseen",
        "dup2",
        "closes on exec",
        "thread",
        "fork",
        "share",
        "own table",
        "unshare",
        "close_range",
        "execute",
    )
)
FDS = st.integers(3, 7)


@st.composite
def machines(draw: st.DrawFn) -> Machine:
    machine = Machine(open_before=draw(st.integers(0, 3)))
    for _ in range(draw(st.integers(1, 25))):
        ready = machine.ready()
        if not ready:
            machine.settle()
            ready = machine.ready()
        thread, call = draw(st.sampled_from(ready)), draw(st.sampled_from(CALLS))
        lasts, fd = draw(st.sampled_from((1, 9, 40))), draw(FDS)
        if call == "write":
            machine.write(thread, fd, lasts)
        elif call.startswith("open"):
            kind, closes = draw(st.integers(0, 3)), draw(st.booleans())
            machine.open(thread, kind, lasts, closes and call == "open", call == "open")
        elif call == "close":
            machine.close(thread, fd, lasts)
        elif call == "dup2":
            machine.dup2(thread, fd, draw(FDS))
        elif call == "closes on exec":
            machine.set_close_on_exec(thread, fd, draw(st.booleans()))
        elif call in ("thread", "fork", "share", "own table"):
            flags = {"thread": CLONE_FILES | CLONE_THREAD, "share": CLONE_FILES}
            flags |= {"fork": 0, "own table": CLONE_THREAD}
            machine.clone(thread, flags[call])
        elif call == "unshare":
            machine.unshare(thread)
        elif call == "close_range":
            machine.close_range(thread, fd, draw(FDS), draw(st.sampled_from((0, 2, 4, 6))))
        else:
            machine.execute(thread)
    machine.settle()
    return machine


def written(machine: Machine, count: int) -> Counter[tuple[int, int, str]]:
    """Process, descriptor, file's name → writes, as the analysis has it of `count` batches."""
    results = results_of(machine.trace.records(), DescriptorUsage, Identity, count=count)
    used, identity = results[DescriptorUsage], results[Identity]
    found: Counter[tuple[int, int, str]] = Counter()
    rows = zip(used.keys.tolist(), used.values["sends"].tolist(), strict=True)
    for (tgid, fd, number), sends in rows:
        found[tgid, fd, identity.name(tgid, fd, number) or "unknown"] += sends
    return +found


@settings(max_examples=150)
@given(machines(), st.sampled_from((1, 2, 3, 7)))
def test_each_write_went_where_it_went(machine: Machine, count: int) -> None:
    found = written(machine, count)
    unknown = Counter({key[:2]: n for key, n in found.items() if key[2] == "unknown"})
    known = Counter({key: n for key, n in found.items() if key[2] != "unknown"})
    assert known <= machine.writes and unknown <= machine.untold
    assert found.total() == machine.writes.total()
