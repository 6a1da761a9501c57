"""tracer/kernel/arch: registers lie where the header that the probes are compiled with has them."""

from __future__ import annotations

import re

from tracer.bpf.build import PROBES
from tracer.kernel.arch.x86_64 import CONSTANTS

READ = {"CX": "cx", "NUMBER": "orig_ax", "IP": "ip"}  # beside the arguments
ARGUMENTS = ("di", "si", "dx", "r10", "r8", "r9")  # of a system call, syscall(2)


def test_registers_of_x86_64_are_those_of_struct_pt_regs():
    header = (PROBES / "include" / "uapi" / "linux" / "ptrace.h").read_text()
    body = re.search(r"struct pt_regs \{(.*?)\};", header, re.S)[1]
    fields = re.findall(r"\w+(?=[,;])", body)
    offsets = {name: 8 * place for place, name in enumerate(fields)}
    read = {f"REG_{name}": register for name, register in READ.items()}
    for name, register in read.items():
        assert CONSTANTS["REGS_ARGUMENTS"] + 8 * CONSTANTS[name] == offsets[register], name
        assert CONSTANTS[name] < CONSTANTS["REGS_COUNT"]
    assert CONSTANTS["REGS_CODE_SEGMENT"] == offsets["cs"]
    for number, register in enumerate(ARGUMENTS):
        if f"ARG{number}" in CONSTANTS:
            place = CONSTANTS["REGS_ARGUMENTS"] + 8 * CONSTANTS[f"ARG{number}"]
            assert place == offsets[register], register
    assert {"ARG0", "ARG1", "ARG2", "ARG3", "ARG4"} <= CONSTANTS.keys()
