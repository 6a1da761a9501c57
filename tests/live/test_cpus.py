"""--pin and --keep-awake on the running kernel: who ran where, as the trace says it, and what is left of it."""

from __future__ import annotations

import os
import select

import pytest
from support.running import check_closed_loop, iotrace, report_of, running

CPUS = sorted(os.sched_getaffinity(0))
SHORT = ("--messages", 23, "--interval", "2ms", "--no-cost")


@pytest.mark.parametrize("lang", ["python", "c"])
@pytest.mark.skipif(len(CPUS) < 2, reason="one CPU")
def test_each_side_is_where_it_was_bound_to(lang):
    receiver, sender = CPUS[:2]
    pin = f"{receiver},{sender}"
    report = report_of("run", "blocking", "--pin", pin, "--keep-awake", "--lang", lang, *SHORT)
    check_closed_loop(report, "blocking", 23)
    host = report["host"]
    assert host["placement"]["same"] == host["placement"]["unknown"] == 0
    assert set(host["steal_ns"] or {}) <= {str(receiver), str(sender)}
    assert report["options"]["pin"] == [receiver, sender] and report["options"]["keep_awake"]


def test_both_on_one_cpu():
    report = report_of("run", "epoll-lt", "--pin", CPUS[-1], *SHORT)
    check_closed_loop(report, "epoll-lt", 23)
    assert report["host"]["placement"] == {"same": 23, "sibling": 0, "other": 0, "unknown": 0}


@pytest.mark.parametrize("pin", [(), ("--pin", CPUS[0])])
def test_nobody_spins_on_after_a_kill(pin):
    spinning = 1 if pin else len(CPUS)
    with running("run", "blocking", "--keep-awake", *pin, "--messages", 10**6, "--no-cost") as run:
        run.await_messages(3)
        idle = [pid for pid in run.processes() if os.sched_getscheduler(pid) == os.SCHED_IDLE]
        assert len(idle) == spinning
        ends = [os.pidfd_open(pid) for pid in run.processes()]
        run.process.kill()
        for end in ends:
            assert select.select([end], [], [], 60)[0]
            os.close(end)
        run.process.wait()
        assert run.processes() == []


def test_compare_takes_them_too_and_leaves_nobody():
    with running(
        *("compare", "blocking", "--rounds", 3, "--messages", 5, "--interval", "1ms"),
        *("--pin", CPUS[0], "--keep-awake"),
    ) as run:
        done = run.end()
        assert done.returncode == 0 and run.processes() == []
    assert f"both on CPU {CPUS[0]}, the receiver's CPU kept awake" in " ".join(done.stdout.split())


def test_the_report_says_where_the_machine_sleeps(tmp_path):
    path = tmp_path / "run.parquet"
    assert iotrace("run", "blocking", *SHORT, "-o", path).returncode == 0
    said = " ".join(iotrace("report", path, "-v").stdout.split())
    assert "machine idles by" in said or "machine no idle driver" in said
    assert "data made ready on" in said


@pytest.mark.parametrize("proto", ["udp", "tcp", "unix", "pipe"])
def test_through_this_machine_the_data_is_made_ready_inside_the_senders_call(proto):
    report = report_of("run", "blocking", "--proto", proto, *SHORT)
    check_closed_loop(report, "blocking", 23)
    sender, expected = report["sender"], report["expected"]
    calls = zip(expected["send_begin_ns"], expected["send_returned_ns"], strict=True)
    seen = 0
    for op, (begin, returned) in zip(report["operations"], calls, strict=True):
        raw = op.get("raw", {}).get("ready_ns")
        if raw is not None or "ready" not in op["estimated"]:
            assert begin <= (op["ready_ns"] if raw is None else raw) <= returned
            seen += 1
    assert sender["inside"] + sender["outside"] == 23 and sender["inside"] >= seen
    assert seen == 23 or proto == "pipe"  # of which no tracepoint tells that there is data
    early = sum(
        op["done_ns"] <= returned
        for op, returned in zip(report["operations"], expected["send_returned_ns"], strict=True)
    )
    assert sender["early"] == early and sender["took"]["count"] == 23
    kinds = [step["kind"] for step in report["figure"]["steps"]]
    assert kinds.count("send") == 1
