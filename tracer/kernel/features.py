"""Finds the features of the running kernel that the probes use; it looks for each one and never asks for the kernel's
version. Tracepoints and offsets are in BTF, kprobes and uprobes among the PMUs in /sys/bus/event_source/devices."""

from __future__ import annotations

import contextlib
import platform
from collections.abc import Iterator
from dataclasses import dataclass, field

from tracer import text
from tracer.errors import CANNOT, IotraceError
from tracer.kernel import capabilities, io_uring_args
from tracer.kernel.arch import SUPPORTED, x86_64
from tracer.kernel.btf import KernelTypes, NoTypes
from tracer.kernel.c_library import place_of
from tracer.kernel.libbpf import NoLibbpf
from tracer.kernel.pmu import has_pmu
from tracer.terms import NOT_SEEN

# Tracepoints without which there is nothing to show.
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
# Tracepoints that other kernels lack, and the probes' constant that says that this one has it.
OPTIONAL = {
    # 40e0b0908142 ("net/sock: Introduce trace_sk_data_ready()"), in 6.3
    "sk_data_ready": "HAVE_SK_DATA_READY",
    "skb_copy_datagram_iovec": "HAVE_SKB_COPY",
    # without it a thread has the name that it began with, or had when it ended
    "task_rename": "HAVE_TASK_RENAME",
}
LIBRARY_CALLS = ("aio_read", "aio_suspend")  # probed by uprobes: HAVE_AIO_READ, HAVE_AIO_SUSPEND

# Event: the sources of its evidence, best first, each as (the constant that is set where the source exists, None: it
# always does; words). A report has the words of the first that exists (docs/model.md, "Estimated boundaries").
EVIDENCE: dict[str, tuple[tuple[str | None, str], ...]] = {
    "ready": (
        ("HAVE_SK_DATA_READY", "tracepoint sk_data_ready"),
        ("HAVE_KPROBE_READY", "kprobe sock_def_readable"),
        (None, "wake-ups, estimated"),
    ),
    "copy start": (
        ("HAVE_SKB_COPY", "tracepoint skb_copy_datagram_iovec"),
        (None, "the receive's entry, estimated"),
    ),
    "io_uring": (
        ("HAVE_URING", "tracepoints io_uring_*"),
        (None, f"{NOT_SEEN} (no tracepoints)"),
    ),
    "aio_read": (
        ("HAVE_AIO_READ", "uprobe on {aio_read}"),
        (None, f"{NOT_SEEN} (no uprobes)"),
    ),
}

# The probes' constant for the offset of a field: its struct, and the names that it has had.
_OFFSETS = {
    "O_TASK_PID": ("task_struct", "pid"),
    "O_TASK_TGID": ("task_struct", "tgid"),
    "O_TASK_LEADER": ("task_struct", "group_leader"),
    "O_TASK_BIRTH": ("task_struct", "start_time"),
    "O_TASK_FLAGS": ("task_struct", "flags"),
    # renamed by 2f064a59a11f ("sched: Change task_struct::state"), in 5.14
    "O_TASK_STATE": ("task_struct", "__state", "state"),
    "O_TASK_FILES": ("task_struct", "files"),
    "O_TASK_COMM": ("task_struct", "comm"),
    "O_TASK_STACK": ("task_struct", "stack"),
    "O_TASK_EXIT_CODE": ("task_struct", "exit_code"),
    **x86_64.OFFSETS,
    "O_TASK_PID_LINKS": ("task_struct", "pid_links"),
    "O_PROC_PID": ("proc_inode", "pid"),
    "O_PROC_INODE": ("proc_inode", "vfs_inode"),
    "O_PID_NUMBERS": ("pid", "numbers"),
    "O_PID_TASKS": ("pid", "tasks"),
    "O_FILES_FDT": ("files_struct", "fdt"),
    "O_FDTABLE_MAX": ("fdtable", "max_fds"),
    "O_FDTABLE_FD": ("fdtable", "fd"),
    "O_FDTABLE_CLOEXEC": ("fdtable", "close_on_exec"),
    "O_FILE_PRIVATE": ("file", "private_data"),
    "O_FILE_INODE": ("file", "f_inode"),
    "O_FILE_FLAGS": ("file", "f_flags"),
    "O_FILE_PATH": ("file", "f_path"),
    "O_PATH_DENTRY": ("path", "dentry"),
    "O_DENTRY_NAME": ("dentry", "d_name"),
    "O_QSTR_NAME": ("qstr", "name"),
    "O_INODE_NUMBER": ("inode", "i_ino"),
    "O_INODE_MODE": ("inode", "i_mode"),
    "O_INODE_GENERATION": ("inode", "i_generation"),
    "O_INODE_SB": ("inode", "i_sb"),
    "O_SB_MAGIC": ("super_block", "s_magic"),
    "O_SB_DEV": ("super_block", "s_dev"),
    "O_SOCKET_SK": ("socket", "sk"),
    "O_SOCK_SOCKET": ("sock", "sk_socket"),
    "O_SOCK_TYPE": ("sock", "sk_type"),
    "O_SOCK_PROTOCOL": ("sock", "sk_protocol"),
    "O_SOCK_FAMILY": ("sock_common", "skc_family"),
    "O_SOCK_STATE": ("sock_common", "skc_state"),
    "O_SOCK_LOCAL_4": ("sock_common", "skc_rcv_saddr"),
    "O_SOCK_REMOTE_4": ("sock_common", "skc_daddr"),
    "O_SOCK_LOCAL_6": ("sock_common", "skc_v6_rcv_saddr"),
    "O_SOCK_REMOTE_6": ("sock_common", "skc_v6_daddr"),
    "O_SOCK_LOCAL_PORT": ("sock_common", "skc_num"),
    "O_SOCK_REMOTE_PORT": ("sock_common", "skc_dport"),
    "O_SOCKET_INODE": ("socket_alloc", "vfs_inode"),
}
# Not in every kernel: on_cpu not in those for one CPU alone, the sockets' not where these are modules.
_OPTIONAL_OFFSETS = {
    "O_TASK_ON_CPU": ("task_struct", "on_cpu"),
    "O_UNIX_PEER": ("unix_sock", "peer"),
    "O_NETLINK_PORT": ("netlink_sock", "portid"),
}


