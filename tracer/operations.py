"""Records → operations: each successful receive with its boundaries and phases, for any process.

One pass over the records in time order, with a little state for every thread, descriptor and socket. It knows no
scenario. The boundaries and what counts as evidence for each are explained in docs/model.md.
"""

from __future__ import annotations

from collections import defaultdict, deque
from dataclasses import dataclass, field

import numpy as np

from tracer import syscalls
from tracer.folding import Call, fold
from tracer.records import LIBRARY_NAMES, Kind

S_IFMT, S_IFSOCK, S_IFIFO = 0o170000, 0o140000, 0o010000
SIGIO, SI_ASYNCIO, SI_KERNEL = 29, -4, 0x80
POLL_CODES = range(1, 7)  # POLL_IN … POLL_HUP: si_code of a signal set with F_SETSIG
EAGAIN, ERESTART_RESTARTBLOCK = 11, 516
F_SETFL, O_ASYNC = 4, 0o20000
SOCK_STREAM = 1
EPOLL_CTL_DEL = 2
MSG_PEEK, MSG_ERRQUEUE = 2, 0x2000
LATE_NS = 1_000_000  # how long after a receive's exit its own sk_data_ready may still come
MOST_ASKS = 256
PHASES = ("wait", "notice", "copy", "completion")


@dataclass(slots=True)
class Operation:
    """One successful receive. Boundaries are ns of CLOCK_MONOTONIC and monotone: ask ≤ ready ≤ told ≤ copy_start ≤
    copy_end ≤ done; `raw` holds a boundary as seen where it had to be moved, `estimated` names those that were
    moved or not seen. way: how the data was waited for (tracer/models.py names the model)."""

    tid: int
    fd: int
    bytes: int
    way: str
    ask: int
    ready: int
    told: int
    copy_start: int
    copy_end: int
    done: int
    inode: int = 0
    helper: int = 0  # the thread that received, where it is not the one that asked
    queued: int = 0
    estimated: list[str] = field(default_factory=list)
    raw: dict[str, int] = field(default_factory=dict)
    calls: list[Call] = field(default_factory=list)  # from ask to the receive, folded
    waited_in: str = ""  # the call that told, for multiplexing
    watcher: int = -1  # its epoll descriptor
    signal: tuple = ()  # (number, generated or None, delivered)

    def phases(self) -> tuple[int, int, int, int]:
        """(wait, notice, copy, completion) in ns; they sum to done − ask."""
        return (self.ready - self.ask, self.copy_start - self.ready, self.copy_end - self.copy_start,
                self.done - self.copy_end)


@dataclass(slots=True)
class _Thread:
    tgid: int
    asks: list[Call] = field(default_factory=list)
    last_call: Call | None = None
    sleeps: list[list] = field(default_factory=list)  # since the last call's exit: [out, woken, in]
    copies: list[int] = field(default_factory=list)  # likewise
    signals: list[tuple] = field(default_factory=list)  # (number, generated, delivered)
    generated: dict[int, int] = field(default_factory=dict)
    last_done: int | None = None


@dataclass(slots=True)
class _Socket:
    stream: bool = False
    last_exit: int = -(1 << 62)
    readies: deque = field(default_factory=deque)
    unready: Operation | None = None  # the last receive, if its sk_data_ready had not been seen


