"""What holds threads back in the time in which there was work for them; facts and times, whose words are
report/wording/held_back's.

Work is what a thread had begun and not ended: it computed, waited for a CPU, a disk, a lock that another thread held,
or for a peer: for an answer on a connection that it made, for what comes through a pipe, for room to send. No work is
the wait for the next request on a connection that it accepted or a socket that anybody may send to, and the wait for a
time, a signal, a child or another thread: what those do is in their own time.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from tracer.analysis.counts.call_files import ACCEPT, CONNECT, CallFile, CallFiles
from tracer.analysis.counts.fd_usage import DescriptorUsage, FdUsage
from tracer.analysis.counts.purposes import (
    CHILDREN,
    CONNECTIONS,
    DATA,
    FILES,
    FUTEXES,
    SENDING,
    SIGNALS,
    THREADS,
    TIME,
    UNKNOWN,
    WAITS,
)
from tracer.analysis.counts.self_wakeups import SelfWoken
from tracer.analysis.counts.wait_purposes import WAITS as WAITING
from tracer.analysis.counts.wait_purposes import WaitPurposes
from tracer.analysis.identity.identity import Identity
from tracer.analysis.identity.open_files import FileKind
from tracer.analysis.operations.in_window import OperationsInWindow
from tracer.analysis.steps.step import Results, State, Step
from tracer.analysis.tables.group_sum import GroupSum
from tracer.analysis.tables.number_set import number_set
from tracer.analysis.threads.thread_states import ThreadTimes
from tracer.analysis.threads.timeline import Calls, TimelineStep
from tracer.kernel import syscalls
from tracer.recording.batch import RecordBatch
from tracer.terms import HELD_BACK

COMPUTING, NO_CPU, DISK, PEER, LOCKS, NOTHING = HELD_BACK
MOST = 0.5  # of the time in which there was work: the least share of what holds a program back
NEXT = "the next request"
ELSEWHERE = "other calls"
# What a wait for data was, by the file that was used next; of a socket that nobody has named: what the process's are.
_ANSWERED, _NEXT, _OWN, _UNSEEN, _UNNAMED = range(5)
_FIRST_EPHEMERAL = 32768  # net.ipv4.ip_local_port_range as it is by default: ports of who connects
_ACCEPT, _CONNECT, _RECEIVE = (
    number_set(syscalls.class_numbers(names)) for names in (ACCEPT, CONNECT, syscalls.RECEIVE)
)
_FOR_DATA = (DATA, CONNECTIONS, UNKNOWN)
_ANY_DATA = tuple(WAITS[code] for code in _FOR_DATA)
_LEFT_OUT = {WAITS[code]: WAITS[code] for code in (CHILDREN, TIME, SIGNALS, THREADS)}
_STREAMS = (FileKind.PIPE, FileKind.FIFO)


class DataWait(NamedTuple):
    """Time (ns) that a thread was asleep for data and connections: for an answer, for the next request, for threads of
    its own process, and for what is not known."""

    answer_ns: int = 0
    next_ns: int = 0
    own_ns: int = 0
    unseen_ns: int = 0


@dataclass(frozen=True)
class DataWaits:
    """by_thread: thread → its waits for data; asks: processes that wait for answers where nothing was seen to come."""

    by_thread: Mapping[int, DataWait]
    asks: frozenset[int] = frozenset()


class WaitsForData(Step[None, DataWaits]):
    """Tells the wait for an answer from the wait for the next request, by the file that the thread received from, or
    accepted on, next: a connection that the process made, or one that came to it."""

    NEEDS = (
        *(TimelineStep, CallFiles, WaitPurposes, DescriptorUsage, Identity),
        *(OperationsInWindow, SelfWoken),
    )

    def __init__(self) -> None:
        self._slept = GroupSum(4, 1)  # thread, process, number of the file, whether it listens → ns
        # thread → process and ns of its waits after which it has received nothing yet
        self._pending: dict[int, tuple[int, int]] = {}

    def feed(self, batch: RecordBatch, state: State) -> None:
        calls, files = state[TimelineStep].calls, state[CallFiles]
        brought = _brought(calls)
        if self._pending:
            self._settle(calls, files, brought)
        direct = _RECEIVE[calls.nr] | _ACCEPT[calls.nr] | _CONNECT[calls.nr]
        waits = (calls.slept > 0) & (direct | np.isin(state[WaitPurposes], _FOR_DATA))
        rows = np.flatnonzero(waits)
        if not len(rows):
            return
        after = _next_receive(calls, rows, brought)
        self._add(calls, files, rows[after >= 0], after[after >= 0])
        self._keep(calls, files, rows[after < 0])

    def _keep(self, calls: Calls, files: CallFile, rows: np.ndarray) -> None:
        """Keeps the sleeps of some calls until their threads receive."""
        tids, first, which = np.unique(calls.tid[rows], return_index=True, return_inverse=True)
        sums = np.zeros(len(tids), np.int64)
        np.add.at(sums, which, calls.slept[rows])
        tgids = files.tgid[rows[first]]
        for tid, tgid, ns in zip(tids.tolist(), tgids.tolist(), sums.tolist(), strict=True):
            self._pending[tid] = tgid, ns + self._pending.get(tid, (tgid, 0))[1]

    def _add(self, calls: Calls, files: CallFile, rows: np.ndarray, after: np.ndarray) -> None:
        """Adds the sleeps of some calls, each with the call that brought data next."""
        listens = _ACCEPT[calls.nr[after]].astype(np.int64)
        keys = (calls.tid[rows], files.tgid[rows], files.number[after], listens)
        self._slept.add(keys, (calls.slept[rows],))

    def _settle(self, calls: Calls, files: CallFile, brought: np.ndarray) -> None:
        """Gives the sleeps of earlier batches the first call of this one that brought data."""
        tids, first = np.unique(calls.tid[brought], return_index=True)
        for tid, row in zip(tids.tolist(), brought[first].tolist(), strict=True):
            if tid in self._pending:
                tgid, ns = self._pending.pop(tid)
                listens = int(_ACCEPT[calls.nr[row]])
                keys = (tid, tgid, int(files.number[row]), listens)
                self._slept.add(tuple(np.array([key]) for key in keys), (np.array([ns]),))

    def finish(self, results: Results) -> DataWaits:
        files = _Files(results)
        for tid, (tgid, ns) in self._pending.items():
            self._slept.add(tuple(np.array([key]) for key in (tid, tgid, 0, 0)), (np.array([ns]),))
        kinds: defaultdict[int, list[int]] = defaultdict(lambda: [0] * 4)
        keys, values = self._slept.result()
        for (tid, tgid, number, listens), (ns,) in zip(keys.tolist(), values.tolist(), strict=True):
            kind = _NEXT if listens else files.kind(tgid, number)
            kinds[tid][kind] += ns
        by_thread = {tid: DataWait(*sums) for tid, sums in kinds.items()}
        return DataWaits(by_thread, files.asks)


def _brought(calls: Calls) -> np.ndarray:
    """The rows of the calls that brought data or a connection."""
    brought = (_RECEIVE[calls.nr] & (calls.result > 0)) | (_ACCEPT[calls.nr] & (calls.result >= 0))
    return np.flatnonzero(brought | _CONNECT[calls.nr])


def _next_receive(calls: Calls, rows: np.ndarray, brought: np.ndarray) -> np.ndarray:
    """int64[n]: of each wait the row of its thread's call that brought data next, itself where it is no select, poll or
    epoll_wait; −1 where the batch holds none. calls: those of a thread together, in the order of time."""
    itself = ~WAITING[calls.nr[rows]]
    if not len(brought):
        return np.where(itself, rows, -1)
    which = np.minimum(np.searchsorted(brought, rows), len(brought) - 1)
    after = brought[which]
    known = (after >= rows) & (calls.tid[after] == calls.tid[rows])
    # a receive that slept and brought nothing was for its own descriptor all the same
    return np.where(itself, rows, np.where(known, after, -1))


class _Files:
    """Whether what comes from a file is an answer, a request, or a wake-up of the process's own."""

    def __init__(self, results: Results) -> None:
        used: FdUsage = results[DescriptorUsage]
        self._identity = results[Identity]
        self._kinds: dict[tuple[int, int], int] = {}
        woken = results[OperationsInWindow].inode[results[SelfWoken].operations]
        self._own = frozenset(np.unique(woken).tolist())
        values = (used.values[name].tolist() for name in ("connects", "accepts", "sends"))
        for (tgid, fd, number), kind, connects, accepts, sends in zip(
            used.keys.tolist(), used.kind.tolist(), *values, strict=True
        ):
            self._kinds[tgid, number] = self._of(
                (tgid, fd, number), kind, connects > 0, accepts > 0, sends > 0
            )

    def kind(self, tgid: int, number: int) -> int:
        """One of _ANSWERED, _NEXT, _OWN, _UNSEEN."""
        kind = self._kinds.get((tgid, number), _UNSEEN)
        if kind == _UNNAMED:
            return _ANSWERED if tgid in self.asks else _NEXT
        return kind

    @cached_property
    def asks(self) -> frozenset[int]:
        """Processes that made connections or read pipes, and accepted nothing."""
        made = {tgid for (tgid, _), kind in self._kinds.items() if kind == _ANSWERED}
        return frozenset(made - {tgid for (tgid, _), kind in self._kinds.items() if kind == _NEXT})

    def _of(
        self, key: tuple[int, int, int], kind: int, connects: bool, accepts: bool, sends: bool
    ) -> int:
        if key[2] in self._own or kind == FileKind.EVENTFD:
            return _OWN
        if connects or kind in _STREAMS:
            return _ANSWERED
        if accepts or kind == FileKind.TERMINAL:  # whoever types decides when
            return _NEXT
        if kind != FileKind.SOCKET:
            return _UNSEEN
        ports = _ports(self._identity.name(*key) or "")
        if ports is None:
            return _UNNAMED
        local, remote = ports
        if remote is None:  # a socket that anybody may send to
            return _ANSWERED if sends and local >= _FIRST_EPHEMERAL else _NEXT
        return _ANSWERED if local >= _FIRST_EPHEMERAL > remote else _NEXT