class CannotTrace(IotraceError):
    """This machine cannot run the probes; the text says what is missing and what to do."""

    status = CANNOT


@dataclass
class Features:
    """The features of this kernel.

    constants: the probes' -D constants, name → value.
    library_calls: function that a uprobe can watch → (the C library's file, offset in it).
    sources: key of EVIDENCE → the words for its source, for the report.
    preemptible: whether a tracepoint's program may be preempted; other events skip the program meanwhile.
    """

    constants: dict[str, int] = field(default_factory=dict)
    library_calls: dict[str, tuple[str, int]] = field(default_factory=dict)
    sources: dict[str, str] = field(default_factory=dict)
    preemptible: bool = False


def find() -> Features:
    """Looks at the running kernel; raises CannotTrace."""
    _check_surroundings()
    features = Features()
    with _kernel_types() as types:
        features.constants |= _offsets(types) | io_uring_args.io_uring(types)
        features.preemptible = _is_preemptible(types)
        features.constants |= _tracepoints(types)
    if features.preemptible:
        features.constants["HAVE_PREEMPTION"] = 1
    if "HAVE_SK_DATA_READY" not in features.constants and has_pmu("kprobe"):
        features.constants["HAVE_KPROBE_READY"] = 1
    if has_pmu("uprobe"):
        features.library_calls = {
            name: place for name in LIBRARY_CALLS if (place := place_of(name))
        }
        features.constants |= {f"HAVE_{name.upper()}": 1 for name in features.library_calls}
    features.sources = {name: _source(ways, features) for name, ways in EVIDENCE.items()}
    return features


def _check_surroundings() -> None:
    """Raises CannotTrace for obstacles outside the kernel: the machine, the user, a time namespace."""
    if platform.machine() not in SUPPORTED:
        raise CannotTrace(
            f"{platform.machine()} is not supported yet (supported: {', '.join(SUPPORTED)})"
        )
    if why_not := capabilities.why_not():
        raise CannotTrace(why_not)
    if _is_shifted():
        raise CannotTrace(
            "CLOCK_MONOTONIC is not the kernel's own in this time namespace: run iotrace outside of it"
        )


@contextlib.contextmanager
def _kernel_types() -> Iterator[KernelTypes]:
    """The kernel's BTF; raises CannotTrace."""
    try:
        types = KernelTypes()
    except (NoLibbpf, NoTypes) as error:
        raise CannotTrace(str(error)) from None
    with contextlib.closing(types):
        yield types


def _offsets(types: KernelTypes) -> dict[str, int]:
    """The constants for the offsets of fields; raises CannotTrace for a field that this kernel lacks."""
    constants: dict[str, int] = {}
    for constant, (struct, *names) in (_OFFSETS | _OPTIONAL_OFFSETS).items():
        offset = types.offset(struct, *names)
        if offset is not None:
            constants[constant] = offset
        elif constant in _OFFSETS:
            raise CannotTrace(f"this kernel's BTF has no {struct}.{names[0]}")
    return constants


def _tracepoints(types: KernelTypes) -> dict[str, int]:
    """The constants for the tracepoints that are there; raises CannotTrace if one of REQUIRED is not."""
    missing = [name for name in REQUIRED if types.tracepoint_shape(name) is None]
    if missing:
        raise CannotTrace(
            f"this kernel has no tracepoint {', '.join(missing)} (CONFIG_FTRACE_SYSCALLS, CONFIG_FTRACE)"
        )
    constants = {
        constant: 1
        for name, constant in OPTIONAL.items()
        if types.tracepoint_shape(name) is not None
    }
    # prev_state is an argument since fa2c3254d7cf ("sched/tracing: Don't re-read p->state when emitting sched_switch
    # event"), in 5.18
    if len(types.tracepoint_shape("sched_switch") or ()) >= 4:
        constants["HAVE_PREV_STATE"] = 1
    return constants


def _is_preemptible(types: KernelTypes) -> bool:
    """Whether tracepoints are guarded by SRCU-fast: a46023d5616e ("tracing: Guard __DECLARE_TRACE() use of
    __DO_TRACE_CALL() with SRCU-fast"), in 7.0. Before 6.13 an SRCU of the same name guarded them, whose readers had one
    flavour."""
    return (
        types.has_per_cpu("tracepoint_srcu_srcu_data")
        and types.offset("srcu_data", "srcu_reader_flavor") is not None
    )


def _source(ways: tuple[tuple[str | None, str], ...], features: Features) -> str:
    """The words for the best evidence that is there."""
    words = next(
        words for constant, words in ways if constant is None or constant in features.constants
    )
    return words.format_map({name: path for name, (path, _) in features.library_calls.items()})


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
