"""One tracing session: the probes loaded, attached, drained and detached, and the ledger of what they counted."""

from __future__ import annotations

import contextlib
import os
import struct
from collections.abc import Container, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tracer import bpf, compiling, syscalls
from tracer.features import CannotTrace, Features
from tracer.records import ELEMENT, RECORD, Kind, empty
from tracer.ring import Ring, as_records

_BATCH, _BATCH_HEAD = 16, 64  # BATCH and the bytes before `elements` in struct batch
_MOST_SLOTS = 65536
_CALL_PROBES = ("tracepoint_sys_enter", "tracepoint_sys_exit")
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
        self._features = features
        self.ledger = Ledger()
        self._delivered = 0
        self._ring = None
        self._maps: dict[str, bpf.Map] = {}
        self._programs: dict[str, int] = {}
        self._links: dict[str, int] = {}
        try:
            self._load(compiling.compiled(_constants(features)), ring_bytes)
            self._ring = Ring(self._maps["ring"].fd, ring_bytes)
            for number, (keep, learn) in syscalls.actions(selected).items():
                self._maps["calls"].update(number, struct.pack("<HH", keep, learn))
            self._maps["cookie"].update(0, secret.to_bytes(8, "little"))
            self._maps["alone"].update(0, struct.pack("<Q", not follow))
            for program in self._programs:
                self._attach(program, features)
        except compiling.CannotCompile as error:
            raise CannotTrace(str(error)) from None
        except OSError as error:
            self.close()
            raise CannotTrace(f"the kernel refused the probes: {error.strerror}") from None
        except BaseException:
            self.close()
            raise

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
    def calls_unprobed(self) -> Iterator[None]:
        """A while in which system calls cost what they cost without the probes: sys_enter and sys_exit are detached."""
        for program in _CALL_PROBES:
            os.close(self._links.pop(program))
        try:
            yield
        finally:
            for program in _CALL_PROBES:
                self._attach(program, self._features)

    def forget(self) -> None:
        """Drops what was recorded and counted so far; to be called while no thread is traced."""
        self._ring.drain()
        self._delivered = 0
        for name in ("ledgers", "batches"):
            its = self._maps[name]
            for index in range(its.entries):
                its.update(index, bytes(its.value_size))

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
        self._missed = [bpf.recursion_misses(fd) for fd in self._programs.values()]
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
        while self._programs:
            os.close(self._programs.popitem()[1])
        while self._maps:
            self._maps.popitem()[1].close()

    def _load(self, compiled: compiling.Compiled, ring_bytes: int) -> None:
        bpf.allow_memory()
        for name, spec in compiled.maps.items():
            entries = ring_bytes if spec.kind == bpf.RINGBUF else spec.entries
            self._maps[name] = bpf.Map(name, spec.kind, spec.key_size, spec.value_size, entries, spec.flags)
        fds = {name: its.fd for name, its in self._maps.items()}
        for name in compiled.programs:
            kind = bpf.RAW_TRACEPOINT if name.startswith("tracepoint_") else bpf.KPROBE
            self._programs[name] = bpf.load(name, kind, compiled.linked(name, fds), compiled.license)

    def _attach(self, program: str, features: Features) -> None:
        """By the program's name: tracepoint_NAME, kprobe_FUNCTION or uprobe_FUNCTION (of the C library)."""
        kind, _, name = program.partition("_")
        fd = self._programs[program]
        if kind == "tracepoint":
            self._links[program] = bpf.attach_raw_tracepoint(name, fd)
        elif kind == "kprobe":
            self._links[program] = bpf.attach_probe(kind, name, 0, fd)
        else:
            self._attach_uprobe(program, name, features)

    def _attach_uprobe(self, program: str, name: str, features: Features) -> None:
        """One can do without it: BCC's tools attach theirs with a ref_ctr_offset that they never set, and while one
        is there the kernel refuses all others at that place."""
        path, offset = features.library_calls[name]
        try:
            self._links[program] = bpf.attach_probe("uprobe", path, offset, self._programs[program])
        except OSError as error:
            features.sources[name] = f"not seen ({error.strerror})"

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
        return np.frombuffer(self._maps[name].values(), "u1").reshape(-1, size)

    def _detach(self) -> None:
        while self._links:
            os.close(self._links.popitem()[1])


def _constants(features: Features) -> dict[str, int]:
    """The -D constants of the probes."""
    return {**features.constants, "SLOTS": _slots(), "CPUS": os.sysconf("SC_NPROCESSORS_CONF"), "SOCKETS": 65536,
            "RING_PAGES": 1,  # the ring's size is set when it is created
            "NR_PRCTL": syscalls.numbers()["prctl"], "NR_IO_SUBMIT": syscalls.numbers()["io_submit"]}


def _slots() -> int:
    """A power of two that holds every thread id, or the most we care to allocate (64 bytes each)."""
    most = int(Path("/proc/sys/kernel/pid_max").read_text())
    return min(1 << (most - 1).bit_length(), _MOST_SLOTS)
