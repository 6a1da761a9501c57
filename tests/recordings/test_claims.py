"""The claims' judges on recordings of real runs: each finds its claim to hold, and another not to; needs no root."""

from __future__ import annotations

import json
import os
import sys
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from rich.cells import cell_len
from support.running import ROOT, assert_one_line, iotrace

from tracer import claims
from tracer.claims import run as verifying
from tracer.claims.claim import Judgement, Verdict, spread
from tracer.output.terminal.claims import render

DATA = ROOT / "tests" / "data"
CLAIMS = {claim.name: claim for claim in claims.claims()}
SCHEMA = json.loads((ROOT / "docs/schema/verify.schema.json").read_text())

SYNCHRONOUS = {
    name: name for name in ("blocking", "nonblocking", "select", "poll", "epoll-lt", "signal")
}
ASYNCHRONOUS = {name: name for name in ("posix-aio", "io-uring", "io-uring-worker", "linux-aio")}
POLLING = {
    "short waits": "nonblocking",
    "long waits": "claims/nonblocking-long",
    **{name: name for name in ("blocking", "select", "poll", "epoll-lt", "signal", "posix-aio")},
}
SEVERAL = {
    **{name: f"claims/{name}-4" for name in ("select", "poll", "epoll-lt")},
    "blocking": "blocking",
}

# A claim's name, and for each run that it wants a recording of what it says.
HOLD = {
    "blocking": {"reader": "claims/neighbour"},
    "polling": POLLING,
    "multiplexing": SEVERAL,
    "connections": {
        "threads": "claims/threads",
        "one process": "claims/epoll-lt-10",
        "threads, all at once": "claims/crowdthreads",
        "one process, all at once": "claims/crowdprocess",
    },
    "watching": {"many": "claims/watching", "short-lived": "claims/shortlived"},
    "sigio": {"signal": "signal", "polling": "nonblocking"},
    "asynchronous": {
        **ASYNCHRONOUS,
        "linux-aio-socket": "linux-aio-socket",
        "25 aio_reads": "claims/outstanding",
    },
    "levels": {"level": "claims/levels", "edge": "claims/edges"},
    "synchronous": {**SYNCHRONOUS, **ASYNCHRONOUS, "io-uring-inline": "io-uring-inline"},
    "cpus": {"one CPU": "claims/concurrent", "two CPUs": "claims/parallel"},
    "locks": {"mutex": "claims/lock", "condition": "claims/condition"},
    "fd-set": {"beyond": "claims/beyond"},
}

# The same with other runs in their place, which do not do what the claim says, and what must be found.
FAIL = [
    ("blocking", {"reader": "nonblocking"}, "the waiting reader uses a CPU"),
    (
        "polling",
        {"short waits": "claims/polite", "long waits": "claims/polite"},
        "did not use the CPU",
    ),
    (
        "polling",
        {"short waits": "blocking", "long waits": "blocking"},
        "no call came back with EWOULDBLOCK",
    ),
    ("polling", {"blocking": "nonblocking"}, "blocking makes about as many calls"),
    ("multiplexing", {"select": "select"}, "select did not wait for several"),
    ("multiplexing", {"poll": "blocking"}, "the thread does not sleep in poll"),
    ("multiplexing", {"epoll-lt": "nonblocking"}, "in epoll-lt the thread is not asleep"),
    ("multiplexing", {"blocking": "select"}, "there are not two calls a message against one"),
    ("connections", {"threads": "claims/epoll-lt-10"}, "does not take less memory"),
    ("connections", {"one process, all at once": "claims/threads"}, "does not switch less often"),
    ("connections", {"threads, all at once": "claims/crowdprocess"}, "does not switch less often"),
    ("watching", {"many": "claims/all-readable"}, "epoll_wait grows with the number"),
    ("sigio", {"signal": "blocking"}, "the process is blocked"),
    ("sigio", {"signal": "nonblocking"}, "no signal came"),
    ("sigio", {"polling": "blocking", "signal": "nonblocking"}, "as much on calls"),
    ("asynchronous", {"linux-aio": "linux-aio-socket"}, "the call that asks slept"),
    ("asynchronous", {"posix-aio": "blocking"}, "the thread that asked made receive calls"),
    ("asynchronous", {"io-uring": "signal"}, "nothing completes by itself"),
    ("asynchronous", {"25 aio_reads": "claims/awaited"}, "aio_reads slept before they returned"),
    ("asynchronous", {"posix-aio": "posix-aio-suspend"}, "the process is blocked"),
    ("asynchronous", {"posix-aio": "claims/told-early"}, "signals came before the copy"),
    ("asynchronous", {"io-uring": "io-uring-inline"}, "a call of the thread that asked copied"),
    (
        "asynchronous",
        {"io-uring": "claims/io-uring-defer"},
        "a call of the thread that asked copied",
    ),
    ("levels", {"level": "claims/edges"}, "data that was left was not reported"),
    ("levels", {"edge": "claims/levels"}, "reported again"),
    ("synchronous", {"select": "posix-aio"}, "with select the caller did not copy"),
    ("synchronous", {"linux-aio": "linux-aio-socket"}, "with linux-aio the caller copied"),
    ("synchronous", {"io-uring": "io-uring-inline"}, "with io-uring the caller copied by a call"),
    (
        "synchronous",
        {"io-uring": "io-uring-multishot"},
        "with io-uring the caller copied by a call",
    ),
    ("synchronous", {"io-uring": "claims/io-uring-defer"}, "with io-uring the caller copied by"),
    ("cpus", {"one CPU": "claims/parallel"}, "on one CPU both ran at the same time"),
    ("cpus", {"two CPUs": "claims/concurrent"}, "on two CPUs they never did"),
    ("locks", {"mutex": "claims/condition"}, "the mutex shows synchronisation"),
    ("locks", {"condition": "claims/lock"}, "the condition shows mutual exclusion"),
    ("fd-set", {"beyond": "claims/unchecked"}, "the C library did not refuse those beyond"),
]
QUALIFIED = {
    "connections": "one connection at a time",
    "asynchronous": "a thread of glibc's",
    "levels": "one report",
    "synchronous": "asking thread's own time",
}


