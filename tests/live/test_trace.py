"""`iotrace trace` on the running kernel: the command is what it would be without, and every call of it is seen."""

from __future__ import annotations

import json
import os
import pty
import pwd
import re
import select
import shutil
import signal
import socket
import subprocess
import sys
from collections import Counter

import pytest
from support.running import (
    IOTRACE,
    NOBODY,
    ROOT,
    assert_one_line,
    check_nothing_lost,
    check_operations,
    iotrace,
    report_of,
    running,
    traced,
)
from support.running import PYTHON_TRACED as PYTHON

from tracer.kernel import syscall_filter, syscalls


def calls(report: dict) -> Counter:
    return Counter({call["name"]: call["calls"] for call in report["syscalls"]})


# 32-bit, with no C library: socketpair(1, 1, 0), then 23 times write(2) and read(2), exit(2) (arch/x86/entry/
# syscalls/syscall_32.tbl)
I386 = """
static int call(int nr, long a, long b, long c, long d)
{
	int result;
	__asm__ volatile("int $0x80" : "=a"(result) : "a"(nr), "b"(a), "c"(b), "d"(c), "S"(d) : "memory");
	return result;
}
void _start(void)
{
	int ends[2];
	char byte = 0;
	call(360, 1, 1, 0, (long)ends);
	for (int i = 0; i < 23; i++) {
		call(4, ends[0], (long)&byte, 1, 0);
		call(3, ends[1], (long)&byte, 1, 0);
	}
	call(1, 0, 0, 0, 0);
}
"""


def test_a_32_bit_program_is_counted_and_said_not_to_be_decoded(tmp_path):
    (tmp_path / "i386.c").write_text(I386)
    flags = ["-m32", "-nostdlib", "-static", "-fno-pic", "-fno-stack-protector"]
    if (
        not shutil.which("gcc")
        or subprocess.run(
            ["gcc", *flags, "-o", tmp_path / "i386", tmp_path / "i386.c"], capture_output=True
        ).returncode
    ):
        pytest.skip("no gcc that makes 32-bit programs")
    report = json.loads(
        iotrace("trace", "--no-cost", "--json", "--as-root", "--", tmp_path / "i386").stdout
    )
    assert calls(report) >= Counter({"i386:360": 1, "i386:3": 23, "i386:4": 23})
    assert report["model"]["name"] == "none"
    for its in (report, *report["processes"]):
        (line,) = its["model"]["evidence"]
        assert re.match(
            r"4[78] calls were made by the 32-bit ABI: counted, but not decoded", line
        )  # exit may count, too
    check_nothing_lost(report)


# the command is as it would be


@pytest.mark.parametrize("ignored", [[], ["PIPE"], ["PIPE", "XFSZ", "INT", "HUP"]])
def test_signals_are_ignored_that_were_ignored_and_no_others(ignored, tmp_path):
    """By the installed command, whose first lines setup/install writes; Python alone cannot know of SIGPIPE."""
    install = (ROOT / "setup" / "install").read_text()
    script = install.partition('/iotrace" <<EOF\n')[2].partition("EOF\n")[0].replace("\\$", "$")
    end = "\n'''\n"  # of the shell's part
    head = script.partition(end)[0] + end
    assert head.startswith("#!/bin/sh\n") and "SigIgn" in head
    checkout = "" if sys.flags.isolated else f"sys.path.insert(0, {str(ROOT)!r})"
    body = f"import runpy, sys\n{checkout}\nrunpy.run_module('tracer', run_name='__main__')\n"
    command = tmp_path / "iotrace"
    command.write_text(head.replace("$PREFIX/bin/python3", sys.executable) + body)
    command.chmod(0o755)
    reads = ["grep", "SigIgn", "/proc/self/status"]
    traps = "".join(f"trap '' {name}; " for name in ignored)
    plain, traced_ = (
        subprocess.run(
            ["sh", "-c", f'{traps}exec "$@"', "sh", *before, *reads],
            capture_output=True,
            text=True,
            restore_signals=True,
        )
        for before in ([], [command, "trace", "--no-cost", "--as-root", "--"])
    )
    assert traced_.returncode == 0, traced_.stderr
    assert traced_.stdout == plain.stdout