def _ports(name: str) -> tuple[int, int | None] | None:
    """The local and the remote port in a socket's name, TCP:[127.0.0.1:80->127.0.0.1:40000]; None: it has none."""
    protocol, bracket, rest = name.partition(":[")
    if not bracket or not protocol.startswith(("TCP", "UDP")):
        return None
    local, arrow, remote = rest.removesuffix("]").partition("->")
    ports = [address.rpartition(":")[2] for address in (local, remote)]
    if not ports[0].isdigit() or (arrow and not ports[1].isdigit()):
        return None
    return int(ports[0]), int(ports[1]) if arrow else None


@dataclass(frozen=True)
class ThreadWork:
    """A thread's times, what it was blocked for (reason of WAITS → ns; "": outside calls), its waits for data, and the
    time that it waited for locks which other threads held (ns)."""

    times: ThreadTimes
    blocked: Mapping[str, int]
    data: DataWait
    asks: bool
    locks_ns: int


@dataclass(frozen=True)
class HeldBack:
    """what: one of HELD_BACK, None where nothing decides; ns of of_ns: its part of the time in which there was work, of
    NOTHING the part of all the time in which no thread had any; by_ns: what had how much of the work; idle_for: what
    the thread with most work waited for instead, the longest; unknown_ns: waits of which nobody knows what for."""

    what: str | None
    ns: int
    of_ns: int
    by_ns: Mapping[str, int]
    idle_for: str | None
    unknown_ns: int = 0


