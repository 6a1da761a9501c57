"""tracer/bpf/actions.py: the bits are those of probes/iotrace.h, and every call has its place in the probes' table."""

from __future__ import annotations

import re

from tracer.bpf.actions import Learn, actions
from tracer.bpf.build import PROBES
from tracer.kernel import syscalls


def test_what_is_learnt_has_the_bits_of_the_header():
    header = (PROBES / "iotrace.h").read_text()
    assert {learn.name: learn.value for learn in Learn} == {
        name: int(bit) for name, bit in re.findall(r"#define LEARN_(\w+) (\d+)", header)
    }


def test_every_receive_teaches_its_descriptor_and_every_call_has_a_place_in_the_table():
    table = actions()
    assert all(number < 512 for number in table)
    for number in syscalls.class_numbers(syscalls.RECEIVE):
        assert table[number][1] & Learn.FIRST
    assert {keep for keep, _ in table.values()} == {0, 1, 2, 3, 5}  # sys_exit knows these
