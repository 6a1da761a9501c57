"""The probes loaded into this kernel and attached: their maps, programs and links."""

from __future__ import annotations

import contextlib
import errno
import os
import resource
import secrets
import struct
from collections.abc import Container, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tracer.bpf import RING_BYTES, actions, build, map_values, syscall
from tracer.bpf.prctl import own
from tracer.kernel import syscalls
from tracer.kernel.arch import x86_64
from tracer.kernel.features import CannotTrace, Features
from tracer.terms import NOT_SEEN

_MOST_SLOTS = 65536
_OWNER = "<QQIIII"  # struct owner
_TRIES = 100
# of enum tail (probes/iotrace.h)
_TAILS = (
    "tail_arrive",
    "tail_submit",
    "tail_learn",
    "tail_describe",
    "tail_events",
    "tail_unentered",
    "tail_executed",
    "tail_messages",
    "tail_watch",
    "tail_watch_more",
    "tail_owner",
)
_NUMBERS = (
    *("prctl", "io_submit", "rt_sigreturn"),
    *("poll", "ppoll", "select", "pselect6", "epoll_pwait2"),
)
_CALL_PROBES = ("tracepoint_sys_enter", "tracepoint_sys_exit", "again_sys_enter", "again_sys_exit")
# Programs that are loaded twice as they stand; those of system calls differ (probes/calls.bpf.c).
_AGAIN = ("again_task_newtask",)


