"""Stories made up by hypothesis, and the records that the probes would have written of each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

from hypothesis import strategies as st
from support.records_builder import HELPER, TID, Trace

from reference.story import Away, Call, File, Signal, Story
from tracer.recording.records import Kind

ADOPTED = 102  # a thread that ran before it was traced
REGISTRAR = 103  # a thread that does nothing but register descriptors with epoll
DATAGRAMS, STREAM, PIPE, REGULAR, NONBLOCKING, EPOLL, FILLED, OTHER_PIPE = 4, 5, 6, 3, 7, 9, 11, 12
FILES = {
    DATAGRAMS: File(9000, "socket"),
    STREAM: File(8, "socket", stream=True),
    PIPE: File(7, "pipe"),
    NONBLOCKING: File(9500, "socket", nonblocking=True),
    REGULAR: File(77, "file"),
    FILLED: File(7, "pipe", writable=True),  # the other end of PIPE
    OTHER_PIPE: File(6, "pipe"),
}
TIDS = (TID, TID, TID, HELPER, ADOPTED)
FDS = (DATAGRAMS, DATAGRAMS, DATAGRAMS, NONBLOCKING, STREAM, PIPE, REGULAR)
MODES = {  # st_mode by the kind of file
    "socket": 0o140777,
    "pipe": 0o010600,
    "file": 0o100644,
    "disk": 0o060660,
    "terminal": 0o020620,
}
SIZE_OF_UNIT = 4  # ns: each thread has its own times
BEGIN = 1000
EPOLLET, EPOLLONESHOT = 1 << 31, 1 << 30
MSG_PEEK, MSG_DONTWAIT, RWF_NOWAIT = 2, 0x40, 8
SIGIO, RT, SI_ASYNCIO = 29, 34, -4
LONG = 1_000_000_100  # ns
ETIMEDOUT = -110
EAGAIN, ERESTARTSYS, ECONNRESET, EINTR = -11, -512, -104, -4
WAITS = ("poll", "epoll_wait", "select", "epoll_wait")
RECEIVES = ("recvfrom", "read", "recvmsg", "recvfrom")
SCENES = (
    ("receive",),
    ("receive", "receive"),
    ("end",),
    ("other",),
    ("pause",),
    ("ready", "ready"),
    ("arm",),
    ("empty", "receive"),
    ("empty", "empty", "other", "receive"),
    ("peek", "receive"),
    ("whole",),
    ("wait", "whole"),
    ("messages",),
    ("messages", "messages", "receive"),
    *[("empty", "messages", "receive")] * 2,
    ("splice", "splice"),
    ("tee", "receive"),
    ("splice", "splice"),
    ("vmsplice", "splice"),
    ("interrupted", "receive"),
    ("empty", "interrupted", "receive"),
    ("reset", "receive"),
    ("wait", "receive"),
    ("wait", "wait", "receive"),
    ("sleeping wait", "receive"),
    ("register", "sleeping wait", "receive"),
    ("register", "wait", "empty", "receive"),
    ("empty", "sleeping wait", "receive"),
    ("enter", "receive"),
    ("arm", "signal", "receive"),
    ("arm", "sent", "signal", "receive"),
    ("receive", "signal", "receive"),
    ("empty", "signal", "receive"),
    ("sent", "empty", "signal", "receive"),
    ("sigwait", "receive"),
    ("sent", "sigwait", "receive"),
    ("sent", "sent", "signal", "signal"),
    *[("register", "sleeping wait", "helper woken", "helper receive")] * 2,
    *[("register", "wait", "wait", "helper woken", "helper receive")] * 2,
    ("register", "wait", "helper woken", "helper nap", "helper receive"),
    ("register", "wait", "helper woken", "helper empty", "helper receive"),
    ("register", "wait", "helper woken", "helper receive", "helper receive"),
    ("register", "wait", "helper woken", "helper long pause", "helper receive"),
    ("register", "wait", "helper late", "helper receive"),
    *[("register", "time out", "one", "receive")] * 2,
    ("register", "empty", "time out", "one", "receive"),
    *[("register", "ready", "several", "wait", "helper woken", "helper receive")] * 3,
    *[("register", "receive", "several", "ready", "helper follows", "helper receive")] * 3,
    *[("register", "several", "helper several", "helper receive", "helper receive")] * 3,
    ("aio_read", "receive"),
    ("aio_read", "aio_read", "receive", "receive"),
    ("aio_read", "receive", "completion"),
    ("aio_read", "receive", "thread"),
    ("aio_read", "receive", "suspend"),
    ("aio_read", "helper receives", "suspend"),
    *[("aio_read", "suspend", "helper receives")] * 3,
    ("aio_read", "helper receives", "helper makes a thread"),
    ("aio_read", "helper receives", "helper makes a thread", "aio_read"),
    ("aio_read", "helper receives", "completion"),
)


@dataclass(frozen=True)
class Step:
    """A thread does something. gap: units of time before it; inside: how the thread is away in the call (0 to 7); what:
    a variant (0 to 7); ready: when data comes, from 7 ns before the call's end to 8 after, or None."""

    kind: str
    tid: int
    gap: int
    inside: int
    fd: int
    what: int
    ready: int | None