def test_streams_are_the_commands_own():
    done = subprocess.run(
        [*IOTRACE, "trace", "--no-cost", "--", "sh", "-c", "cat; echo err >&2"],
        cwd=ROOT,
        input="through\n",
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0
    assert done.stdout == "through\n"
    assert done.stderr.startswith("err\n") and "Verdict" in done.stderr


def test_environment_directory_and_descriptors_are_unchanged(tmp_path):
    show = (
        "import os; print(sorted(os.environb.items()), os.getcwd(), os.umask(0), sorted(os.listdir('/proc/self/fd')), "
        "[l for l in open('/proc/self/status') if l.startswith(('Sig', 'Shd'))], open('/proc/self/limits').read())"
    )
    read_end, write_end = os.pipe()
    # not Python's environment alone: LC_CTYPE is what an interpreter may set for itself (PEP 538)
    env = {"A": "1", "B": "=x=", "PATH": os.environ["PATH"]}
    python = [PYTHON, "-X", "utf8=0", "-I", "-c", show]
    traced_by = [*_IOTRACE, "trace", "--no-cost", "--"]
    plain, through = (
        subprocess.run(
            [*before, *python],
            env=env,
            cwd=tmp_path,
            pass_fds=[read_end],
            capture_output=True,
            text=True,
        )
        for before in ([], traced_by)
    )
    os.close(read_end)
    os.close(write_end)
    assert through.returncode == 0, through.stderr
    assert through.stdout == plain.stdout


_IOTRACE = [
    sys.executable,
    "-c",
    f"import sys; sys.path.insert(0, {str(ROOT)!r}); from tracer.cli.main import main; main()",
]


@pytest.mark.parametrize(
    ("command", "status"),
    [
        (["true"], 0),
        (["false"], 1),
        (["sh", "-c", "exit 42"], 42),
        (["sh", "-c", "kill -9 $$"], 137),
        (["sh", "-c", "kill -TERM $$"], 143),
    ],
)
def test_status_is_the_commands(command, status):
    assert iotrace("trace", "--no-cost", "--", *command).returncode == status


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (["/etc"], 126, ["/etc", "Permission denied"]),
        (["no-such-command"], 127, ["no-such-command", "not found"]),
        (["-e", "trace=nonsense", "true"], 125, ["nonsense"]),
        (["--ring-size", "5000", "true"], 125, ["power of two"]),
        (["-o", "/no/such/directory/run", "true"], 125, ["/no/such/directory"]),
    ],
)
def test_what_cannot_be_run(arguments, status, words):
    assert_one_line(iotrace("trace", "--no-cost", *arguments), status, *words)


@pytest.mark.parametrize(
    "arguments", [[], ["--nonsense", "true"], ["-d", "0", "true"], ["-d", "nan", "true"]]
)
def test_wrong_usage_is_no_status_of_a_command(arguments):
    assert_one_line(iotrace("trace", *arguments), 125)


def test_without_root():
    if os.geteuid() != 0:
        pytest.skip("needs a user to become")
    done = iotrace("trace", "--", "true", user=NOBODY)
    if "No module" in done.stderr:
        pytest.skip("user nobody cannot read this checkout or its environment")
    assert_one_line(done, 125, "root")


@pytest.mark.parametrize(
    "user",
    [
        {"SUDO_UID": str(NOBODY), "SUDO_GID": str(NOBODY)},
        {"PKEXEC_UID": str(NOBODY)},
        {"DOAS_USER": "nobody"},
    ],
    ids=["sudo", "pkexec", "doas"],
)
def test_runs_as_the_invoking_user(user, tmp_path):
    command = ["sh", "-c", "id -u; id -g; echo $HOME $SHELL $MAIL"]
    asked = {**user, "SHELL": "/root/shell", "MAIL": "/var/mail/root"}
    done = iotrace("trace", "--no-cost", "-o", tmp_path / "run", "--", *command, env=asked)
    its = pwd.getpwuid(NOBODY)
    wanted = [str(NOBODY), str(its.pw_gid), its.pw_dir, its.pw_shell, "/var/mail/nobody"]
    assert done.stdout.split() == wanted, done.stderr
    assert (tmp_path / "run").stat().st_uid == NOBODY
    assert (
        iotrace("trace", "--no-cost", "--as-root", "--", *command, env=user).stdout.split()[0]
        == "0"
    )


