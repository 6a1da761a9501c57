"""x86-64: where the kernel keeps a call's registers, and how to tell a 32-bit program.

System call numbers are in tracer/kernel/data/syscalls.tsv. Other CPUs see loads and stores in their order, but for a
load that may overtake an earlier store (Intel SDM 3A, 9.2; AMD64 APM 2, 7.2). So numpy's plain loads are enough to
read the ring (tracer/capture/ring.py); on arm64 they would not be.
"""

from __future__ import annotations

# The ABI of a call, on an x86-64 kernel: `syscall` leaves the return address in rcx and the flags in r11 (Intel SDM 2B,
# SYSCALL), and entry_SYSCALL_64 (arch/x86/entry/entry_64.S) saves rcx as both `cx` and `ip`. Where the two differ, it
# was another entry (int 0x80, sysenter, FRED's) or the registers were changed since (execve, rt_sigreturn, ptrace).
# There TS_COMPAT in the task's thread_info.status decides. The 32-bit entries set it before sys_enter, and it is
# cleared on the way back to user space, after sys_exit (arch_exit_to_user_mode_prepare).
TS_COMPAT = 2  # arch/x86/include/asm/thread_info.h
# A successful execve leaves the *new* program's TS_COMPAT and its execve's number in orig_ax (set_personality_64bit, …
# in arch/x86/kernel/process_64.c), so there the number that was entered tells: these two are execve and execveat of
# the 32-bit ABI (arch/x86/entry/syscalls/syscall_32.tbl).
I386_EXECVE, I386_EXECVEAT = 11, 358
I386_RT_SIGRETURN = 173
OFFSETS = {"O_TASK_STATUS": ("thread_info", "status")}  # thread_info is task_struct's first member

# __USER32_CS of arch/x86/include/asm/segment.h: the code segment in which a 32-bit program runs
CODE_SEGMENT_32 = 0x23

# The probes' constants for struct pt_regs (arch/x86/include/asm/ptrace.h), which lies at the top of a thread's kernel
# stack while it is in a call. REGS_ARGUMENTS: byte offset of REGS_COUNT registers of 8 bytes (r10 r9 r8 ax cx dx si di
# orig_ax ip); ARG*: which of them an argument is; REG_*: which is the call's number, and so forth. REGS_CODE_SEGMENT:
# byte offset of cs.
CONSTANTS = {
    "REGS_ARGUMENTS": 56,
    "REGS_COUNT": 10,
    "REG_CX": 4,
    "REG_NUMBER": 8,
    "REG_IP": 9,
    "REGS_CODE_SEGMENT": 136,
    "CODE_SEGMENT_32": CODE_SEGMENT_32,
    "ARG0": 7,
    "ARG1": 6,
    "ARG2": 5,
    "ARG3": 0,
    "ARG4": 2,
    "ARG5": 1,
    "TS_COMPAT": TS_COMPAT,
    "I386_EXECVE": I386_EXECVE,
    "I386_EXECVEAT": I386_EXECVEAT,
    "I386_RT_SIGRETURN": I386_RT_SIGRETURN,
}