class Attachment:
    """Probes on this kernel. Use as a context manager; raises CannotTrace where the kernel refuses them.

    secret: the number with which one target may announce itself (tracer/capture/exec_gate.py), and with which only this
    process may adopt running threads (tracer/capture/attach.py). Only a target's gate gets it, when it is opened.
    ring_bytes: a power of two, at least a page.
    selected: the numbers of the calls to record, all where None; the probes learn from the others, too.
    follow: whether new threads and children of traced threads are traced too.
    maps: by name.
    """

    def __init__(
        self,
        features: Features,
        ring_bytes: int = RING_BYTES,
        *,
        selected: Container[int] | None = None,
        follow: bool = True,
    ) -> None:
        self._features = features
        self.secret = secrets.randbits(63) + 1
        self.ring_bytes = ring_bytes
        self.maps: dict[str, syscall.Map] = {}
        self._programs: dict[str, int] = {}
        self._links: dict[str, int] = {}
        try:
            compiled = build.compiled(_constants(features))
            self._create_maps(compiled.maps)
            self._load(compiled)
            self._fill_maps(selected, follow)
            for program in self._programs:
                if program not in _TAILS:
                    self._attach(program, features)
            self._make_known()
        except build.CannotCompile as error:
            raise CannotTrace(str(error)) from None
        except OSError as error:
            self.close()
            raise CannotTrace(
                f"the kernel refused the probes: {error.strerror}{_hint(error)}"
            ) from None
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Attachment:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()

    @contextlib.contextmanager
    def calls_unprobed(self) -> Iterator[None]:
        """A context in which sys_enter and sys_exit are detached, so that system calls cost what they cost untraced."""
        attached = [program for program in _CALL_PROBES if program in self._links]
        for program in attached:
            os.close(self._links.pop(program))
        try:
            yield
        finally:
            for program in attached:
                self._attach(program, self._features)

    def who(self) -> int:
        """The probes' answer to this process's last PRCTL_WHO: an ID in the initial PID namespace, 0 for none."""
        return int(struct.unpack(_OWNER, self.maps["owners"].values())[4])

    def missed(self) -> int | None:
        """How many runs of the programs the kernel has skipped, None where it does not count them (before 5.12).
        Of a program that is loaded twice the smaller count counts: an event is missed if both were skipped."""
        skipped: dict[str, int] = {}
        for name, fd in self._programs.items():
            misses = syscall.recursion_misses(fd)
            if misses is None:
                return None
            first = name.replace("again_", "tracepoint_")
            skipped[first] = min(skipped.get(first, misses), misses)
        return sum(skipped.values())

    def run_times(self) -> dict[str, tuple[int, int]]:
        """Program → (ns, runs), of those that ran while the kernel counted that: syscall.run_times."""
        times = {name: syscall.run_times(fd) for name, fd in self._programs.items()}
        return {name: its for name, its in times.items() if its and its[1]}

    def detach(self) -> None:
        """Detaches all programs; their records stay. Programs of system calls go first, so that no call ends after the
        last traced switch. The others go in parallel: for some the kernel waits until no program runs any more
        (100 ms for a uprobe)."""
        if self._links:
            self.maps["closing"].update(0, struct.pack("<Q", 1))
        for program in _CALL_PROBES:
            if program in self._links:
                os.close(self._links.pop(program))
        if self._links:
            with ThreadPoolExecutor(len(self._links)) as pool:
                list(pool.map(os.close, self._links.values()))
            self._links.clear()

    def close(self) -> None:
        """Lets go of everything in the kernel; may be called more than once."""
        self.detach()
        while self._programs:
            os.close(self._programs.popitem()[1])
        while self.maps:
            self.maps.popitem()[1].close()

    def _make_known(self) -> None:
        """Tells the probes that they take orders from this process; raises CannotTrace. Tries several times: the kernel
        may skip a program while its CPU runs another one."""
        for _ in range(_TRIES):
            own(self.secret)
            if struct.unpack(_OWNER, self.maps["owners"].values())[1]:
                return
        raise CannotTrace(
            "the probes do not see iotrace's own system calls (does a seccomp filter refuse its prctl?)"
        )

    def _create_maps(self, specs: dict[str, build.MapSpec]) -> None:
        syscall.allow_memory()
        # values of which one entry holds them all: the probes look up no index
        together = dict.fromkeys(("slots", "threads"), _slots())
        together |= {"descriptions": map_values.DESCRIBED, "changes": map_values.CHANGES}
        for name, spec in specs.items():
            entries, value_size, flags = spec.entries, spec.value_size, spec.flags
            if name in together:
                # mapped, since some kernels copy only small values
                value_size, flags = value_size * together[name], flags | syscall.MMAPABLE
            if name == "ring":
                entries = self.ring_bytes
            self.maps[name] = syscall.Map(
                name, spec.kind, spec.key_size, value_size, entries, flags
            )

    def _fill_maps(self, selected: Container[int] | None, follow: bool) -> None:
        for number, (keep, learn) in actions.actions(selected).items():
            self.maps["calls"].update(number, struct.pack("<II", keep, learn))
        self.maps["owners"].update(0, struct.pack(_OWNER, self.secret, 0, 0, 0, 0, 0))
        self.maps["no_follow"].update(0, struct.pack("<Q", not follow))
        for index, program in enumerate(_TAILS):
            self.maps["tail_calls"].update(index, struct.pack("<I", self._programs[program]))

    def _load(self, compiled: build.Compiled) -> None:
        fds = {name: table.fd for name, table in self.maps.items()}
        programs = {name: name for name in compiled.programs}
        if self._features.preemptible:
            programs |= {name: name.replace("again_", "tracepoint_") for name in _AGAIN}
        for name, code in programs.items():
            by_perf = name.startswith(("kprobe_", "uprobe_"))
            kind = syscall.KPROBE if by_perf else syscall.RAW_TRACEPOINT
            self._programs[name] = syscall.load(
                name, kind, compiled.linked(code, fds), compiled.license
            )

    def _attach(self, program: str, features: Features) -> None:
        """Attaches a program to what its name says: tracepoint_NAME or again_NAME, kprobe_FUNCTION, uprobe_FUNCTION."""
        kind, _, name = program.partition("_")
        fd = self._programs[program]
        if kind in ("tracepoint", "again"):
            self._links[program] = syscall.attach_raw_tracepoint(name, fd)
        elif kind == "kprobe":
            self._links[program] = syscall.attach_probe(kind, name, 0, fd)
        else:
            self._attach_uprobe(program, name, features)

    def _attach_uprobe(self, program: str, name: str, features: Features) -> None:
        """Attaches a uprobe; a failure is noted in the features' sources. BCC's tools attach uprobes with a
        ref_ctr_offset that they never set, and while one is attached the kernel refuses all others at that place."""
        path, offset = features.library_calls[name]
        try:
            self._links[program] = syscall.attach_probe(
                "uprobe", path, offset, self._programs[program]
            )
        except OSError as error:
            takes = ": that takes CAP_SYS_ADMIN" if error.errno == errno.EACCES else ""
            features.sources[name] = f"{NOT_SEEN} ({error.strerror}{takes})"


def _hint(error: OSError) -> str:
    """What to do where the kernel says EPERM though the capabilities that every kernel wants are there."""
    soft, _ = resource.getrlimit(resource.RLIMIT_MEMLOCK)
    if error.errno != errno.EPERM or soft == resource.RLIM_INFINITY:
        return ""
    what = "before Linux 5.11 that takes CAP_SYS_RESOURCE, or ulimit -l unlimited"
    return f" (RLIMIT_MEMLOCK is {soft >> 10} KiB: {what})"


def _constants(features: Features) -> dict[str, int]:
    """The -D constants of the probes."""
    return {
        **features.constants,
        **x86_64.CONSTANTS,
        "SLOTS": _slots(),
        "CPUS": os.sysconf("SC_NPROCESSORS_CONF"),
        "SOCKETS": 65536,
        "RING_PAGES": 1,  # the ring's size is set when it is created
        **{f"NR_{name.upper()}": syscalls.numbers()[name] for name in _NUMBERS},
    }


def _slots() -> int:
    """Number of slots (64 bytes each): the power of two that has one for every thread ID, at most _MOST_SLOTS."""
    most = int(Path("/proc/sys/kernel/pid_max").read_bytes())
    return min(1 << (most - 1).bit_length(), _MOST_SLOTS)