def judged(name: str, runs: dict[str, str]) -> Judgement:
    return verifying.judge(
        CLAIMS[name], {run: [str(DATA / f"{path}.parquet")] for run, path in runs.items()}
    )


def test_every_claim_has_recordings() -> None:
    assert {claim.number for claim in CLAIMS.values()} == set(range(1, 13))
    assert CLAIMS.keys() == HOLD.keys() == {name for name, _, _ in FAIL}
    assert all(HOLD[name].keys() == claim.runs.keys() for name, claim in CLAIMS.items())
    assert all(path.stat().st_size < 100_000 for path in DATA.glob("claims/*.parquet"))


@pytest.mark.parametrize("name", HOLD)
def test_holds_on_what_it_speaks_of(name: str) -> None:
    its = judged(name, HOLD[name])
    assert its.verdict in (Verdict.HOLDS, Verdict.QUALIFIED), its
    assert its.evidence and "\n" not in its.evidence
    assert bool(its.qualification) == (its.verdict == Verdict.QUALIFIED)
    if name in QUALIFIED:
        assert its.verdict == Verdict.QUALIFIED and QUALIFIED[name] in its.qualification


@pytest.mark.parametrize(
    ("name", "instead", "words"), FAIL, ids=[f"{name}-{i}" for i, (name, _, _) in enumerate(FAIL)]
)
def test_fails_on_a_counter_example(name: str, instead: Any, words: str) -> None:
    its = judged(name, HOLD[name] | instead)
    assert its.verdict == Verdict.FAILS, its
    assert words in its.qualification


def test_what_an_aio_read_does_and_how_many_there_can_be() -> None:
    its = judged("asynchronous", HOLD["asynchronous"])
    assert its.evidence.startswith("of 50 aio_reads 0 slept, 20 that made a thread took ")
    assert "of 25 reads outstanding only 20 are carried out at a time" in its.qualification


def test_task_work_that_does_not_interrupt_is_in_no_call_all_the_same() -> None:
    for name in ("asynchronous", "synchronous"):
        coop = judged(name, HOLD[name] | {"io-uring": "claims/io-uring-coop"})
        assert coop.verdict == Verdict.QUALIFIED, coop


@pytest.mark.parametrize("name", HOLD)
def test_one_round_more_does_not_hide_a_counter_example(name: str) -> None:
    """A claim that fails in one round of two has failed."""
    instead = next(instead for other, instead, _ in FAIL if other == name)
    paths = {run: [str(DATA / f"{path}.parquet")] for run, path in HOLD[name].items()}
    for run, path in instead.items():
        paths[run] = [*paths[run], str(DATA / f"{path}.parquet")]
    assert verifying.judge(CLAIMS[name], paths).verdict == Verdict.FAILS or name == "cpus"


def made_of(
    names: tuple[str, ...], lacking: dict[str, str] | None = None, failed: bool = False
) -> verifying.RunResults:
    """Runs as if they had been made now; lacking: what this machine has not got, by the name of the run."""
    made = verifying.RunResults()
    why = lacking or {}
    for name in names:
        for run, wanted in CLAIMS[name].runs.items():
            made.recorded[wanted] = [] if run in why else [DATA / f"{HOLD[name][run]}.parquet"] * 2
            if run in why:
                (made.failed if failed else made.cannot)[wanted] = why[run]
    return made


def report_of(names: tuple[str, ...], *arguments: Any) -> Any:
    chosen = [CLAIMS[name] for name in names]
    return verifying.report(chosen, made_of(names, *arguments), {"ready": "a tracepoint"}, "runs")