class Analysis:
    """The operations of a recording, and the counts that only a pass over its calls gives."""

    def __init__(self) -> None:
        self.operations: list[Operation] = []
        self.registrations: dict[tuple[int, int], int] = {}  # (epoll fd, watched fd) → its epoll events
        self.library_calls: list[tuple[int, int, int]] = []  # (time, tid, which)
        self._threads: dict[int, _Thread] = {}
        self._sockets: dict[int, _Socket] = defaultdict(_Socket)
        self._descriptors: dict[int, dict[int, tuple[int, int]]] = defaultdict(dict)  # tgid → fd → (inode, mode)
        self._stream_fds: set[tuple[int, int]] = set()
        self._armed: dict[int, int] = {}  # tgid → when O_ASYNC was set
        self._asked: dict[tuple[int, int], deque] = defaultdict(deque)  # (tgid, fd) → aio_read submissions
        self._copied: dict[int, deque] = defaultdict(deque)  # tgid → asynchronous operations not yet told
        self._receives = set(syscalls.class_numbers(syscalls.RECEIVE))
        self._waits = {number: name for name, members in syscalls.CLASSES.items()
                       for number in syscalls.class_numbers(members)}
        numbers = syscalls.numbers()
        self._socket, self._fcntl, self._epoll_ctl = numbers["socket"], numbers["fcntl"], numbers["epoll_ctl"]
        self._sigwait = numbers["rt_sigtimedwait"]
        self._restart = numbers["restart_syscall"]
        self._flagged = (numbers["recvfrom"], numbers["recvmsg"])  # whose flags a record keeps
        self._accepts = (numbers["accept"], numbers["accept4"])
        self._steps = {
            Kind.CALL: self._call, Kind.ARGS: self._args, Kind.SWITCH_OUT: self._out, Kind.SWITCH_IN: self._in,
            Kind.WAKING: self._waking, Kind.READY: self._ready, Kind.COPY: self._copy,
            Kind.SIGNAL_GENERATE: self._generate, Kind.SIGNAL_DELIVER: self._deliver,
            Kind.DESCRIPTOR: self._descriptor, Kind.THREAD: self._thread, Kind.START: self._thread,
            Kind.LIBRARY: self._library,
        }

    def feed(self, records: np.ndarray) -> None:
        """RECORD[n] in time order, not older than what was fed before."""
        records, runs = fold(records)
        columns = [records[name].tolist() for name in ("kind", "time", "start", "result", "tid", "nr", "fd", "arg")]
        for index, (kind, time, start, result, tid, nr, fd, arg) in enumerate(zip(*columns, strict=True)):
            step = self._steps.get(kind)
            if step is None:
                continue
            thread = self._threads.get(tid)
            if thread is None:
                thread = self._threads[tid] = _Thread(tid)
            if kind == Kind.CALL:
                call = runs.get(index) or Call(tid, nr, fd, result, arg, start, start, time, 1, time - start)
                self._call(thread, call)
            else:
                step(thread, time, start, result, tid, nr, fd, arg)

    def finish(self) -> list[Operation]:
        """All operations in the order in which they were done."""
        for waiting in self._copied.values():
            for operation in waiting:  # never told by a signal: the program may look for itself
                operation.estimated.append("done")
                self.operations.append(operation)
        self.operations.sort(key=lambda operation: operation.done)
        return self.operations

    # what each kind of record teaches

    def _thread(self, thread, time, start, result, tid, nr, fd, arg) -> None:
        thread.tgid = result
        creator = self._threads.get(fd)
        if creator is not None and creator.tgid != result:  # a fork: the child has its parent's descriptors
            self._descriptors[result] = dict(self._descriptors[creator.tgid])

    def _descriptor(self, thread, time, inode, result, tid, nr, fd, mode) -> None:
        key = (thread.tgid, fd)
        self._descriptors[thread.tgid][fd] = (inode, mode)
        last = thread.last_call
        accepted = last is not None and last.nr in self._accepts and last.result == fd
        if key in self._stream_fds or accepted:
            self._stream_fds.discard(key)
            self._sockets[inode].stream = True

    def _args(self, thread, time, second, third, tid, nr, first, fourth) -> None:
        if nr == self._epoll_ctl:
            if second != EPOLL_CTL_DEL:
                self.registrations[first, third] = fourth
        elif nr == self._fcntl and second == F_SETFL and third & O_ASYNC:
            self._armed[thread.tgid] = time
        elif nr == self._socket and second & 0xF == SOCK_STREAM and thread.last_call:
            self._stream_fds.add((thread.tgid, thread.last_call.result))

    def _out(self, thread, time, start, result, tid, nr, fd, arg) -> None:
        thread.sleeps.append([time, None, None])

    def _in(self, thread, time, start, result, tid, nr, fd, arg) -> None:
        if thread.sleeps and thread.sleeps[-1][2] is None:
            thread.sleeps[-1][2] = time

    def _waking(self, thread, time, start, result, tid, nr, fd, arg) -> None:
        if thread.sleeps and thread.sleeps[-1][2] is None and thread.sleeps[-1][1] is None:
            thread.sleeps[-1][1] = time

    def _ready(self, thread, time, inode, result, tid, nr, fd, arg) -> None:
        socket = self._sockets[inode]
        late, socket.unready = socket.unready, None
        if late is not None and time - late.copy_end < LATE_NS:
            late.raw["ready"] = time  # its own readiness, told just after a polling reader had taken the data
            return
        socket.readies.append(time)

    def _copy(self, thread, time, start, result, tid, nr, fd, arg) -> None:
        thread.copies.append(time)

    def _generate(self, thread, time, start, result, tid, nr, signal, arg) -> None:
        if signal == SIGIO or arg in POLL_CODES and signal > 31 or _signed(arg) == SI_ASYNCIO:
            thread.generated.setdefault(signal, time)

    def _deliver(self, thread, time, start, result, tid, nr, signal, code) -> None:
        code = _signed(code)
        seen = (signal, thread.generated.pop(signal, None), time)
        if signal == SIGIO or code in POLL_CODES and signal > 31:
            thread.signals.append(seen)
        elif code == SI_ASYNCIO and self._copied[thread.tgid]:
            operation = self._copied[thread.tgid].popleft()
            operation.done, operation.signal = time, seen
            self.operations.append(operation)

    def _library(self, thread, time, block, result, tid, which, fd, arg) -> None:
        self.library_calls.append((time, tid, which))
        if LIBRARY_NAMES.get(which) == "aio_read":
            self._asked[thread.tgid, fd].append((time, tid))

    def _call(self, thread: _Thread, call: Call) -> None:
        call.sleeps = [sleep for sleep in thread.sleeps if sleep[0] >= call.start]
        interrupted = thread.last_call
        if call.nr == self._restart and interrupted is not None and interrupted.result == -ERESTART_RESTARTBLOCK:
            call.nr, call.fd, call.arg = interrupted.nr, interrupted.fd, interrupted.arg
        thread.last_call = call
        if call.nr in self._waits:
            thread.asks.append(call)
        elif call.nr in self._receives:
            self._receive(thread, call)
        elif call.nr == self._sigwait and call.result in thread.generated:  # taken without being delivered
            thread.signals.append((call.result, thread.generated.pop(call.result), call.end))
        thread.sleeps.clear()
        thread.copies.clear()
        if len(thread.asks) > MOST_ASKS:  # idle for long: how it began and what came last is enough
            del thread.asks[1:MOST_ASKS // 2]

    def _receive(self, thread: _Thread, call: Call) -> None:
        inode, mode = self._descriptors[thread.tgid].get(call.fd, (0, 0))
        if mode & S_IFMT not in (S_IFSOCK, S_IFIFO):
            return
        if call.result > 0 and call.nr in self._flagged and call.arg & (MSG_PEEK | MSG_ERRQUEUE):
            thread.asks.append(call)  # the data stays where it is: a wait, if it slept
        elif call.result > 0:
            self._received(thread, call, inode)
        elif call.result < 0:
            thread.asks.append(call)

    # an operation

    def _received(self, thread: _Thread, call: Call, inode: int) -> None:
        socket = self._sockets[inode]
        asks = [ask for ask in thread.asks if ask.nr in self._waits or ask.fd == call.fd]
        asked = self._asked.get((thread.tgid, call.fd))
        operation = Operation(call.tid, call.fd, call.result, "at once", 0, 0, 0, 0, call.end, call.end, inode)
        told_by = next((ask for ask in reversed(asks) if ask.nr in self._waits and ask.result > 0), None)
        polls = [ask for ask in asks if ask.nr not in self._waits and (ask.result == -EAGAIN or ask.result <= -512)]
        sleeps = [sleep for sleep in call.sleeps if sleep[1]]  # the others were preemptions
        ask, told = (asks[0].start if asks else call.start), call.start
        empty_at = polls[-1].last_start if polls else None  # when we know that there was no data
        if asked:
            ask, operation.tid = asked.popleft()
            operation.way, operation.helper = "posix-aio", call.tid
            if sleeps:
                empty_at, told = sleeps[-1][0], sleeps[-1][2] or call.end
        elif told_by is not None and not sleeps:  # who is told of data does not sleep for it: told of something else
            operation.way, operation.waited_in = "multiplexed", self._waits[told_by.nr]
            operation.watcher, told = told_by.fd, told_by.end
            sleeps = [sleep for sleep in told_by.sleeps if sleep[1]]
            if sleeps:
                empty_at = sleeps[-1][0]
        elif thread.signals:
            operation.way, operation.signal = "signal", thread.signals[-1]
            told = operation.signal[2]
            if not asks:
                ask = thread.last_done or self._armed.get(thread.tgid, call.start)
        elif sleeps:
            operation.way, empty_at, told = "blocked", sleeps[-1][0], sleeps[-1][2] or call.end
        elif any(poll.result == -EAGAIN for poll in polls):
            operation.way = "polled"
        operation.calls = [*asks, call]
        ready = self._ready_before(socket, operation.way, empty_at, call.end)
        if ready is None:
            operation.estimated.append("ready")
            woken = next((sleep[1] for sleep in reversed(sleeps) if sleep[1]), None)
            ready = woken or (call.start if operation.way != "at once" else ask)
            socket.unready = operation if inode and operation.way == "polled" else None
        copy_start = next((time for time in thread.copies if time >= call.start), None)
        if copy_start is None:
            operation.estimated.append("copy_start")
            back = [sleep[2] for sleep in call.sleeps if sleep[2]]
            copy_start = max([call.start, *back])
        _settle(operation, ask, ready, told, copy_start)
        thread.asks.clear()
        thread.signals.clear()
        thread.last_done = socket.last_exit = call.end
        if operation.way == "posix-aio":
            self._copied[thread.tgid].append(operation)
        else:
            self.operations.append(operation)

    @staticmethod
    def _ready_before(socket: _Socket, way: str, empty_at: int | None, end: int) -> int | None:
        """The sk_data_ready of the data that a receive ending at `end` took, from those not yet used.

        Datagrams are taken in the order in which they came. Where the socket is known to have been empty, all that
        was ready before is spent; and a stream's receive takes all there is.
        """
        readies = socket.readies
        if empty_at is not None:
            before = None
            while readies and readies[0] < empty_at:
                before = readies.popleft()
            if before is not None and (not readies or readies[0] > end) and before > socket.last_exit:
                return before  # woken between looking and sleeping
        if not readies or readies[0] > end:
            return None
        found = readies.popleft()
        if socket.stream:
            while readies and readies[0] <= end:
                readies.popleft()
        return found


def _signed(code: int) -> int:
    """An si_code as C's int."""
    return code - (1 << 32) if code >> 31 else code


def _settle(operation: Operation, ask: int, ready: int, told: int, copy_start: int) -> None:
    """Makes the boundaries monotone, each clamped to its neighbours; what is moved is kept as seen in `raw`."""
    seen = {"ask": ask, "ready": ready, "told": told, "copy_start": copy_start}
    operation.ask = min(ask, operation.copy_end)
    operation.copy_start = min(max(copy_start, operation.ask), operation.copy_end)
    operation.ready = min(max(ready, operation.ask), operation.copy_start)
    operation.told = min(max(told, operation.ready), operation.copy_start)
    operation.queued = max(0, ask - ready)
    for name, value in seen.items():
        if getattr(operation, name) != value:
            operation.raw[name] = value
            if name not in operation.estimated:
                operation.estimated.append(name)
