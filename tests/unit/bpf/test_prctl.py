"""tracer/bpf/prctl.py and the gate say to the probes what probes/iotrace.h defines, which both know by number."""

from __future__ import annotations

import re

from tracer.bpf import prctl
from tracer.bpf.build import PROBES
from tracer.capture import exec_gate

HEADER = (PROBES / "iotrace.h").read_text()


def defined(name: str) -> int:
    number = re.search(rf"^#define {name} (\w+)", HEADER, re.M)
    assert number, name
    return int(number[1], 0)


def test_each_option_has_the_headers_number() -> None:
    names = re.findall(r"^#define (PRCTL_\w+)", HEADER, re.M)
    ours = vars(prctl) | vars(exec_gate)
    assert len(names) == 6
    assert {name: ours.get(name) for name in names} == {name: defined(name) for name in names}


def test_the_gate_learns_as_many_descriptors_at_once_as_the_probes() -> None:
    assert defined("DESCRIPTORS_AT_ONCE") == exec_gate.DESCRIPTORS_AT_ONCE
