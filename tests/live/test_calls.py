"""Every exit of a traced thread is accounted for: calls without an entry, calls of other ABIs, numbers of any size; and
how many calls of which name there were, against strace and perf."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from support.attaching import await_attached, ended
from support.running import check_nothing_lost, check_operations, iotrace, report_of, running

NUMBERS = (
    *("syscall_500", "syscall_16383", "x32:45", "x32:515", "syscall_0x4000", "syscall_0x7fff"),
    *("syscall_0x8003", "syscall_0xffff", "syscall_0x1002d", "syscall_0xffffffff"),
)
SAID = {"refused": 100, "traps": 100, "notified": 11, "odd": 70, "killed": 1}
# 32-bit, with no C library: getpid(2) three times, then execve(2) of what the first argument names
EXECUTES = """
__asm__(".globl _start\\n_start: mov %esp, %edi\\n"
	"mov $20, %eax\\nint $0x80\\nmov $20, %eax\\nint $0x80\\nmov $20, %eax\\nint $0x80\\n"
	"mov $11, %eax\\nmov 8(%edi), %ebx\\nlea 8(%edi), %ecx\\nxor %edx, %edx\\nint $0x80\\nud2\\n");
"""


def rows(report: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {row["name"]: row for row in report["syscalls"]}


def compiled(source: Path, *flags: str) -> Path:
    """A program, with what cc's `flags` say; skips where there is no such compiler."""
    program = source.with_suffix("")
    if (
        not shutil.which("cc")
        or subprocess.run(
            ["cc", "-O1", "-w", *flags, "-o", program, source, "-lpthread"], capture_output=True
        ).returncode
    ):
        pytest.skip(f"no C compiler (cc) that makes this of {source.name}")
    return program


def test_calls_without_an_entry_of_other_abis_and_of_any_number(tmp_path):
    """What it makes of each, the program itself says; its threads' first exits, its rt_sigreturns and its execve are
    nothing else."""
    source = Path(shutil.copy(Path(__file__).with_name("answered.c"), tmp_path))
    program, recording = compiled(source), tmp_path / "run"
    done = iotrace("trace", "--no-cost", "-v", "-o", recording, "--", program)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout.splitlines()[0])
    emulated = said.pop("emulated")
    assert said == SAID
    report = report_of("report", recording)
    calls, ledger = rows(report), report["ledger"]
    unentered = {
        name: (row["calls"], row["errors"]) for name, row in calls.items() if row["unentered"]
    }
    assert unentered.pop("getppid") == (100, {"EPERM": 100})
    assert unentered.pop("getuid") == (100, {})
    assert unentered.pop("getegid") == (11, {"EACCES": 6})
    assert unentered.pop("getpgrp") == (13, {})
    assert sum(calls[name]["unentered"] for name in unentered) == emulated - 13
    assert ledger["unentered"] == 100 + 100 + 11 + emulated
    assert {name: row["trapped"] for name, row in calls.items() if row["trapped"]} == {
        "getuid": 100
    }
    assert calls["getgid"]["calls"] == calls["rt_sigreturn"]["calls"] == 100  # SECCOMP_RET_LOG
    assert all(calls[name]["calls"] == calls[name]["errors"]["ENOSYS"] == 7 for name in NUMBERS)
    assert (calls["i386:3"]["calls"], calls["i386:20"]["calls"]) == (23, 29)
    assert [calls[name]["calls"] for name in ("i386:0x8003", "i386:0xffff")] == [1, 1]
    assert (calls["i386:3"]["abi_name"], calls["x32:515"]["abi_name"]) == ("read", "readv")
    killed = [(its["name"], its["killed_by"]) for its in report["threads"] if its["killed_by"]]
    assert killed == [("asks", "SIGSYS")]
    check_nothing_lost(report)
    check_operations(report)
    assert ledger["missing_rows"] == 0 and ledger["rows"] == ledger["delivered"] + ledger["open"]
    assert "– complete" in done.stderr and "trapped (SIGSYS) 100" in done.stderr
    check_listing(recording, calls)


def check_listing(recording: Path, calls: dict[str, dict[str, Any]]) -> None:
    """Each of those calls has its line, and a thread that a filter killed is said to have ended so."""
    lines = iotrace("report", "--events", recording).stdout.splitlines()
    trapped = [line for line in lines if line.endswith("= ? <trapped by a filter: SIGSYS>")]
    answered = [line for line in lines if "<not entered" in line]
    assert len(trapped) == 100 and all("  getuid(" in line for line in trapped)
    assert len(trapped) + len(answered) == sum(row["unentered"] for row in calls.values())
    assert sum("  getppid(…) = -1 EPERM (Operation" in line for line in answered) == 100
    assert sum("+++ killed by SIGSYS +++" in line for line in lines) == 1
    assert sum("+++ exited with 0 +++" in line for line in lines) == 7
    names = Counter(line.split()[2].partition("(")[0] for line in lines[1:])
    assert {name: names[name] for name in NUMBERS} == dict.fromkeys(NUMBERS, 7)


def test_a_32_bit_program_executes_a_64_bit_one(tmp_path):
    """The execve is the 32-bit ABI's, and what follows is not."""
    (tmp_path / "executes.c").write_text(EXECUTES)
    program = compiled(tmp_path / "executes.c", "-m32", "-nostdlib", "-static", "-fno-pic")
    options = ["--no-cost", "--as-root", "-o", tmp_path / "run"]
    done = iotrace("trace", *options, "--", program, shutil.which("true"))
    assert done.returncode == 0, done.stderr
    report = report_of("report", tmp_path / "run")
    calls = rows(report)
    assert calls["i386:20"]["calls"] == 3 and calls["i386:11"]["calls"] == 1
    assert {name for name in calls if name.startswith("i386")} == {"i386:11", "i386:20"}
    assert calls["execve"]["calls"] == 1 and calls["mmap"]["calls"] > 3
    assert [thread["name"] for thread in report["threads"]] == ["true"]