def test_a_command_whose_name_moves_the_cursor_is_one_line():
    assert_one_line(
        iotrace("trace", "--", "no\nsuch\x1b[31m"), 127, r"no\nsuch\x1b[31m: command not found"
    )


def test_a_directory_that_is_gone(tmp_path):
    gone = 'cd "$0" && rmdir "$0" && exec "$@"'
    (tmp_path / "gone").mkdir()
    run = [
        sys.executable,
        "-c",
        f"import sys; sys.path.insert(0, {str(ROOT)!r}); from tracer.cli.main import main; main()",
    ]
    done = subprocess.run(
        ["sh", "-c", gone, tmp_path / "gone", *run, "trace", "-o", "run", "--", "true"],
        text=True,
        capture_output=True,
    )
    assert_one_line(done, 125, "run: the current directory is gone")


def test_a_clock_that_is_not_the_kernels_is_refused():
    shifted = ["unshare", "--time", "--monotonic", "1000000", "--fork"]
    if subprocess.run([*shifted, "true"], capture_output=True).returncode:
        pytest.skip("no time namespaces here")
    done = subprocess.run(
        [*shifted, *IOTRACE, "trace", "--", "true"], cwd=ROOT, capture_output=True, text=True
    )
    assert_one_line(done, 125, "CLOCK_MONOTONIC", "time namespace")


# signals