def held_back(threads: Sequence[ThreadWork]) -> HeldBack:
    """What holds these threads back."""
    work: Counter[str] = Counter()
    idle: Counter[str] = Counter()
    unknown_ns, most_ns = 0, -1
    for thread in threads:
        did, waited, of_thread_ns = _times(thread)
        unknown_ns += of_thread_ns
        work += did
        if did.total() > most_ns:
            most_ns, idle = did.total(), waited
    whole_ns = _whole_ns(threads)
    work_ns = work.total()
    idle_for = max(idle, key=idle.__getitem__, default=None)
    # threads may work at the same time: at least so long none did
    idle_ns = max(whole_ns - work_ns - unknown_ns, 0)
    if idle_ns > MOST * whole_ns:
        return HeldBack(NOTHING, idle_ns, whole_ns, work, idle_for, unknown_ns)
    if not work_ns or unknown_ns > work_ns:
        return HeldBack(None, 0, work_ns, work, idle_for, unknown_ns)
    most = max(work, key=work.__getitem__)
    what = most if work[most] > MOST * work_ns else None
    return HeldBack(what, work[most], work_ns, work, idle_for, unknown_ns)


def _whole_ns(threads: Sequence[ThreadWork]) -> int:
    """From the first thread's beginning to the last one's end."""
    if not threads:
        return 0
    end = max(thread.times.end_ns for thread in threads)
    return end - min(thread.times.start_ns for thread in threads)


