"""Stories of io_uring and native AIO, made up by hypothesis, and the records that the probes would have written."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random

from hypothesis import strategies as st
from support.records_builder import TID, Trace

from reference.stories import MODES, SIZE_OF_UNIT, bits, opened, written
from reference.story import Aio, Away, Call, Completion, File, Story, Uring
from tracer.recording.records import Kind

WORKER, POLLER, OTHER = 101, 102, 103  # kernel threads, and another one of the program's
DATAGRAMS, STREAM, PIPE, REGULAR, DISK, TERMINAL, UNKNOWN, DIRECT = 4, 5, 6, 3, 7, 8, 17, 10
FILES = {
    DATAGRAMS: File(9000, "socket"),
    STREAM: File(8, "socket", stream=True),
    PIPE: File(7, "pipe"),
    REGULAR: File(77, "file"),
    DISK: File(78, "disk", direct=True),
    TERMINAL: File(79, "terminal"),
    DIRECT: File(80, "file", direct=True),
}
FDS = (*(DATAGRAMS,) * 4, STREAM, STREAM, PIPE, REGULAR, REGULAR, DISK, DIRECT, TERMINAL, UNKNOWN)
RECV, SEND, READ, READ_MULTISHOT = 27, 26, 22, 49
BEGIN = 1000


class Chance:
    """Bits that decide, taken one after the other."""

    def __init__(self, bits: int) -> None:
        self._bits = bits

    def of(self, count: int) -> int:
        """A number below `count`, which is a power of two."""
        chosen, self._bits = self._bits % count, self._bits // count
        return chosen

    def mostly(self) -> bool:
        return self.of(4) > 0

    def maybe(self) -> bool:
        return self.of(2) > 0

    def seldom(self) -> bool:
        return self.of(8) == 7


@dataclass
class _Teller:
    """Tells a story scene by scene; each thread has its own clock, whose times no other thread has."""

    story: Story = field(default_factory=lambda: Story(files=FILES))
    clocks: dict[int, int] = field(default_factory=dict)

    def later(self, tid: int, units: int = 1) -> int:
        """The thread's time, that many units later."""
        start = BEGIN + (TID, WORKER, POLLER, OTHER).index(tid)
        self.clocks[tid] = self.clocks.get(tid, start) + SIZE_OF_UNIT * units
        return self.clocks[tid]

    def catch_up(self, tid: int, other: int) -> None:
        """The thread does something after what the other has done."""
        while self.later(tid, 0) < self.later(other, 0):
            self.later(tid)

    def away(self, tid: int, sleeps: bool) -> Away:
        """The thread is off the CPU."""
        out = self.later(tid)
        woken = self.later(tid) if sleeps else None
        return Away(out, woken, self.later(tid))

    def uring(self, fd: int, chance: Chance) -> None:
        """A request of io_uring, and how it goes on."""
        tid = (TID, TID, OTHER, POLLER)[chance.of(4)]
        self.later(tid, 1 + chance.of(8))
        if tid == POLLER:
            self.catch_up(POLLER, TID)
            self.story.polled_ring = TID
        enter = Call(tid, "io_uring_enter", 20, self.later(tid), 0, 1, int(chance.maybe()))
        request = self._submit(tid, fd, chance)
        inline = chance.of(4) == 0
        if inline:
            self._complete(request, tid, chance)
        elif chance.maybe():
            enter.away.append(self.away(tid, chance.mostly()))
            if chance.maybe():
                self._complete(request, tid, chance)
                inline = True
        enter.end = self.later(tid)
        if tid != POLLER:
            self.story.calls.append(enter)
        if not inline:
            self._later_completion(request, tid, chance)
        if chance.maybe():
            self._wait(OTHER if tid == OTHER else TID, tid, chance)

    def _submit(self, tid: int, fd: int, chance: Chance) -> Uring:
        opcode = (RECV, RECV, READ, READ, RECV, RECV, READ_MULTISHOT, SEND)[chance.of(8)]
        file = FILES.get(fd)
        fixed = chance.seldom() and file is not None
        request = Uring(tid, self.later(tid), opcode, fd, file, fixed)
        self.story.uring.append(request)
        how = chance.of(8)
        if how in (1, 2, 3):
            request.polled.append(self.later(tid))
        if how in (3, 4):
            request.worked.append(self.later(tid))
        if how == 5:
            when = self.later(tid)
            request.polled.append(when)
            request.worked.append(when)
        if how == 6:
            request.worked.append(self.later(tid))
            request.polled.append(self.later(tid))
        return request

    def _later_completion(self, request: Uring, tid: int, chance: Chance) -> None:
        """The request is completed outside of the call: by the thread, which may have slept, or by a worker."""
        by = WORKER if request.worked and chance.mostly() else tid
        self.catch_up(by, tid)
        for _ in range(1 + 2 * (request.opcode == READ_MULTISHOT)):
            if chance.maybe():
                self.story.sleeps.setdefault(by, []).append(self.away(by, chance.mostly()))
            if chance.seldom():
                return
            self._complete(request, by, chance)
        self.catch_up(tid, by)

    def _complete(self, request: Uring, by: int, chance: Chance) -> None:
        if chance.maybe():
            self.story.copies.setdefault(by, []).append(self.later(by))
        result = (64, 64, 64, 64, 64, 1, 0, -11)[chance.of(8)]
        goes_on = request.opcode == READ_MULTISHOT and chance.mostly()
        time = self.later(by)
        request.completions.append(Completion(time, by, result, goes_on))
        if request.file and request.file.kind == "socket" and chance.maybe():
            self.story.readies.append((request.file.inode, time - 2 * chance.of(8)))

    def _wait(self, tid: int, after: int, chance: Chance) -> None:
        """The thread waits in io_uring_enter, perhaps when it has asked for more."""
        if chance.maybe():
            self.catch_up(tid, after)
        start = self.later(tid)
        if chance.seldom():
            self._submit(tid, DATAGRAMS, chance)
        call = Call(tid, "io_uring_enter", 20, start, 0, 0, int(chance.mostly()))
        if chance.maybe():
            call.away.append(self.away(tid, chance.mostly()))
        call.end = self.later(tid)
        self.story.calls.append(call)

    def aio(self, fd: int, chance: Chance) -> None:
        """A request of native AIO, and how its event is brought."""
        tid = (TID, OTHER)[chance.of(2)]
        submit = Call(tid, "io_submit", 0x5000, self.later(tid, 1 + chance.of(4)), 0, 1, 1)
        opcode = (0, 7, 0, 1)[chance.of(4)]
        request = Aio(tid, self.later(tid), opcode, fd, FILES.get(fd))
        self.story.aio.append(request)
        for _ in range((0, 1, 1, 2)[chance.of(4)]):
            submit.away.append(self.away(tid, chance.mostly()))
        submit.copies = [self.later(tid) for _ in range(chance.of(4))]
        submit.end = self.later(tid)
        if not chance.seldom():
            self.story.calls.append(submit)
        if request.file and request.file.kind == "socket" and chance.maybe():
            self.story.readies.append((request.file.inode, submit.end - 2 * chance.of(16)))
        if chance.seldom():
            return
        name = ("io_getevents", "io_pgetevents")[chance.of(2)]
        getevents = Call(tid, name, 0x5000, self.later(tid, 1 + chance.of(4)), 0, 1)
        if chance.maybe():
            getevents.away.append(self.away(tid, chance.mostly()))
        getevents.end = self.later(tid)
        if not chance.seldom():
            self.story.calls.append(getevents)
        request.event, request.result = self.later(tid), (64, 64, 1, 0)[chance.of(4)]


