"""Runs iotrace and its scenarios as processes, and says what must hold of a run: shared by the tests."""

from __future__ import annotations

import inspect
import json
import mmap
import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from support.contract import faults

from scenarios import find
from scenarios.kit import page
from tracer import terms
from tracer.kernel import syscalls

ROOT = Path(__file__).parents[2]
# Under -I what is installed is tested; else what lies in this checkout, which `-m` finds in the working directory.
PYTHON = [sys.executable, *["-I"] * sys.flags.isolated]
IOTRACE = [*PYTHON, "-m", "tracer"]
PYTHON_TRACED = "/usr/bin/python3"  # of programs that are traced: not a wrapper that starts another
BOUNDARIES = tuple(f"{name}_ns" for name in terms.BOUNDARIES)
STATES = tuple(f"{name}_ns" for name in terms.STATES)
NOBODY = 65534
RECORDING = ROOT / "tests" / "data" / "nonblocking.parquet"
LITTLE = 0.2  # of the sleep beside it: computing of which nothing has to be said
_MARK = "IOTRACE_TEST_RUN"


def iotrace(
    *arguments: object,
    env: dict[str, str] | None = None,
    user: int | None = None,
    stdin: int | None = None,
    before: tuple[str, ...] = (),
) -> subprocess.CompletedProcess[str]:
    """The command run to its end, as the user with id `user` and by the command `before`; its output as text."""
    as_user: dict[str, Any] = {}
    if user is not None:
        as_user = {"user": user, "group": user, "extra_groups": []}
    return subprocess.run(
        [*before, *IOTRACE, *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=300,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1", **(env or {})},
        stdin=stdin,
        **as_user,
    )


def report_of(*arguments: object, **options: Any) -> dict[str, Any]:
    """The JSON of a command that must succeed, and must print nothing else."""
    done = iotrace(*arguments, "--json", **options)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    report: dict[str, Any] = json.loads(done.stdout)
    assert not faults(report, "compare" if arguments[0] == "compare" else "report")
    return report


def traced(program: str, *options: object, **more: Any) -> dict[str, Any]:
    """The report of a Python program under iotrace trace."""
    done = iotrace(
        "trace", "--no-cost", "--json", *options, "--", PYTHON_TRACED, "-c", program, **more
    )
    assert done.returncode == 0 and done.stderr == ""
    report: dict[str, Any] = json.loads(done.stdout)
    assert not faults(report)
    return report


def assert_one_line(done: subprocess.CompletedProcess[str], status: int, *words: str) -> None:
    """The command failed as documented: a status, one line on stderr that has the words, nothing on stdout."""
    assert done.returncode == status, done.stderr
    lines = done.stderr.splitlines()
    assert len(lines) == 1, done.stderr
    assert done.stdout == ""
    for word in words:
        assert word in lines[0]


def mounts_apart() -> list[str]:
    """What gives a command mounts of its own (unshare(1)); skips the test where that cannot be: in a chroot whose root
    is no mount."""
    apart = ["unshare", "--mount"]
    done = subprocess.run([*apart, "true"], capture_output=True, text=True)
    if done.returncode:
        pytest.skip(done.stderr.strip())
    return apart


def runner() -> CliRunner:
    """click's runner with stderr apart from stdout, which newer versions always do."""
    apart = "mix_stderr" in inspect.signature(CliRunner).parameters
    options: dict[str, Any] = {"mix_stderr": False} if apart else {}
    return CliRunner(**options)


class Running:
    """An iotrace that runs now. The page shared by sender and receiver tells how far the scenario is."""

    def __init__(self, process: subprocess.Popen[str], mark: str) -> None:
        self.process = process
        self._mark = mark
        self._page: memoryview | None = None

    def await_messages(self, count: int) -> None:
        """Returns when the receiver has finished `count` messages."""
        while self.page is None or self.page[page.RECEIVED] < count:
            self.check_running()

    @property
    def receiver(self) -> int:
        """The receiver's process ID."""
        assert self.page, "await its messages first"
        return self.page[page.PID]

    @property
    def sender(self) -> int:
        """The sender's process ID."""
        return next(
            pid
            for pid in self.processes()
            if b"scenarios.kit.sender" in _read(pid, "cmdline").split(b"\0")
        )

    def processes(self) -> list[int]:
        """Every process that this run has started and that still is one, the command itself included."""
        wanted = f"{_MARK}={self._mark}".encode()
        return [
            int(name)
            for name in os.listdir("/proc")
            if name.isdigit() and wanted in _read(int(name), "environ").split(b"\0")
        ]

    def end(self) -> subprocess.CompletedProcess[str]:
        """Waits for the command, which ends by itself."""
        out, err = self.process.communicate(timeout=100)
        return subprocess.CompletedProcess(self.process.args, self.process.returncode, out, err)

    @property
    def page(self) -> memoryview | None:
        """The page that sender and receiver share, None until there is one."""
        if self._page is None:
            directory = f"/proc/{self.process.pid}/fd"
            try:
                for name in os.listdir(directory):
                    if "memfd:iotrace-scenario" in os.readlink(f"{directory}/{name}"):
                        fd = os.open(f"{directory}/{name}", os.O_RDWR)
                        if os.fstat(fd).st_size:  # it has its size a moment after its name
                            self._page = memoryview(mmap.mmap(fd, mmap.PAGESIZE)).cast("Q")
                        os.close(fd)
                        break
            except OSError:  # a descriptor, or the process, that has gone meanwhile
                pass
        return self._page

    def check_running(self) -> None:
        """Lets it run for 5 ms; raises AssertionError where it has ended."""
        try:
            self.process.wait(0.005)
        except subprocess.TimeoutExpired:
            return
        done = self.end()
        raise AssertionError(f"ended with {done.returncode}: {done.stderr}")


def _read(pid: int, name: str) -> bytes:
    try:
        return Path(f"/proc/{pid}/{name}").read_bytes()
    except OSError:
        return b""


@contextmanager
def running(
    *arguments: object, env: dict[str, str] | None = None, before: tuple[str, ...] = ()
) -> Iterator[Running]:
    """iotrace started, by the command `before`, as Running; killed at the end with what it left."""
    mark = uuid.uuid4().hex
    process = subprocess.Popen(
        [*before, *IOTRACE, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1", **(env or {}), _MARK: mark},
        # a shell's background job ignores Ctrl-C, and so would all that it starts
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    run = Running(process, mark)
    try:
        yield run
    finally:
        for pid in run.processes():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        process.communicate()


@contextmanager
def beside(program: str, count: int = 1) -> Iterator[list[subprocess.Popen[bytes]]]:
    """`count` Python processes that run `program` while the test does; each says when it has begun."""
    started = [
        subprocess.Popen(
            [sys.executable, "-c", "print(flush=True)\n" + program], stdout=subprocess.PIPE
        )
        for _ in range(count)
    ]
    try:
        for process in started:
            assert process.stdout, "it has a pipe"
            process.stdout.readline()
        yield started
    finally:
        for process in started:
            process.kill()
            process.communicate()


def check_operations(report: dict[str, Any]) -> None:
    """Boundaries in order, phases that sum to done − ask, threads whose states sum to their lifetime."""
    for op in report["operations"]:
        times = [op[name] for name in BOUNDARIES]
        assert times == sorted(times), op
        assert op["queued_ns"] >= 0
        for name in op.get("raw", {}):
            assert name.removesuffix("_ns") in op["estimated"], op
    assert sum(report["phases"][name]["total_ns"] for name in terms.PHASES) == sum(
        op["done_ns"] - op["ask_ns"] for op in report["operations"]
    )
    assert {phase["count"] for phase in report["phases"].values()} == {len(report["operations"])}
    for thread in report["threads"]:
        assert min(thread[state] for state in STATES) >= 0, thread
        assert sum(thread[state] for state in STATES) == thread["end_ns"] - thread["start_ns"], (
            thread
        )


def check_counts(report: dict[str, Any]) -> None:
    """The program's own notes are what was traced: every call, every error, every signal, every byte.

    In an open loop CPython may run one handler for several deliveries.
    """
    expected = report["expected"]
    calls = dict.fromkeys(expected["calls"], 0)
    for call in report["syscalls"]:
        name = syscalls.class_of(call["name"])
        if name in calls:
            calls[name] += call["calls"]
    assert calls == expected["calls"]
    for name, errors in expected["errors"].items():
        traced = [
            call["errors"] for call in report["syscalls"] if syscalls.class_of(call["name"]) == name
        ]
        for error, count in errors.items():
            assert sum(its.get(error, 0) for its in traced) == count
    for name, count in expected["signals"].items():
        delivered = [
            signal["delivered"] + signal["taken"]
            for signal in report["signals"]
            if signal["name"] == name
        ]
        assert delivered == [count] or (report["options"]["open_loop"] and delivered[0] > count)
    assert sum(op["bytes"] for op in report["operations"]) == expected["bytes"]
    assert expected["differences"] == [] and all(expected["match"].values())


def check_nothing_lost(report: dict[str, Any]) -> None:
    """A ledger that balances, with nothing lost."""
    ledger = report["ledger"]
    assert (
        ledger["lost"] == 0
        and ledger["untracked"] == 0
        and ledger["unlearnt"] == 0
        and not ledger["missed"]
    )
    assert ledger["counted"] == ledger["delivered"] > 0
    assert ledger["balanced"]


def check_closed_loop(report: dict[str, Any], scenario: str, messages: int, size: int = 64) -> None:
    """All that holds of a closed loop of `messages` messages under the probes."""
    assert report["ended"] == "completed"
    assert [op["bytes"] for op in report["operations"]] == [size] * messages
    assert report["expected"]["messages"] == report["expected"]["sent"] == messages
    assert report["expected"]["bytes"] == messages * size
    assert report["expected"]["dropped"] == 0
    check_counts(report)
    check_operations(report)
    check_nothing_lost(report)
    for op, sent in zip(report["operations"], report["expected"]["send_begin_ns"], strict=True):
        raw = op.get("raw", {}).get("ready_ns")
        if raw is not None or "ready" not in op["estimated"]:
            assert (op["ready_ns"] if raw is None else raw) >= sent, op
    assert report["model"]["name"] == find(scenario).model, report["model"]
    assert report["model"]["synchronous"] is find(scenario).synchronous


def check_rounds(report: dict[str, Any], rounds: int) -> None:
    """All that holds of a scenario without messages under the probes."""
    assert report["ended"] == "completed"
    assert report["expected"]["messages"] == rounds
    assert list(report["operations"]) == [] and report["model"]["name"] == "none"
    wanted = find(report["scenario"]).instead
    # other work may leave them next to no CPU, or none of the second one, and who joins them sleeps
    if wanted in ("concurrent", "parallel"):
        pairs = report["lanes"]["pairs"] if report["lanes"] else []
        wanted = (
            "computing" if not pairs else "concurrent" if not pairs[0]["overlap_ns"] else wanted
        )
        asleep_ns = sum(thread["blocked_ns"] for thread in report["threads"])
        if sum(thread["user_ns"] for thread in report["threads"]) < LITTLE * asleep_ns:
            wanted = report["model"].get("instead")
    assert report["model"].get("instead") == wanted, report["model"]
    check_counts(report)
    check_operations(report)
    check_nothing_lost(report)