def test_report_is_as_the_schema_has_it() -> None:
    Draft202012Validator.check_schema(SCHEMA)
    its = json.loads(json.dumps(report_of(tuple(HOLD))))
    Draft202012Validator(SCHEMA).validate(its)
    assert [claim["number"] for claim in its["claims"]] == [
        claim.number for claim in CLAIMS.values()
    ]
    assert sum(its["verdicts"].values()) == len(its["claims"]) and its["failed"] == []
    assert (
        its["ledger"]["counted"] == its["ledger"]["delivered"] > 0 and its["ledger"]["missed"] == 0
    )


@pytest.mark.parametrize(
    "change",
    [
        {"verdict": "perhaps"},
        {"qualification": None},
        {"runs": []},
        {"number": 0},
        {"evidence": ""},
        {"more": 1},
    ],
)
def test_schema_refuses_what_is_wrong(change: Any) -> None:
    its = report_of(("levels",))
    assert Draft202012Validator(SCHEMA).is_valid(its)
    its["claims"][0] |= change
    assert not Draft202012Validator(SCHEMA).is_valid(its)


def test_without_a_run_that_is_needed_it_cannot_be_tested() -> None:
    its = report_of(("blocking", "levels"), {"edge": "this kernel has no edges"})
    assert [claim["verdict"] for claim in its["claims"]] == ["holds", "cannot be tested here"]
    assert (
        its["claims"][1]["qualification"] == "this kernel has no edges"
        and its["claims"][1]["evidence"] == ""
    )
    Draft202012Validator(SCHEMA).validate(its)


def test_without_one_that_is_not_it_is_judged_by_the_others() -> None:
    lacking = dict.fromkeys(("io-uring", "io-uring-worker"), "io_uring_disabled is 2")
    its = report_of(("asynchronous",), lacking)
    claim = its["claims"][0]
    assert claim["verdict"] == "holds with a qualification" and "io_uring" not in claim["evidence"]
    assert claim["without"] == lacking
    assert "io_uring_disabled" in render(its)


def test_second_half_of_claim_10_needs_a_second_cpu() -> None:
    its = report_of(("cpus",), {"two CPUs": "there is only one CPU to run on"})["claims"][0]
    assert (
        its["verdict"] == "cannot be tested here"
        and its["qualification"] == "there is no second CPU to run on"
    )
    assert its["evidence"].startswith("one CPU: both ran at the same time for 0 ns")


def test_a_run_that_failed_is_named() -> None:
    its = report_of(("levels",), {"edge": "trials.edges ended with status 1"}, True)
    assert its["failed"] == ["trials.edges ended with status 1"]
    assert its["claims"][0]["verdict"] == "cannot be tested here"
    assert "FAILED    trials.edges ended with status 1" in render(its)


@pytest.mark.parametrize("unicode", [False, True])
@pytest.mark.parametrize("width", [80, 100])
def test_every_line_fits(unicode: bool, width: int) -> None:
    its = report_of(tuple(HOLD), {"edge": "no", "io-uring": "io_uring_disabled is 2 " * 5})
    text = render(its, width, color=False, unicode=unicode)
    assert max(map(cell_len, text.splitlines())) <= width
    assert unicode or text.isascii()
    assert "\x1b" not in text and "\x1b" in render(its, width, color=True)
    for claim in its["claims"]:
        assert claim["verdict"] in text and " ".join(claim["claim"].split()) in " ".join(
            text.split()
        )


def test_commands_repeat_their_runs() -> None:
    commands = [
        run["command"] for claim in report_of(tuple(HOLD))["claims"] for run in claim["runs"]
    ]
    assert "iotrace run nonblocking --interval 4ms" in commands
    assert any(
        its.startswith(f"iotrace trace -- {sys.executable} -m scenarios.trials.edges")
        for its in commands
    )
    assert len({verifying._stem(its) for its in verifying.runs_of(CLAIMS.values())}) == len(
        verifying.runs_of(CLAIMS.values())
    )


def test_a_difference_inside_the_spread_is_none() -> None:
    assert not spread([1, 2, 9]).apart_from(spread([8, 10, 11]))
    assert spread([1, 2, 7]).apart_from(spread([8, 10, 11])) and spread([8, 10, 11]).apart_from(
        spread([1, 2, 7])
    )


def test_a_claim_that_is_none() -> None:
    assert_one_line(iotrace("verify", "13"), 2, "no claim '13'", "1 blocking", "12 fd-set")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_needs_root() -> None:
    assert_one_line(iotrace("verify", "levels", user=65534), 3, "needs root")


def test_the_documentation_has_every_claim() -> None:
    rows = (ROOT / "docs/claims.md").read_text().splitlines()
    for claim in CLAIMS.values():
        assert any(
            row.startswith(f"| {claim.number} {claim.name} | {claim.sentence} |") for row in rows
        ), claim.name
