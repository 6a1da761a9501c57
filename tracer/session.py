"""One tracing session: the probes compiled, attached, drained and detached, and the ledger of what they counted.

The only module that imports bcc, which speaks bpf(2), perf_event_open(2) and clang for us.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import struct
import sys
from collections.abc import Container
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import probes
from tracer import syscalls
from tracer.features import CannotTrace, Features
from tracer.records import ELEMENT, RECORD, Kind, empty
from tracer.ring import Ring, as_records

_SYS_BPF, _BPF_OBJ_GET_INFO_BY_FD = 321, 15
_BATCH, _BATCH_HEAD = 16, 64  # BATCH and the bytes before `elements` in struct batch
_MOST_SLOTS = 65536
_CALL_PROBES = (b"sys_enter", b"sys_exit")
NR_UNSEEN = 0xFFFF  # of probes/iotrace.h


@dataclass
class Ledger:
    """What the kernel side counted: `counted` = records it meant to write, of which `lost` found no room.

    missed: runs of a program that the kernel skipped, None where it does not say (before 5.12).
    untracked: threads that found no slot; unlearnt: sockets that found no room; open: calls not yet returned.
    """

    counted: int = 0
    delivered: int = 0
    lost: int = 0
    open: int = 0
    missed: int | None = None
    untracked: int = 0
    unlearnt: int = 0

    @property
    def balanced(self) -> bool:
        """counted = delivered + lost."""
        return self.counted == self.delivered + self.lost


class Session:
    """Probes on this kernel. Use as a context manager; raises CannotTrace where the kernel refuses them.

    secret: the number by which a target announces itself (tracer/gate.py).
    ring_bytes: a power of two, at least a page.
    selected: the numbers of the calls to record, all where None; the others still teach what they set up.
    follow: whether new threads and children of traced threads are traced too.
    """

    def __init__(self, features: Features, secret: int, ring_bytes: int = 16 << 20, *,
                 selected: Container[int] | None = None, follow: bool = True) -> None:
        self.ledger = Ledger()
        self._delivered = 0
        self._bpf = _compile(features, ring_bytes, follow)
        self._ring = Ring(self._bpf["ring"].map_fd, ring_bytes)
        calls = self._bpf["calls"]
        for number, (keep, learn) in syscalls.actions(selected).items():
            calls[calls.Key(number)] = calls.Leaf(keep, learn)
        cookie = self._bpf["cookie"]
        cookie[cookie.Key(0)] = cookie.Leaf(secret)
        self._programs = [self._bpf.funcs[name].fd for name in self._bpf.funcs]

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()

    def drain(self) -> np.ndarray:
        """The records that came since the last drain, in the ring's order: RECORD[n]."""
        records = self._ring.drain()
        self._delivered += len(records)
        return records

    def oldest_held(self) -> int | None:
        """When the oldest record was made that a CPU may still hold in its batch (ns), None if they hold none."""
        batches = self._batches()
        counts = batches[:, 4:8].copy().view("<u4")[:, 0]
        times = batches[:, _BATCH_HEAD:_BATCH_HEAD + 8].copy().view("<i8")[:, 0]
        return int(times[counts > 0].min()) if counts.any() else None

    def announced(self) -> bool:
        """Whether any thread is being traced now."""
        return bool(np.any(self._slots()[0][:, 0]))

    @contextlib.contextmanager
    def calls_unprobed(self):
        """A while in which system calls cost what they cost without the probes: sys_enter and sys_exit are detached."""
        for name in _CALL_PROBES:
            self._bpf.detach_raw_tracepoint(name)
        try:
            yield
        finally:
            for name in _CALL_PROBES:
                self._bpf.attach_raw_tracepoint(name, b"raw_tracepoint__" + name)

    def forget(self) -> None:
        """Drops what was recorded and counted so far; to be called while no thread is traced."""
        self._ring.drain()
        self._delivered = 0
        for name in ("ledgers", "batches"):
            table = self._bpf[name]
            for index in range(table.max_entries):
                table[table.Key(index)] = table.Leaf()

    def open_calls(self) -> dict[int, tuple[int, int]]:
        """Thread → (number, entry in ns) of the call it is in; number NR_UNSEEN where it was adopted and has made
        neither an entry nor an exit since: it is in the call it was in then, if it was in one."""
        words, times = self._slots()
        held = np.flatnonzero((words[:, 0] != 0) & (times[:, 1] != 0))
        return {int(words[i, 0]): (int(words[i, 4]), int(times[i, 1])) for i in held}

    def finish(self, now: int, seen: dict[int, tuple[int, int, int]] | None = None) -> np.ndarray:
        """Detaches the probes, drains a last time and fills the ledger; calls still open become OPEN records
        that end `now` (ns).

        seen: thread → (entry in ns as open_calls gave it, number, argument 0) as something else saw the call that it
        is in: believed where that call is still open, and needed where its entry was before the thread was adopted.
        """
        self._missed = [_recursion_misses(fd) for fd in self._programs]
        self._detach()
        parts = [self.drain(), self._left_in_batches()]
        self._delivered += len(parts[1])
        rows = []
        for tid, (number, enter) in self.open_calls().items():
            known = (seen or {}).get(tid, (0, 0, -1))
            fd = known[2] if known[0] == enter and number in (NR_UNSEEN, known[1]) else -1
            number = known[1] if number == NR_UNSEEN and known[0] == enter else number
            if number != NR_UNSEEN:
                rows.append((max(now, enter), enter, 0, tid, Kind.OPEN, number, fd, 0))
        self._settle(len(rows))
        return np.concatenate([*parts, np.array(rows, RECORD)])

    def close(self) -> None:
        """Lets go of everything in the kernel; may be called more than once."""
        self._detach()
        if self._ring:
            self._ring.close()
            self._ring = None
            self._bpf.cleanup()

    def _settle(self, still_open: int) -> None:
        ledgers = self._map("ledgers", 64).view("<u8").reshape(-1, 8).sum(axis=0)
        batches = self._batches()[:, :_BATCH_HEAD].copy().view("<u8").sum(axis=0)
        self.ledger = Ledger(
            counted=int(ledgers[0] + batches[1]), delivered=self._delivered, lost=int(ledgers[1] + batches[2]),
            open=still_open, missed=None if None in self._missed else sum(self._missed),
            untracked=int(ledgers[2]), unlearnt=int(ledgers[3]))

    def _left_in_batches(self) -> np.ndarray:
        """What CPUs had not yet sent to the ring when the probes went."""
        left = [empty()]
        for raw in self._batches():
            count = int(raw[4:8].view("<u4")[0])
            # `elements` are record-then-gap; seen from 8 bytes earlier they are gap-then-record, as in the ring
            start = _BATCH_HEAD - 8
            left.append(as_records(raw[start:start + count * ELEMENT.itemsize].copy().view(ELEMENT)))
        return np.concatenate(left)

    def _slots(self) -> tuple[np.ndarray, np.ndarray]:
        """The slots as 32-bit words, (n, 16), and as 64-bit words, (n, 8)."""
        slots = self._map("slots", 64)
        return slots.view("<u4").reshape(-1, 16), slots.view("<u8").reshape(-1, 8)

    def _batches(self) -> np.ndarray:
        return self._map("batches", _BATCH_HEAD + _BATCH * ELEMENT.itemsize + 64)

    def _map(self, name: str, size: int) -> np.ndarray:
        """An array map's values as bytes, (entries, size)."""
        table = self._bpf[name]
        out = np.zeros((table.max_entries, size), "u1")
        if not _lookup_batch(table, out):
            for index in range(table.max_entries):
                value = table[table.Key(index)]
                out[index] = np.frombuffer(value, "u1")
        return out

    def _detach(self) -> None:
        for name in list(self._bpf.raw_tracepoint_fds):
            self._bpf.detach_raw_tracepoint(name)
        # Their perf events are ours alone, and closing one detaches its program. BCC's own detach also looks for the
        # probe in tracefs, and raises where none is mounted.
        for events in (self._bpf.kprobe_fds, self._bpf.uprobe_fds):
            while events:
                _, fds = events.popitem()
                for fd in fds.values() if isinstance(fds, dict) else [fds]:
                    os.close(fd)


