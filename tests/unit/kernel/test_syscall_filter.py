"""tracer/kernel/syscall_filter.py: strace's expressions; where strace is installed, against strace itself."""

from __future__ import annotations

import re
import shutil
import subprocess

import pytest

from tracer.kernel import syscalls
from tracer.kernel.syscall_filter import FilterError, classes, parse


def named(expression: str) -> set[str]:
    return {syscalls.name_of(number) for number in parse(expression)}


def test_calls_and_classes():
    assert named("trace=recvfrom,epoll_wait") == {"recvfrom", "epoll_wait"}
    assert named("recvfrom") == named("t=recvfrom") == {"recvfrom"}
    assert named("trace=network") == named("trace=%network") == named("%net")
    assert {"socket", "recvfrom", "sendmsg", "accept4"} <= named("%network")
    assert not named("%network") & {"read", "epoll_wait", "openat"}
    assert {"read", "epoll_wait", "accept4"} - named("desc") == {
        "accept4"
    }  # strace's table has it in network alone
    assert {"openat", "execve"} <= named("file") and "futex" not in named("file")


def test_negation_and_all_and_none():
    everything = set(syscalls.numbers())
    assert named("all") == everything and named("none") == set()
    assert named("trace=!network") == everything - named("network")
    assert named("trace=!read,%file") == everything - {"read"} - named("%file")


def test_regular_expressions_and_calls_that_need_not_exist():
    assert named("/^epoll_") >= {"epoll_wait", "epoll_ctl", "epoll_pwait2"}
    assert named("?no_such_call,read") == {"read"}


@pytest.mark.parametrize(
    ("expression", "said"),
    [
        ("trace=recvform", "did you mean recvfrom?"),
        ("trace=%netwrok", "%network"),
        ("signal=SIGIO", "only -e trace="),
        ("trace=", "''"),
        ("trace=read,", "''"),
        ("/(", "/("),
        ("trace=stat%", "stat%"),
    ],
)
def test_nonsense_names_its_word(expression, said):
    with pytest.raises(FilterError) as error:
        parse(expression)
    assert said in str(error.value)


def test_every_class_has_calls_of_the_table():
    assert {
        "%desc",
        "%file",
        "%memory",
        "%process",
        "%signal",
        "%ipc",
        "%network",
    } <= classes().keys()
    assert all(numbers and numbers <= syscalls.names().keys() for numbers in classes().values())


@pytest.mark.skipif(not shutil.which("strace"), reason="strace is not installed")
@pytest.mark.parametrize(
    "expression",
    [
        "trace=network",
        "trace=%file",
        "trace=desc",
        "trace=process",
        "trace=%memory",
        "trace=!desc,file",
        "trace=/^rt_sig",
    ],
)
def test_strace_selects_the_same_calls(expression):
    """Of those that one command makes."""
    command = [
        "python3",
        "-c",
        "import socket, os; a, b = socket.socketpair(); a.send(b'x'); b.recv(1); "
        "os.fork() or os._exit(0); os.wait()",
    ]

    def calls(option: str) -> set[str]:
        err = subprocess.run(
            ["strace", "-e", option, *command], capture_output=True, text=True
        ).stderr
        return set(re.findall(r"^(\w+)\(", err, re.M))

    made = calls("trace=all")
    if not made:
        pytest.skip("strace cannot trace here")
    assert calls(expression) == made & named(expression)