@dataclass(frozen=True)
class Scene:
    """Steps of one thread, mostly on one descriptor. chance: 64 bits, 16 for each step."""

    kinds: tuple[str, ...]
    tid: int
    fd: int
    chance: int

    def steps(self) -> list[Step]:
        """What happens, one after the other."""
        return [
            self._step(kind, self.chance >> 16 * i & 0xFFFF) for i, kind in enumerate(self.kinds)
        ]

    def _step(self, kind: str, bits: int) -> Step:
        other_fd, come, when = bits >> 9 & 7, bits >> 12 & 1, bits >> 12 & 15
        return Step(
            kind.removeprefix("helper "),
            HELPER if kind.startswith("helper") else self.tid,
            gap=1 + (bits & 7),
            inside=bits >> 3 & 7,
            fd=self.fd if other_fd else DATAGRAMS,
            what=bits >> 6 & 7,
            ready=when - 7 if come else None,
        )


# eight bytes, each value as likely as another: of integers that large hypothesis mostly draws small ones
bits = st.binary(min_size=8, max_size=8).map(lambda drawn: int.from_bytes(drawn, "little"))
scenes = st.lists(
    st.builds(
        Scene,
        kinds=st.sampled_from(SCENES),
        tid=st.sampled_from(TIDS),
        fd=st.sampled_from(FDS),
        chance=bits,
    ),
    min_size=8,
    max_size=30,
)


def drawn(random: Random, count: int) -> list[Scene]:
    """So many scenes, as likely as those of `scenes`."""
    return [
        Scene(
            random.choice(SCENES), random.choice(TIDS), random.choice(FDS), random.getrandbits(64)
        )
        for _ in range(count)
    ]