def made_of(scenes: list[tuple[bool, int, int]], has_addresses: bool = True) -> Story:
    """The story of scenes: whether of io_uring, the descriptor, 64 bits that decide the rest. has_addresses: whether
    the kernel tells io_uring's requests by address; 5.10 does not."""
    teller = _Teller()
    teller.story.has_addresses = has_addresses
    for is_uring, fd, chance in scenes:
        (teller.uring if is_uring else teller.aio)(fd, Chance(chance))
    return teller.story


def drawn(random: Random, count: int) -> list[tuple[bool, int, int]]:
    """So many scenes, as likely as those of `stories`."""
    return [
        (random.random() < 0.5, random.choice(FDS), random.getrandbits(64)) for _ in range(count)
    ]


stories = st.builds(
    made_of,
    st.lists(
        st.tuples(st.booleans(), st.sampled_from(FDS), bits),
        min_size=5,
        max_size=20,
    ),
    st.booleans(),
)


def records(story: Story) -> Trace:
    """What the probes would have written."""
    trace = Trace()
    for tid in (WORKER, POLLER, OTHER):
        trace.add(Kind.THREAD, 3, tid=tid, result=TID).add(Kind.SWITCH_IN, 4, tid=tid)
    for fd, file in story.files.items():
        opened(trace, fd, file)
    if story.polled_ring:
        trace.add(Kind.URING_RING, 20, tid=story.polled_ring, start=0x7000, fd=20, arg=2)
    for inode, time in story.readies:
        trace.ready(time, inode)
    for number, (request, address) in enumerate(_with_addresses(story.uring)):
        _uring(trace, request, address if story.has_addresses else 0, 0x100 + number)
    for number, aio in enumerate(story.aio):
        _aio(trace, aio, 0x9000 + number)
    for tid, sleeps in story.sleeps.items():
        written(trace, tid, sleeps, story.copies.get(tid, []))
    for tid in story.copies.keys() - story.sleeps.keys():
        written(trace, tid, [], story.copies[tid])
    for call in story.calls:
        written(trace, call.tid, call.away, call.copies)
        trace.call(
            call.name, call.start, call.end, call.result, fd=call.fd, tid=call.tid, arg=call.arg
        )
    return trace


