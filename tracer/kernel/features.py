"""What the running kernel offers the probes, found by looking, never by its version: tracepoints and offsets from
BTF, kprobes and uprobes from their PMUs in /sys/bus/event_source/devices."""

from __future__ import annotations

import ctypes
import os
import platform
from dataclasses import dataclass, field

from tracer import text
from tracer.errors import CANNOT, IotraceError
from tracer.kernel import io_uring_args
from tracer.kernel.arch import SUPPORTED
from tracer.kernel.btf import KernelTypes, NoTypes
from tracer.kernel.pmu import has_pmu

# Without these there is nothing to show; without the others a boundary is estimated.
REQUIRED = (
    "sys_enter",
    "sys_exit",
    "sched_switch",
    "sched_waking",
    "task_newtask",
    "sched_process_exit",
    "signal_generate",
    "signal_deliver",
)
OPTIONAL = ("sk_data_ready", "skb_copy_datagram_iovec")
LIBRARY_CALLS = ("aio_read", "aio_suspend")  # probed by uprobes

_OFFSETS = {
    "O_TASK_PID": ("task_struct", "pid"),
    "O_TASK_TGID": ("task_struct", "tgid"),
    "O_TASK_LEADER": ("task_struct", "group_leader"),
    "O_TASK_BIRTH": ("task_struct", "start_time"),
    "O_TASK_FLAGS": ("task_struct", "flags"),
    "O_TASK_STATE": ("task_struct", "__state", "state"),  # renamed in 5.14, commit 2f064a59a11f
    "O_TASK_FILES": ("task_struct", "files"),
    "O_TASK_COMM": ("task_struct", "comm"),
    "O_TASK_STACK": ("task_struct", "stack"),
    "O_TASK_PID_LINKS": ("task_struct", "pid_links"),
    "O_PROC_PID": ("proc_inode", "pid"),
    "O_PROC_INODE": ("proc_inode", "vfs_inode"),
    "O_PID_NUMBERS": ("pid", "numbers"),
    "O_PID_TASKS": ("pid", "tasks"),
    "O_FILES_FDT": ("files_struct", "fdt"),
    "O_FDTABLE_MAX": ("fdtable", "max_fds"),
    "O_FDTABLE_FD": ("fdtable", "fd"),
    "O_FILE_PRIVATE": ("file", "private_data"),
    "O_FILE_INODE": ("file", "f_inode"),
    "O_FILE_FLAGS": ("file", "f_flags"),
    "O_INODE_NUMBER": ("inode", "i_ino"),
    "O_INODE_MODE": ("inode", "i_mode"),
    "O_SOCKET_SK": ("socket", "sk"),
    "O_SOCK_SOCKET": ("sock", "sk_socket"),
    "O_SOCK_TYPE": ("sock", "sk_type"),
    "O_SOCK_FAMILY": ("sock_common", "skc_family"),
    "O_SOCK_LOCAL_4": ("sock_common", "skc_rcv_saddr"),
    "O_SOCK_REMOTE_4": ("sock_common", "skc_daddr"),
    "O_SOCK_LOCAL_6": ("sock_common", "skc_v6_rcv_saddr"),
    "O_SOCK_REMOTE_6": ("sock_common", "skc_v6_daddr"),
    "O_SOCK_LOCAL_PORT": ("sock_common", "skc_num"),
    "O_SOCK_REMOTE_PORT": ("sock_common", "skc_dport"),
    "O_SOCKET_INODE": ("socket_alloc", "vfs_inode"),
}
_OPTIONAL_OFFSETS = {"O_TASK_ON_CPU": ("task_struct", "on_cpu")}  # not in kernels for one CPU alone


class CannotTrace(IotraceError):
    """This machine cannot run the probes; the text says what is missing and what to do."""

    status = CANNOT


@dataclass
class Features:
    """What was found. `constants` are the -D of the probes, `sources` says where each boundary comes from."""

    constants: dict[str, int] = field(default_factory=dict)
    tracepoints: list[str] = field(default_factory=list)
    kprobe_ready: bool = False
    library_calls: dict[str, tuple[str, int]] = field(
        default_factory=dict
    )  # name → the C library's file, offset in it
    sources: dict[str, str] = field(default_factory=dict)
    preemptible: bool = (
        False  # a tracepoint's program may be preempted, and is skipped for others meanwhile
    )