def _times(thread: ThreadWork) -> tuple[Counter[str], Counter[str], int]:
    """A thread's times (ns): of work, of other waits, and those of which nobody knows which of both they were."""
    times, blocked = thread.times, thread.blocked
    for_data_ns = sum(blocked.get(reason, 0) for reason in _ANY_DATA)
    waits = _shared_out(thread.data, for_data_ns)
    unknown_ns = waits.unseen_ns if blocked.get(WAITS[UNKNOWN]) else 0
    unseen_ns = waits.unseen_ns - unknown_ns
    futexes_ns = blocked.get(WAITS[FUTEXES], 0)
    locks_ns = min(thread.locks_ns, futexes_ns)
    asked_ns = waits.answer_ns + (unseen_ns if thread.asks else 0)
    work = {
        COMPUTING: times.kernel_ns + times.user_ns,
        NO_CPU: times.runnable_ns,
        DISK: blocked.get(WAITS[FILES], 0),
        PEER: asked_ns + blocked.get(WAITS[SENDING], 0),
        LOCKS: locks_ns,
    }
    left_out = {
        NEXT: for_data_ns - asked_ns - unknown_ns - waits.own_ns,
        WAITS[THREADS]: futexes_ns - locks_ns + waits.own_ns + blocked.get(WAITS[THREADS], 0),
        **{reason: blocked.get(reason, 0) for reason in _LEFT_OUT if reason != WAITS[THREADS]},
    }
    left_out[ELSEWHERE] = (
        sum(blocked.values())
        - for_data_ns
        - futexes_ns
        - sum(blocked.get(reason, 0) for reason in (WAITS[FILES], WAITS[SENDING], *_LEFT_OUT))
    )
    return +Counter(work), +Counter(left_out), unknown_ns


def _shared_out(waits: DataWait, blocked_ns: int) -> DataWait:
    """A thread's waits for data, together as long as it was blocked for them (sleeps count until the thread has a CPU
    again); what was not seen to end is not known."""
    seen_ns = sum(waits)
    if seen_ns <= blocked_ns:
        return waits._replace(unseen_ns=waits.unseen_ns + blocked_ns - seen_ns)
    answer, following, own, _ = (ns * blocked_ns // seen_ns for ns in waits)
    return DataWait(answer, following, own, blocked_ns - answer - following - own)


def waited_for_locks(locks: Iterable[Mapping[str, object]]) -> dict[int, int]:
    """Thread → ns asleep on futexes that are locks or may be (two-way waiting); locks: as the report has them."""
    slept: Counter[int] = Counter()
    for word in locks:
        if word["kind"] not in ("mutual exclusion", "two-way waiting"):
            continue
        pairs = word["between"]
        assert isinstance(pairs, list)
        for pair in pairs:
            slept[pair["waiter"]] += pair["waited_ns"]
    return dict(slept)