def test_a_signal_sent_to_iotrace_reaches_the_command():
    program = ["sh", "-c", "trap 'echo told; exit 7' TERM; echo ready; while :; do read line; done"]
    process = subprocess.Popen(
        [*IOTRACE, "trace", "--no-cost", "--", *program],
        cwd=ROOT,
        text=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate("\n" * 10, timeout=60)
    assert process.returncode == 7 and out == "told\n"
    assert "Verdict" in err


def test_ctrl_c_on_a_terminal_is_the_commands_affair():
    """Both are in the terminal's foreground: the command gets it once, and from the terminal alone."""
    program = (
        "import signal, time\ngot = []\nsignal.signal(signal.SIGINT, lambda *_: got.append(1))\n"
        "print('ready', flush=True)\nwhile not got: signal.pause()\n"
        "print('got', len(got), signal.sigtimedwait([signal.SIGINT], 0), flush=True)\nraise SystemExit(3)"
    )
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(ROOT)
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.execv(IOTRACE[0], [*IOTRACE, "trace", "--no-cost", "--", PYTHON, "-c", program])
    shown = b""
    while b"ready" not in shown:
        shown += os.read(terminal, 1000)
    os.write(terminal, b"\x03")
    while True:
        try:
            more = os.read(terminal, 10000)
        except OSError:  # EIO: the other side is closed
            break
        if not more:
            break
        shown += more
    _, status = os.waitpid(pid, 0)
    os.close(terminal)
    assert os.waitstatus_to_exitcode(status) == 3
    assert b"got 1 None" in shown and b"Verdict" in shown


def test_duration_ends_the_command_and_shows_what_there_is(tmp_path):
    done = iotrace(
        "trace", "--no-cost", "-d", 1, "-o", tmp_path / "run", "--json", "--", "sleep", "1000"
    )
    assert done.returncode == 143
    report = json.loads(done.stdout)
    assert report["ended"] == "duration" and report["target"]["exit_status"] == 143
    assert report_of("report", tmp_path / "run") == report


def test_killed_iotrace_leaves_the_command_alone(tmp_path):
    """Whatever kills iotrace must not end what it traced: that goes on untraced, to its own end."""
    fifo, end = tmp_path / "fifo", tmp_path / "end"
    os.mkfifo(fifo)
    with running(
        "trace",
        "--no-cost",
        "-o",
        tmp_path / "run",
        "--",
        "sh",
        "-c",
        'echo; read line <"$0"; echo "$line" >"$1"',
        fifo,
        end,
    ) as run:
        run.process.stdout.readline()
        shell = os.pidfd_open(next(pid for pid in run.processes() if pid != run.process.pid))
        run.process.kill()
        run.process.wait()
        fifo.write_text("it goes on\n")
        assert select.select([shell], [], [], 60)[0]
        os.close(shell)
    assert end.read_text() == "it goes on\n"
    assert {*os.listdir(tmp_path)} - {"run.partial"} == {"end", "fifo"}


@pytest.mark.parametrize("user", [None, NOBODY])
def test_no_signal_waits_for_the_death_of_the_commands_parent(user):
    show = "import ctypes\nn = ctypes.c_int(-1)\nctypes.CDLL(None).prctl(2, ctypes.byref(n), 0, 0, 0)\nprint(n.value)"
    env = {} if user is None else {"SUDO_UID": str(user), "SUDO_GID": str(user)}
    done = iotrace("trace", "--no-cost", "--", PYTHON, "-c", show, env=env)
    assert done.returncode == 0 and done.stdout == "0\n"


@pytest.mark.parametrize(
    ("options", "mode"), [((), 0o600), (("--mode", "640"), 0o640), (("--mode", "0444"), 0o444)]
)
@pytest.mark.parametrize(
    "command",
    [
        ("trace", "--", "true"),
        ("run", "blocking", "--messages", 1),
        ("attach", "-d", 0.1, "-p", os.getpid()),
    ],
)
def test_a_recording_is_the_invoking_users_alone_unless_they_say_otherwise(
    command, options, mode, tmp_path
):
    path = tmp_path / "run"
    env = {"SUDO_UID": str(NOBODY), "SUDO_GID": str(NOBODY)}
    done = iotrace(command[0], "--no-cost", "-o", path, *options, *command[1:], env=env)
    assert done.returncode == 0, done.stderr
    assert (path.stat().st_mode & 0o7777, path.stat().st_uid, path.stat().st_gid) == (
        mode,
        NOBODY,
        NOBODY,
    )


@pytest.mark.parametrize("mode", ["", "8", "999", "u+r", "-1", "4755", "77"])
def test_what_is_no_mode(mode, tmp_path):
    assert_one_line(
        iotrace("trace", "-o", tmp_path / "run", "--mode", mode, "--", "true"), 125, "mode"
    )
    assert os.listdir(tmp_path) == []


# what is seen


def test_twenty_three_receives_are_twenty_three_operations():
    report = traced(
        "import socket; a, b = socket.socketpair()\nfor i in range(23): a.send(b'x' * 7); b.recv(100)"
    )
    mine = [op for op in report["operations"] if op["bytes"] == 7]
    assert len(mine) == len(report["operations"]) == 23
    assert calls(report)["recvfrom"] == calls(report)["sendto"] == 23
    assert report["scenario"] is None and report["target"]["command"][0] == PYTHON
    assert report["base_ns"] > 0 and report["window_ns"][0] == 0
    check_operations(report)
    check_nothing_lost(report)


def test_descriptors_that_were_inherited_are_known_however_many(tmp_path):
    one, other = socket.socketpair()
    high = [300, 301]
    for end, fd in zip((one, other), high, strict=True):
        os.dup2(end.fileno(), fd, inheritable=True)
    program = (
        "import socket; a, b = socket.socket(fileno=300), socket.socket(fileno=301)\n"
        "for i in range(23): a.send(b'x' * 7); b.recv(9)"
    )
    try:
        done = subprocess.run(
            [*IOTRACE, "trace", "--no-cost", "--json", "--", PYTHON, "-c", program],
            cwd=ROOT,
            capture_output=True,
            text=True,
            pass_fds=high,
        )
    finally:
        for fd in high:
            os.close(fd)
    report = json.loads(done.stdout)
    mine = [op for op in report["operations"] if op["fd"] == 301]
    assert len(mine) == 23 and not any(
        "ready" in op["estimated"] and "raw" not in op for op in mine
    )
    check_nothing_lost(report)


TREE = """
import os, subprocess, threading
def work():
    for _ in range(23): os.getppid()
threads = [threading.Thread(target=work) for _ in range(5)]
[t.start() for t in threads]; [t.join() for t in threads]
if os.fork() == 0: work(); os._exit(0)
os.wait()
subprocess.run(["/usr/bin/env", "true"])
"""


def test_threads_forks_and_execs_are_followed():
    report = traced(TREE)
    assert calls(report)["getppid"] == 6 * 23
    assert {"true", "python3"} <= {thread["name"] for thread in report["threads"]}
    assert len(report["threads"]) == 1 + 5 + 2
    check_nothing_lost(report)


def test_no_follow_is_the_first_thread_alone():
    report = traced(TREE, "--no-follow")
    assert calls(report)["getppid"] == 0 and len(report["threads"]) == 1
    assert calls(report)["execve"] == 1 and calls(report)["wait4"] == 2


@pytest.mark.skipif(not shutil.which("strace"), reason="strace is not installed")
def test_strace_counts_the_same_calls(tmp_path):
    program = (
        TREE
        + "import socket; a, b = socket.socketpair()\nfor i in range(23): a.send(b'x'); b.recv(9)\n"
    )
    env = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "PYTHONHASHSEED": "0"}
    subprocess.run(
        ["strace", "-f", "-c", "-o", tmp_path / "counts", PYTHON, "-c", program],
        check=True,
        env=env,
        capture_output=True,
    )
    rows = [line.split() for line in (tmp_path / "counts").read_text().splitlines()]
    # % time, seconds, usecs/call, calls, [errors,] syscall
    wanted = {
        row[-1]: (int(row[3]), int(row[4]) if len(row) == 6 else 0)
        for row in rows
        if len(row) in (5, 6) and re.fullmatch(r"[\d.]+", row[0]) and row[-1] != "total"
    }
    report = traced(program, env={"PYTHONHASHSEED": "0"})
    seen = {
        call["name"]: (call["calls"], sum(call["errors"].values())) for call in report["syscalls"]
    }
    # how often threads meet on a lock is chance; the last call of a thread never returns, and only strace counts those
    for name in (
        "futex",
        "exit",
        "exit_group",
        "restart_syscall",
        "sched_yield",
        "madvise",
        "munmap",
        "mmap",
        "mprotect",
        "brk",
        "rt_sigreturn",
    ):
        wanted.pop(name, None)
        seen.pop(name, None)
    assert seen == wanted


