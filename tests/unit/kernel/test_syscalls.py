"""tracer/kernel/syscalls.py: which call a record means, of whatever ABI and number, and what it is called."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracer.bpf.build import PROBES
from tracer.kernel import syscalls
from tracer.kernel.syscalls import I386, X32_ABI, X86_64, Call


@given(st.integers(0, (1 << 32) - 1), st.booleans())
def test_a_record_holds_any_number_whole(number: int, compat: bool) -> None:
    nr, arg = syscalls.coded(number, compat)
    assert nr < 1 << 16 and arg < 1 << 32
    call = Call.of(nr, arg)
    if compat:
        assert call == (I386, number)
    elif call.abi == X32_ABI:
        assert call.number | syscalls.X32 == number and call.number < 1024
    else:
        assert call == (X86_64, number)


def test_no_two_calls_of_one_abi_have_one_name() -> None:
    numbers = [*range(600), *(1 << bit for bit in range(32)), 0x8003, 0xFFFF, 0x1002D, 0xFFFFFFFF]
    codes = {syscalls.coded(number, compat) for number in numbers for compat in (False, True)}
    assert len({syscalls.name_of(*code) for code in codes}) == len(codes)


@pytest.mark.parametrize(
    ("number", "compat", "name", "in_abi"),
    [
        (45, False, "recvfrom", "recvfrom"),
        (0x1002D, False, "syscall_0x1002d", None),
        (0x8003, False, "syscall_0x8003", None),
        (0xFFFF, False, "syscall_0xffff", None),
        (0xFFFFFFFF, False, "syscall_0xffffffff", None),
        (9999, False, "syscall_9999", None),
        (0x4000002D, False, "x32:45", None),  # x32's recvfrom is 517
        (0x40000000 + 517, False, "x32:517", "recvfrom"),
        (0x40000000, False, "x32:0", "read"),
        (3, True, "i386:3", "read"),
        (20, True, "i386:20", "getpid"),
        (0x8003, True, "i386:0x8003", None),
    ],
)
def test_names(number: int, compat: bool, name: str, in_abi: str | None) -> None:
    call = Call.of(*syscalls.coded(number, compat))
    assert (call.name, call.name_in_abi) == (name, in_abi)


def test_an_older_recording_has_no_number_beside_nr() -> None:
    assert syscalls.name_of(syscalls.WHOLE, 0) == "syscall_0x7fff"


def test_the_marks_of_a_number_are_those_of_the_header() -> None:
    header = (PROBES / "iotrace.h").read_text()
    found = {name: int(value, 0) for name, value in re.findall(r"#define NR_(\w+) (0x\w+)", header)}
    assert found == {
        "COMPAT": syscalls.COMPAT,
        "WHOLE": syscalls.WHOLE,
        "MOST": syscalls.MOST,
    }
