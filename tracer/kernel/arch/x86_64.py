"""x86-64: where the kernel keeps a call's registers, and how to tell a 32-bit program.

System call numbers are in tracer/kernel/data/syscalls.tsv. Other CPUs see loads and stores in their order, but for a
load that may overtake an earlier store (Intel SDM 3A, 9.2; AMD64 APM 2, 7.2). So numpy's plain loads are enough to
read the ring (tracer/capture/ring.py); on arm64 they would not be.
"""

from __future__ import annotations

# __USER32_CS of arch/x86/include/asm/segment.h: the code segment in which a 32-bit program runs
CODE_SEGMENT_32 = 0x23

# The probes' constants for struct pt_regs (arch/x86/include/asm/ptrace.h), which lies at the top of a thread's kernel
# stack while it is in a call. REGS_*: byte offsets of eight registers of 8 bytes that hold the arguments (r10 r9 r8 ax
# cx dx si di), of the call's number (orig_ax) and of cs; ARG*: which of the eight an argument is.
CONSTANTS = {
    "REGS_ARGUMENTS": 56,
    "REGS_NUMBER": 120,
    "REGS_CODE_SEGMENT": 136,
    "CODE_SEGMENT_32": CODE_SEGMENT_32,
    "ARG0": 7,
    "ARG1": 6,
    "ARG2": 5,
    "ARG3": 0,
    "ARG4": 2,
    "ARG5": 1,
}