def test_filters():
    program = (
        "import socket; a, b = socket.socketpair()\nfor i in range(23): a.send(b'x'); b.recv(9)"
    )
    report = traced(program, "-e", "trace=network")
    assert calls(report).items() >= {"socketpair": 1, "sendto": 23, "recvfrom": 23}.items()
    assert {syscalls.numbers()[name] for name in calls(report)} <= syscall_filter.classes()[
        "%network"
    ]
    assert len(report["operations"]) == 23
    assert calls(traced(program, "-e", "recvfrom,getppid")) == {"recvfrom": 23}
    assert "recvfrom" not in calls(traced(program, "-e", "trace=!recvfrom"))
    check_nothing_lost(report)


def test_loss_is_said():
    program = "import os\nfor i in range(20000): os.getppid()"
    done = iotrace(
        "trace", "--no-cost", "--strict", "--ring-size", 4096, "--json", "--", PYTHON, "-c", program
    )
    ledger = json.loads(done.stdout)["ledger"]
    assert (
        done.returncode == 4
        and ledger["lost"] > 0
        and ledger["counted"] == ledger["delivered"] + ledger["lost"]
    )


def test_a_thousand_threads_are_followed_without_loss():
    program = """
import threading, os
gate = threading.Barrier(1001)
def work(): gate.wait(); os.getppid(); gate.wait()
threading.stack_size(65536)
threads = [threading.Thread(target=work) for _ in range(1000)]
[t.start() for t in threads]; gate.wait(); gate.wait(); [t.join() for t in threads]
"""
    report = traced(program)
    assert calls(report)["getppid"] == 1000 and len(report["threads"]) == 1001
    check_nothing_lost(report)


def test_what_an_event_costs_is_estimated(tmp_path):
    from tracer.recording import parquet

    iotrace("trace", "-o", tmp_path / "run", "--", "true")
    facts = parquet.read_facts(str(tmp_path / "run"))
    assert facts["event_cost_ns"] >= 0
    check_nothing_lost(report_of("report", tmp_path / "run"))
