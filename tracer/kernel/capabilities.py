"""This process's capabilities (capabilities(7)): those that tracing takes, what each is for, how they are given up."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterable
from dataclasses import dataclass

_VERSION = 0x20080522  # _LINUX_CAPABILITY_VERSION_3
_INITIAL_USERS = 0xEFFFFFFD  # PROC_USER_INIT_INO of include/linux/proc_ns.h
_WORD = 32

# include/uapi/linux/capability.h
NUMBERS = {
    "CAP_CHOWN": 0,
    "CAP_DAC_OVERRIDE": 1,
    "CAP_DAC_READ_SEARCH": 2,
    "CAP_FOWNER": 3,
    "CAP_KILL": 5,
    "CAP_SETGID": 6,
    "CAP_SETUID": 7,
    "CAP_NET_ADMIN": 12,
    "CAP_SYS_PTRACE": 19,
    "CAP_SYS_ADMIN": 21,
    "CAP_SYS_NICE": 23,
    "CAP_SYS_RESOURCE": 24,
    "CAP_PERFMON": 38,
    "CAP_BPF": 39,
}
# Of CAP_SYS_ADMIN they were parts until 5.8, and it still holds them: 2c78ee898d8f ("bpf: Implement CAP_BPF")
_PARTS_OF_ADMIN = ("CAP_BPF", "CAP_PERFMON")


@dataclass(frozen=True)
class Need:
    """A capability that tracing takes. required: nothing can be traced without it; purpose: for the user."""

    name: str
    required: bool
    purpose: str


NEEDS = (
    Need("CAP_BPF", True, "loads the probes and reads their counts"),
    Need("CAP_PERFMON", True, "lets the probes read kernel memory"),
    # both: who may look is asked first by the directory's mode (0500, that user's), then by ptrace(2)'s rules
    Need("CAP_SYS_PTRACE", False, "reads what other users' processes have open (one of two)"),
    Need("CAP_DAC_READ_SEARCH", False, "reads what other users' processes have open (the other)"),
    Need("CAP_SYS_NICE", False, "empties the ring in time where others have the CPUs"),
    # Linux 6.18 answers perf_event_open of a uprobe with EACCES where there is CAP_PERFMON alone
    Need("CAP_SYS_ADMIN", False, "attaches uprobes in newer kernels; makes namespaces for --net"),
    Need("CAP_NET_ADMIN", False, "makes links in them, for --net"),
    Need("CAP_SYS_RESOURCE", False, "exceeds RLIMIT_MEMLOCK, which counts before Linux 5.11"),
)


# What a traced run may still take when its probes are attached: reading maps (CAP_BPF, in kernels before 6.4), looking
# up descriptors, its own priority, signals to a command that runs as another user, and files that are root's to make
# and then that user's.
WHILE_TRACING = frozenset(
    {
        *("CAP_BPF", "CAP_SYS_PTRACE", "CAP_SYS_NICE", "CAP_KILL", "CAP_SETUID", "CAP_SETGID"),
        *("CAP_CHOWN", "CAP_FOWNER", "CAP_DAC_OVERRIDE", "CAP_DAC_READ_SEARCH"),
    }
)


class _Header(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


class _Sets(ctypes.Structure):
    _fields_ = (
        ("effective", ctypes.c_uint32),
        ("permitted", ctypes.c_uint32),
        ("inheritable", ctypes.c_uint32),
    )


def has(name: str) -> bool:
    """Whether this thread may use the capability now, by its effective set."""
    effective = sum(sets.effective << _WORD * index for index, sets in enumerate(_sets()))
    names = (name, "CAP_SYS_ADMIN") if name in _PARTS_OF_ADMIN else (name,)
    return any(effective >> NUMBERS[its] & 1 for its in names)


def missing() -> list[Need]:
    """The required ones that this thread has not."""
    return [need for need in NEEDS if need.required and not has(need.name)]


def in_initial_namespace() -> bool:
    """Whether this process is in the initial user namespace; in others its capabilities do not count for BPF."""
    try:
        return os.stat("/proc/self/ns/user").st_ino == _INITIAL_USERS
    except OSError:  # CONFIG_USER_NS is not set: there is none but the initial one
        return True


def why_not() -> str | None:
    """One line on why this process may not trace and what to do; None if it may."""
    lacking = missing()
    if not in_initial_namespace():
        return (
            "probes cannot be loaded from inside a user namespace (unshare -U, a rootless container), where "
            "capabilities do not count for them: run iotrace outside of it"
        )
    if not lacking:
        return None
    named = " and ".join(f"{need.name} ({need.purpose})" for need in lacking)
    if os.geteuid() == 0:
        return f"{named}: missing here, though this is root: give it to the container or service that iotrace runs in"
    return f"tracing needs root, or {named}: run it with sudo, or see `iotrace doctor` and docs/install.md"


def keep(names: Iterable[str]) -> None:
    """Gives up, for good, all of this thread's capabilities but these, and so those of threads that it makes later; of
    these it has those that it had. A failure leaves them as they were."""
    kept = sum(1 << NUMBERS[name] for name in names)
    sets = _sets()
    for index, its in enumerate(sets):
        mask = kept >> _WORD * index & 0xFFFFFFFF
        its.effective &= mask
        its.permitted &= mask
        its.inheritable &= mask
    ctypes.CDLL(None).capset(ctypes.byref(_Header(_VERSION, 0)), sets)


def _sets() -> ctypes.Array[_Sets]:
    """capget(2) of this thread: the lower 32 capabilities, then the others."""
    sets = (_Sets * 2)()
    ctypes.CDLL(None).capget(ctypes.byref(_Header(_VERSION, 0)), sets)
    return sets