def _with_addresses(requests: list[Uring]) -> list[tuple[Uring, int]]:
    """Requests with their addresses: one that is complete leaves its own to the next."""
    free_from: dict[int, int] = {}  # address → when its request was complete
    found = []
    for request in sorted(requests, key=lambda its: its.submitted):
        free = [its for its, time in free_from.items() if time < request.submitted]
        address = free[0] if free else 0x1000 * (1 + len(free_from))
        never = request.submitted + 10**9
        last = max((its.time for its in request.completions), default=never)
        free_from[address] = max([last, *request.polled, *request.worked])
        found.append((request, address))
    return found


def _uring(trace: Trace, request: Uring, address: int, number: int) -> None:
    def add(kind: Kind, time: int, tid: int, *, nr: int = 0, fd: int = -1, arg: int = 0) -> None:
        place = 0 if kind == Kind.URING_COMPLETE and arg else address
        trace.add(kind, time, start=place, result=number, tid=tid, nr=nr, fd=fd, arg=arg)

    fixed = int(request.fixed)
    fd = 0 if request.fixed else request.fd
    add(Kind.URING_SUBMIT, request.submitted, request.tid, nr=request.opcode, fd=fd, arg=fixed)
    for time in request.polled:
        add(Kind.URING_POLL, time, request.tid)
    for time in request.worked:
        add(Kind.URING_WORK, time, request.tid)
    for its in request.completions:
        if request.fixed and request.file and address and not its.goes_on:
            file = request.file
            trace.add(
                Kind.URING_FILE,
                its.time,
                start=address,
                result=file.inode,
                tid=its.tid,
                arg=MODES[file.kind],
            )
        arg = 2 if its.goes_on else 0
        add(Kind.URING_COMPLETE, its.time, its.tid, fd=its.result, arg=arg)


def _aio(trace: Trace, request: Aio, block: int) -> None:
    trace.add(
        Kind.AIO_SUBMIT,
        request.submitted,
        start=block,
        result=64,
        tid=request.tid,
        nr=request.opcode,
        fd=request.fd,
    )
    if request.event:
        trace.add(
            Kind.AIO_EVENT, request.event, start=block, result=request.result, tid=request.tid
        )