# against other tracers

COMMANDS = {
    "ls": ["ls", "-lR", "/usr/include/linux"],
    "cat": ["cat", "/usr/bin/env", "/etc/passwd"],
    "find": ["find", "/usr/lib", "-name", "*.conf"],
    "tar": ["tar", "cf", "-", "/usr/include/linux"],
    "sort": ["sort", "-u", "/etc/services"],
    "gzip": ["gzip", "-c", "/usr/bin/env"],
    "sh": ["sh", "-c", "for i in 1 2 3 4 5 6 7; do /bin/echo $i; done"],
    "python3": ["python3", "-B", "-c", "import json, subprocess; subprocess.run(['true'])"],
    "git": ["git", "--version"],
    "openssl": ["openssl", "dgst", "-sha256", "/usr/bin/env"],
    "dd": ["dd", "if=/dev/zero", "of=/dev/null", "bs=512", "count=2000"],
}
EVERYDAY = ("sh", "python3", "dd")


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[] if name in EVERYDAY else pytest.mark.thorough)
        for name in COMMANDS
    ],
)
def test_calls_and_errors_are_those_that_strace_counts(name, tmp_path):
    command = COMMANDS[name]
    if not (shutil.which("strace") and shutil.which(command[0])):
        pytest.skip(f"no strace, or no {command[0]}")
    environment = {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "HOME": str(tmp_path)}
    quiet = {"env": environment, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    columns = ["-U", "name,calls,errors", "-o", tmp_path / "counts"]
    subprocess.run(["strace", "-f", "-c", *columns, *command], check=True, **quiet)
    options = ["--no-cost", "--as-root", "-o", tmp_path / "run"]
    subprocess.run(
        [sys.executable, "-B", "-m", "tracer", "trace", *options, "--", *command],
        check=True,
        cwd=Path(__file__).parents[2],
        **quiet,
    )
    report = report_of("report", tmp_path / "run")
    ours = {row["name"]: (row["calls"], sum(row["errors"].values())) for row in report["syscalls"]}
    assert ours == counted_by_strace((tmp_path / "counts").read_text())
    check_nothing_lost(report)


def counted_by_strace(text: str) -> dict[str, tuple[int, int]]:
    """Name → (calls, errors), from strace's table."""
    lines = [line.split() for line in text.splitlines()[2:]]
    return {
        words[0]: (int(words[1]), int(words[2]) if len(words) > 2 else 0)
        for words in lines
        if len(words) > 1 and words[1].isdigit() and words[0] != "total"
    }


LOAD = """
import ctypes, os, sys
call = ctypes.CDLL(None).syscall
print("ready", flush=True)
os.read(0, 1)
for _ in range(1009):
    os.getppid()
    call(45056)
os.write(1, b"done\\n")
os.read(0, 1)
"""


def test_exits_are_those_that_perf_counts(tmp_path):
    """A load that begins after both are there and ends before either goes."""
    if not shutil.which("perf"):
        pytest.skip("no perf")
    if subprocess.run(
        ["perf", "stat", "-e", "raw_syscalls:sys_exit", "true"], capture_output=True
    ).returncode:
        pytest.skip("perf cannot count raw_syscalls:sys_exit here")
    with subprocess.Popen(
        [sys.executable, "-c", LOAD], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as target:
        try:
            assert target.stdout.readline() == b"ready\n"
            with (
                Perf(target.pid, tmp_path / "counts") as control,
                running("attach", "-p", target.pid, "--no-cost", "--json") as run,
            ):
                await_attached(run, target.pid)
                control("enable")
                target.stdin.write(b"x")
                target.stdin.flush()
                assert target.stdout.readline() == b"done\n"
                control("disable")
                report = ended(run)
        finally:
            target.kill()
    calls = rows(report)
    assert calls["getppid"]["calls"] == calls["syscall_0xb000"]["calls"] == 1009
    exits = sum(row["calls"] for row in report["syscalls"])
    (counted,) = [
        int(line.split(",")[0])
        for line in (tmp_path / "counts").read_text().splitlines()
        if "raw_syscalls:sys_exit" in line
    ]
    assert exits == counted
    check_nothing_lost(report)


class Perf:
    """perf stat of a process; called with enable or disable it returns when that is done."""

    def __init__(self, pid: int, path: Path) -> None:
        self._control, self._acknowledged = os.pipe(), os.pipe()
        fds = self._control[0], self._acknowledged[1]
        self._process = subprocess.Popen(
            [
                *("perf", "stat", "-x", ",", "-o", path, "-D", "-1", "-p", str(pid)),
                *("-e", "raw_syscalls:sys_exit", "--control", f"fd:{fds[0]},{fds[1]}"),
            ],
            pass_fds=fds,
        )

    def __enter__(self) -> Perf:
        return self

    def __call__(self, word: str) -> None:
        os.write(self._control[1], word.encode() + b"\n")
        assert os.read(self._acknowledged[0], 16).startswith(b"ack")

    def __exit__(self, *_exc: object) -> None:
        self._process.send_signal(2)
        self._process.wait()
        for fd in (*self._control, *self._acknowledged):
            os.close(fd)