def version() -> str | None:
    """BCC's version, None where it is not installed."""
    try:
        import bcc

        return bcc.__version__
    except (ImportError, AttributeError):
        return None


def _compile(features: Features, ring_bytes: int, follow: bool):
    """The probes as a BPF object of BCC's, loaded and attached."""
    directory = Path(probes.__file__).parent
    os.environ["BCC_KERNEL_SOURCE"] = str(directory)
    try:
        from bcc import BPF
    except ImportError:
        raise CannotTrace("BCC is missing: apt-get install python3-bpfcc (the PyPI package `bcc` is something else)") \
            from None
    constants = {
        **features.constants,
        "SLOTS": _slots(), "CPUS": os.sysconf("SC_NPROCESSORS_CONF"), "SOCKETS": 65536,
        "RING_PAGES": ring_bytes // os.sysconf("SC_PAGE_SIZE"), "NR_PRCTL": syscalls.numbers()["prctl"],
        "FOLLOW": int(follow),
    }
    flags = [f"-D{name}={value}" for name, value in constants.items()]
    # BCC opens included files only below the header directory, so -I is named too
    flags += [f"-I{directory}"]
    with _stderr_kept() as said:
        try:
            bpf = BPF(text=probes.source(), cflags=flags)
            if features.kprobe_ready:
                bpf.attach_kprobe(event="sock_def_readable", fn_name="kprobe_readable")
            if features.aio_library:
                bpf.attach_uprobe(name=features.aio_library, sym="aio_read", fn_name="uprobe_aio_read")
        except (Exception, SystemExit) as error:  # BCC raises bare Exceptions, and exits where clang is unhappy
            raise CannotTrace(f"the kernel or BCC refused the probes: {error}\n{said()}".strip()) from None
    return bpf