@dataclass
class _Teller:
    """Tells a story step by step; each thread has its own clock, whose times no other thread's call or signal has."""

    story: Story
    clocks: dict[int, int] = field(default_factory=dict)
    births: int = 0

    def tell(self, step: Step) -> None:
        do: dict[str, Callable[[Step], None]] = {
            "signal": self._signal,
            "sigwait": self._sigwait,
            "arm": self._arm,
            "register": self._register,
            "aio_read": self._aio_read,
            "thread": self._thread,
            "suspend": self._suspend,
            "pause": self._pause,
            "long pause": self._long_pause,
            "woken": self._woken,
            "nap": self._nap,
            "late": self._late,
            "follows": self._follows,
            "ready": self._ready,
            "sent": self._sent,
            "completion": self._completion,
            "makes a thread": self._thread,
        }
        if step.kind == "receives" and self.story.aio_reads:  # a helper serves what was asked for
            behind = self.story.aio_reads[-1][0] - self._now(step.tid)
            self._forward(step.tid, max(0, -(-behind // SIZE_OF_UNIT)))
        self._forward(step.tid, step.gap)
        do.get(step.kind, self._call)(step)

    def _forward(self, tid: int, ns: int) -> int:
        """That many units later; a unit is 4 ns, so that threads do not meet."""
        offset = (TID, HELPER, ADOPTED).index(tid)
        start = self.story.adopted.get(tid, BEGIN + offset)
        self.clocks[tid] = self.clocks.get(tid, start) + SIZE_OF_UNIT * ns
        return self.clocks[tid]

    def _now(self, tid: int) -> int:
        return self._forward(tid, 0)

    def _call(self, step: Step) -> None:
        """A system call, with what happens inside."""
        fd, name, result, arg = step.fd, RECEIVES[step.what % 4], 64, 0
        match step.kind:
            case "receives":
                name = "read"
            case "empty":
                result = EAGAIN
            case "interrupted":
                result = ERESTARTSYS
            case "reset":
                result = ECONNRESET
            case "end":
                result = 0
            case "peek":
                name, arg = "recvfrom", MSG_PEEK
                result = (64, 64, 64, 64, 64, 64, 1, 0)[step.what]
            case "wait" | "sleeping wait":
                result = (1, 1, 1, 1, 1, 2, 0, EINTR)[step.what]
                fd, name = EPOLL, WAITS[step.what % 4]
            case "several" | "one" | "time out":
                fd, name = EPOLL, "epoll_wait"
                result = {"several": 2, "one": 1, "time out": 0}[step.kind]
            case "enter":
                result, arg = (1, 0, 0, EINTR)[step.what % 4], step.what // 4
                fd, name = EPOLL, "io_uring_enter"
            case "whole":
                name = "recvfrom"
            case "messages":
                name, result = "recvmmsg", 1 + step.what % 4
                arg = result + step.what // 4
            case "splice" | "tee":
                name, arg = step.kind, (PIPE, REGULAR, OTHER_PIPE, FILLED)[step.what % 4]
                fd = (fd, fd, OTHER_PIPE, PIPE)[step.inside % 4]
            case "vmsplice":
                name, fd = "vmsplice", (FILLED, PIPE, OTHER_PIPE, OTHER_PIPE)[step.what % 4]
            case "other":
                result, name = 1, "getpid"
        name, arg = self._flagged(step, name, arg)
        first = step.tid in self.story.adopted and not any(
            call.tid == step.tid for call in self.story.calls
        )
        start = self.story.adopted[step.tid] if first else self._now(step.tid)
        # a wait that is interrupted slept: equal ones without a sleep in between would be told as one
        sleeps = step.kind == "sleeping wait" or result == EINTR
        inside = 1 if sleeps else step.inside
        call = Call(step.tid, name, fd, start, 0, result, arg)
        if step.kind in ("whole", "messages"):
            self._comes_in_pieces(call, inside, step.what)
        else:
            self._happens_inside(call, inside, step.what)
        call.end = self._forward(step.tid, 1)
        self.story.calls.append(call)
        if step.ready is not None and step.fd in FILES and FILES[step.fd].kind == "socket":
            self.story.readies.append((FILES[step.fd].inode, call.end + step.ready))

    def _flagged(self, step: Step, name: str, arg: int) -> tuple[str, int]:
        """Some receives are told not to block. Those that may be told as one, since they fail alike, have one flag."""
        if name == "read" and step.gap == 3:
            return "preadv2", RWF_NOWAIT * (step.fd == PIPE)
        dont_wait = name in ("recvfrom", "recvmsg") and step.fd == STREAM and step.tid == HELPER
        return name, arg | MSG_DONTWAIT * dont_wait

    def _happens_inside(self, call: Call, how: int, what: int) -> None:
        """Sleeps (how 1, 3, 4), preemptions (2, 3), and copies of what is received."""
        for sleeps in {1: (True,), 2: (False,), 3: (True, False), 4: (True, True)}.get(how, ()):
            out = self._forward(call.tid, 1)
            woken = self._forward(call.tid, 1) if sleeps else None
            waker = (TID, HELPER, ADOPTED, 0)[(out // SIZE_OF_UNIT + what) % 4] if sleeps else -1
            call.away.append(Away(out, woken, self._forward(call.tid, 1), waker))
        if call.name in RECEIVES and call.result > 0:
            call.copies += [self._forward(call.tid, 1) for _ in range(what % 3)]

    def _comes_in_pieces(self, call: Call, how: int, what: int) -> None:
        """Sleeps (how 1, 3) and preemptions (2), after copies and before; of messages what the probes tell."""
        if how & 4 == 0:
            self._happens_inside(call, how & 3, 0)
        for _ in range(1 + what % 2):
            if what & 2 == 0:
                call.copies.append(self._forward(call.tid, 1))
            self._happens_inside(call, how & 3, 0)
        if call.name == "recvmmsg" and what != 7:
            flags = MSG_PEEK if what == 6 and how == 1 else 0
            told = call.result - (what == 5)
            call.messages = (told, 50 * told, flags)

    def _signal(self, step: Step) -> None:
        """A signal of one of six kinds; of some the sending or the delivery is not seen."""
        number, code = (
            (SIGIO, 0x80),
            (RT, 1),
            (SIGIO, 0x80),
            (RT, SI_ASYNCIO),
            (SIGIO, SI_ASYNCIO),
            (10, 1),
            (RT, 6),
            (RT, 7),
        )[step.what]
        fd = step.fd if step.inside % 2 else step.fd + 1
        generated = None if step.inside == 6 else self._now(step.tid)
        delivered = None if step.inside == 7 else self._forward(step.tid, 1)
        self.story.signals.append(Signal(step.tid, number, code, fd, generated, delivered))

    def _sent(self, step: Step) -> None:
        """A signal that is sent, and not handled yet."""
        number, code = ((SIGIO, 0x80), (RT, 1), (RT, SI_ASYNCIO), (10, 1))[step.what % 4]
        self.story.signals.append(
            Signal(step.tid, number, code, step.fd, self._now(step.tid), None)
        )

    def _completion(self, step: Step) -> None:
        """The signal that says that a request is complete; to the first thread, mostly."""
        tid = step.tid if step.inside == 5 else TID
        sent = self._forward(tid, step.gap)
        delivered = self._forward(tid, 1)
        number = SIGIO if step.what == 7 else RT
        self.story.signals.append(Signal(tid, number, SI_ASYNCIO, -1, sent, delivered))

    def _sigwait(self, step: Step) -> None:
        """A wait for a signal, which may have been sent."""
        number = (SIGIO, RT, RT, EINTR)[step.what % 4]
        start = self._now(step.tid)
        if step.inside < 6 and number > 0:
            code = (1, 0x80, SI_ASYNCIO)[step.inside % 3]
            sent = self._forward(step.tid, 1)
            self.story.signals.append(Signal(step.tid, number, code, step.fd, sent, None))
        end = self._forward(step.tid, 1)
        self.story.calls.append(Call(step.tid, "rt_sigtimedwait", -1, start, end, number))

    def _arm(self, step: Step) -> None:
        self.story.armed.append(self._now(step.tid))

    def _register(self, step: Step) -> None:
        events = 1 | (0, EPOLLET, EPOLLONESHOT, 0)[step.what % 4]
        self.story.registered.append((self._now(step.tid), EPOLL, step.fd, events))

    def _aio_read(self, step: Step) -> None:
        self.story.aio_reads.append((self._now(step.tid), step.tid, step.fd))

    def _thread(self, step: Step) -> None:
        """A thread is made, and runs."""
        self.births += 1
        born = self._now(step.tid)
        self.story.born.append((born, 200 + self.births, step.tid, self._forward(step.tid, 1)))

    def _suspend(self, step: Step) -> None:
        """aio_suspend, and the futex that it waits for."""
        self.story.suspends.append((self._now(step.tid), step.tid))
        start = self._forward(step.tid, 1)
        end = self._forward(step.tid, 1 + 3 * step.inside)
        if step.what < 6:
            self.story.calls.append(Call(step.tid, "futex", 0x4000, start, end, 0))

    def _woken(self, step: Step) -> None:
        """The thread is woken by the one that was told last, or now and then by another."""
        self._sleep(step, self._forward(step.tid, 1))

    def _follows(self, step: Step) -> None:
        """The thread does nothing until after what the others have done so far."""
        behind = max(self.clocks.values()) - self._now(step.tid)
        self._forward(step.tid, -(-behind // SIZE_OF_UNIT) + 4)

    def _late(self, step: Step) -> None:
        """The same, and it waits for a CPU for long."""
        self._sleep(step, self._forward(step.tid, 1), LONG // SIZE_OF_UNIT * (step.what % 2) + 1)

    def _nap(self, step: Step) -> None:
        """A sleep that time ends while the thread that was told has the CPU, or a futex on which nobody comes."""
        name, result = (("clock_nanosleep", 0), ("futex", ETIMEDOUT))[step.what % 2]
        self._sleep(step, self._forward(step.tid, 1), name=name, result=result)

    def _sleep(
        self, step: Step, out: int, run_queue: int = 1, name: str = "futex", result: int = 0
    ) -> None:
        """A sleep in a call, ended after another thread was told."""
        told = [its for its in self.story.calls if its.name == "epoll_wait" and its.result > 0]
        teller = next((its for its in reversed(told) if its.tid != step.tid), None)
        behind = teller.end - self._now(step.tid) if teller else 0
        waker = teller.tid if teller and step.what < 7 else ADOPTED
        woken = self._forward(step.tid, max(0, -(-behind // SIZE_OF_UNIT)) + 1)
        away = Away(out, woken, self._forward(step.tid, run_queue), waker)
        end = self._forward(step.tid, 1)
        start = out - 1
        self.story.calls.append(Call(step.tid, name, 0x4000, start, end, result, away=[away]))

    def _long_pause(self, step: Step) -> None:
        """So long that a wake-up is too old to be meant."""
        self._forward(step.tid, LONG // SIZE_OF_UNIT)

    def _pause(self, step: Step) -> None:
        """So long that a readiness would be too late."""
        self._forward(step.tid, 260_000)

    def _ready(self, step: Step) -> None:
        """Data comes."""
        if FILES[step.fd].kind == "socket":
            self.story.readies.append((FILES[step.fd].inode, self._now(step.tid) + step.what - 4))


def made_of(told: list[Scene], poll_requests: bool = False) -> Story:
    """The story of these scenes."""
    story = Story(files=FILES, adopted={ADOPTED: BEGIN + 2}, poll_requests=poll_requests)
    teller = _Teller(story)
    for scene in told:
        for step in scene.steps():
            teller.tell(step)
    story.armed.sort()
    story.registered.sort(key=lambda its: its[0])
    return story


stories = st.builds(made_of, scenes, st.booleans())


def records(story: Story) -> Trace:
    """What the probes would have written of a story."""
    trace = Trace()
    trace.add(Kind.THREAD, 3, tid=HELPER, result=TID)
    trace.add(Kind.START, story.adopted.get(ADOPTED, 3), tid=ADOPTED, result=TID, start=BEGIN + 2)
    for fd, file in story.files.items():
        opened(trace, fd, file)
    if story.poll_requests:
        trace.add(Kind.URING_SUBMIT, 20, start=1, result=1, nr=6, fd=DATAGRAMS)
    for inode, time in story.readies:
        trace.ready(time, inode)
    for time in story.armed:
        trace.args("fcntl", time, 4, 0o20000)
    trace.add(Kind.THREAD, 3, tid=REGISTRAR, result=TID)
    for time, epfd, fd, events in story.registered:
        trace.call("epoll_ctl", time, time, 0, fd=epfd, tid=REGISTRAR)
        trace.args("epoll_ctl", time, 1, fd, first=epfd, fourth=events, tid=REGISTRAR)
    for time, tid, fd in story.aio_reads:
        trace.aio_read(time, fd=fd, tid=tid)
    for time, tid in story.suspends:
        trace.add(Kind.LIBRARY, time, nr=2, tid=tid, arg=1)
    for time, tid, creator, ran in story.born:
        trace.add(Kind.THREAD, time, tid=tid, result=TID, fd=creator)
        trace.add(Kind.SWITCH_IN, ran, tid=tid)
    for signal in story.signals:
        _signalled(trace, signal)
    for call in story.calls:
        _called(trace, call)
    return trace


def opened(trace: Trace, fd: int, file: File) -> None:
    mode, flags = MODES[file.kind], 0o40000 * file.direct | 0o4000 * file.nonblocking
    flags |= file.writable
    if file.stream:
        trace.call("socket", 10, 11, fd, fd=2).args("socket", 12, 1, 0, first=2)
    trace.add(Kind.DESCRIPTOR, 13, start=file.inode, result=flags, fd=fd, arg=mode)


def _signalled(trace: Trace, signal: Signal) -> None:
    number, code, fd = signal.number, signal.code, signal.fd
    if signal.generated is not None:
        trace.add(
            Kind.SIGNAL_GENERATE, signal.generated, start=fd, tid=signal.tid, fd=number, arg=code
        )
    if signal.delivered is not None:
        trace.add(
            Kind.SIGNAL_DELIVER,
            signal.delivered,
            start=1,
            result=fd,
            tid=signal.tid,
            fd=number,
            arg=code,
        )


def written(trace: Trace, tid: int, away: list[Away], copies: list[int]) -> None:
    """A thread's times off the CPU, and its copies."""
    for its in away:
        if its.woken is None:
            trace.preempted(its.out, its.back, tid=tid)
        else:
            trace.sleep(its.out, its.woken, its.back, tid=tid, waker=its.waker)
    for copy in copies:
        trace.copy(copy, tid=tid)


def _called(trace: Trace, call: Call) -> None:
    written(trace, call.tid, call.away, call.copies)
    if call.messages:
        known, size, flags = call.messages
        trace.messages(call.name, call.end, known, size, flags, fd=call.fd, tid=call.tid)
    trace.call(call.name, call.start, call.end, call.result, fd=call.fd, tid=call.tid, arg=call.arg)