def find() -> Features:
    """Looks at the running kernel; raises CannotTrace."""
    if platform.machine() not in SUPPORTED:
        raise CannotTrace(
            f"{platform.machine()} is not supported yet (supported: {', '.join(SUPPORTED)})"
        )
    if os.geteuid() != 0:
        raise CannotTrace("tracing needs root: run it with sudo")
    if _is_shifted():
        raise CannotTrace(
            "CLOCK_MONOTONIC is not the kernel's own in this time namespace: run iotrace outside of it"
        )
    try:
        types = KernelTypes()
    except NoTypes as error:
        raise CannotTrace(str(error)) from None
    found = Features()
    try:
        for constant, (struct, *names) in _OFFSETS.items():
            offset = types.offset(struct, *names)
            if offset is None:
                raise CannotTrace(f"this kernel's BTF has no {struct}.{names[0]}")
            found.constants[constant] = offset
        for constant, (struct, name) in _OPTIONAL_OFFSETS.items():
            if (offset := types.offset(struct, name)) is not None:
                found.constants[constant] = offset
        found.constants |= io_uring_args.io_uring(types)
        # tracepoints are guarded by SRCU-fast since 7.0 (commit a46023d5616e); by an SRCU of this name before 6.13, too,
        # whose readers had one flavour
        found.preemptible = (
            types.has_per_cpu("tracepoint_srcu_srcu_data")
            and types.offset("srcu_data", "srcu_reader_flavor") is not None
        )
        if found.preemptible:
            found.constants["HAVE_PREEMPTION"] = 1
        arguments = {name: types.tracepoint_arguments(name) for name in REQUIRED + OPTIONAL}
    finally:
        types.close()
    missing = [name for name in REQUIRED if arguments[name] is None]
    if missing:
        raise CannotTrace(
            f"this kernel has no tracepoint {', '.join(missing)} (CONFIG_FTRACE_SYSCALLS, CONFIG_FTRACE)"
        )
    found.tracepoints = [name for name, count in arguments.items() if count is not None]
    if arguments["sched_switch"] >= 4:  # prev_state is passed since 5.18, commit fa2c3254d7cf
        found.constants["HAVE_PREV_STATE"] = 1
    if arguments["skb_copy_datagram_iovec"] is not None:
        found.constants["HAVE_SKB_COPY"] = 1
    if arguments["sk_data_ready"] is not None:  # 6.3, commit 40e0b0908142
        found.constants["HAVE_SK_DATA_READY"] = 1
    elif has_pmu("kprobe"):
        found.constants["HAVE_KPROBE_READY"] = 1
        found.kprobe_ready = True
    if has_pmu("uprobe"):
        found.library_calls = {
            name: place for name in LIBRARY_CALLS if (place := in_c_library(name))
        }
        found.constants |= {f"HAVE_{name.upper()}": 1 for name in found.library_calls}
    have = found.constants
    found.sources = {
        "ready": "tracepoint sk_data_ready"
        if "HAVE_SK_DATA_READY" in have
        else "kprobe sock_def_readable"
        if found.kprobe_ready
        else "wake-ups, estimated",
        "copy start": "tracepoint skb_copy_datagram_iovec"
        if "HAVE_SKB_COPY" in have
        else "the receive's entry, estimated",
        "io_uring": "tracepoints io_uring_*"
        if "HAVE_URING" in have
        else "not seen (no tracepoints)",
        "aio_read": f"uprobe on {found.library_calls['aio_read'][0]}"
        if "aio_read" in found.library_calls
        else "not seen (no uprobes)",
    }
    return found


def _is_shifted() -> bool:
    """Whether this process's CLOCK_MONOTONIC differs from bpf_ktime_get_ns, by time_namespaces(7)."""
    try:
        offsets = text.read("/proc/self/timens_offsets")
    except OSError:  # before Linux 5.6, or without CONFIG_TIME_NS
        return False
    return any(
        int(number)
        for line in offsets.splitlines()
        if line.startswith("monotonic")
        for number in line.split()[1:]
    )


def in_c_library(name: str) -> tuple[str, int] | None:
    """The file and the offset in it of a function of the C library that this very process uses; None if it has none."""
    try:
        address = ctypes.cast(getattr(ctypes.CDLL(None), name), ctypes.c_void_p).value
    except AttributeError:
        return None
    with open("/proc/self/maps", encoding="ascii", errors="replace") as maps:
        for line in maps:  # proc_pid_maps(5): begin-end perms offset device inode path
            fields = line.split(maxsplit=5)
            begin, _, end = fields[0].partition("-")
            if int(begin, 16) <= address < int(end, 16) and len(fields) == 6:
                return fields[5].rstrip("\n"), address - int(begin, 16) + int(fields[2], 16)
    return None