def _slots() -> int:
    """A power of two that holds every thread id, or the most we care to allocate (64 bytes each)."""
    most = int(Path("/proc/sys/kernel/pid_max").read_text())
    return min(1 << (most - 1).bit_length(), _MOST_SLOTS)


@contextlib.contextmanager
def _stderr_kept():
    """clang and libbpf write to fd 2 themselves; keeps it out of the user's sight, for an error's text."""
    sys.stderr.flush()
    saved, kept = os.dup(2), os.memfd_create("stderr")
    os.dup2(kept, 2)
    try:
        yield lambda: os.pread(kept, 4000, 0).decode(errors="replace").strip()
    finally:
        os.dup2(saved, 2)
        os.close(saved)
        os.close(kept)


def _lookup_batch(table, out: np.ndarray) -> bool:
    """BPF_MAP_LOOKUP_BATCH (5.6) of a whole array map into `out`."""
    entries = len(out)
    cursor = ctypes.c_uint32()
    keys = np.zeros(entries, "<u4")
    attr = struct.pack("<QQQQIIQQ", 0, ctypes.addressof(cursor), keys.ctypes.data, out.ctypes.data, entries,
                       table.map_fd, 0, 0)
    return _bpf(24, attr) is not None


def _recursion_misses(fd: int) -> int | None:
    """recursion_misses of struct bpf_prog_info, or None where the kernel's is shorter (before 5.12)."""
    info = ctypes.create_string_buffer(232)
    attr = struct.pack("<IIQ", fd, len(info), ctypes.addressof(info))
    answer = _bpf(_BPF_OBJ_GET_INFO_BY_FD, attr)
    if answer is None or struct.unpack_from("<I", answer, 4)[0] < 216:
        return None
    return struct.unpack_from("<Q", info, 208)[0]


def _bpf(command: int, attr: bytes) -> bytes | None:
    """bpf(2): the attributes as the kernel left them, None on an error."""
    buffer = ctypes.create_string_buffer(attr, 128)
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.syscall(_SYS_BPF, command, buffer, 128) < 0:
        return None
    return buffer.raw
