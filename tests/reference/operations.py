"""Operations by docs/model.md, one after the other, in plain Python: which calls they are, how each was waited for, and
each boundary. It shares no code with tracer/analysis/operations."""

from __future__ import annotations

from reference import handover, posix_aio, signals
from reference.order import Operation, settle
from reference.readiness import Receive, one_by_one
from reference.story import Away, Call, Story
from tracer.kernel import syscalls

RECEIVES = {
    "recvfrom",
    "recvmsg",
    "recvmmsg",
    "read",
    "readv",
    "pread64",
    "preadv",
    "preadv2",
    "splice",
    "tee",
    "vmsplice",
}
WAITS = {
    "select",
    "pselect6",
    "poll",
    "ppoll",
    "epoll_wait",
    "epoll_pwait",
    "epoll_pwait2",
}
EAGAIN = -11
RESTARTED = {-512, -513, -514, -516}  # −515 is ENOIOCTLCMD
MSG_PEEK, MSG_ERRQUEUE, MSG_DONTWAIT, RWF_NOWAIT = 0x2, 0x2000, 0x40, 0x8
EPOLLET, EPOLLONESHOT = 1 << 31, 1 << 30


def received(story: Story) -> list[Operation]:
    """The operations that receive calls made, before they are given their readiness, in the order of their ends."""
    found = []
    for tid, calls in story.threads().items():
        asks: list[Call] = []  # since the thread's operation before
        previous_done = 0
        for call in calls:
            if is_wait(story, call):
                asks.append(call)
            elif not receives_data(story, call):
                continue
            elif call.result > 0 and not leaves_data(call):
                own = [its for its in asks if is_wait(story, its) or its.fd == call.fd]
                found.append((call, own, previous_done))
                asks, previous_done = [], call.end
            elif call.result != 0:
                asks.append(call)
        assert all(its.tid == tid for its in asks)
    found.sort(key=lambda its: its[0].end)
    served = posix_aio.served(story, [call for call, _, _ in found])
    taken: dict[int, int] = {}  # by inode: when the last receive ended
    operations = []
    for (call, asks, previous_done), aio in zip(found, served, strict=True):
        inode = story.files[call.fd].inode
        op = decided(story, call, asks, previous_done, aio)
        hand_over(story, op, call, asks, previous_done, taken.get(inode, 0))
        operations.append(op)
        taken[inode] = call.end
    return operations


def hand_over(
    story: Story, op: Operation, call: Call, asks: list[Call], previous_done: int, taken: int
) -> None:
    """Gives an operation the wait of another thread that told of its data, in place, where there was one."""
    epfd, events = last_registered(story, call)
    teller = who_told(asks) if op.wait_kind == "multiplexed" else None
    own = teller.fd if teller else -1
    of_epoll = teller is not None and teller.name in handover.EPOLL
    if epfd < 0 or not (op.wait_kind in ("at once", "polled") or (of_epoll and own != epfd)):
        return
    told = handover.told_elsewhere(story, call, epfd, previous_done, taken)
    if told is None:
        if op.wait_kind == "at once" and handover.is_watched(story, call, epfd):
            op.more["events"] = events
        return
    wait, looks = told.wait, looked_in_vain(asks)
    asleep = wait.sleep()
    op.wait_kind, op.told = "multiplexed", wait.end
    op.ask = min([wait.start, *(look.start for look in looks[-1:])])
    op.ready = asleep.woken if asleep and asleep.woken else wait.start
    op.estimated |= {"ask", "told"}
    op.more |= {
        "epfd": epfd,
        "events": events,
        "waited_asleep": asleep is not None,
        "slept_nr": syscalls.numbers()[wait.name] if asleep else -1,
        "told_tid": wait.tid,
        "woken": told.sleep.woken if told.sleep else 0,
        "running": told.sleep.back if told.sleep else 0,
    }


def last_registered(story: Story, call: Call) -> tuple[int, int]:
    """With which epoll descriptor the call's was registered last by then, and for what; (−1, 0): with none."""
    known = [
        (epfd, events)
        for time, epfd, fd, events in story.registered
        if fd == call.fd and time <= call.end
    ]
    return known[-1] if known else (-1, 0)


def looked_in_vain(asks: list[Call]) -> list[Call]:
    """The receives that found nothing, or were interrupted."""
    return [
        its
        for its in asks
        if its.name in RECEIVES and (its.result == EAGAIN or its.result in RESTARTED)
    ]


def settled(story: Story, operations: list[Operation]) -> None:
    """Gives operations their readiness, in place, socket by socket."""
    for inode in {op.inode for op in operations}:
        mine = sorted((op for op in operations if op.inode == inode), key=lambda op: op.copy_end)
        receives = [
            Receive(
                op.copy_end,
                op.empty_at,
                op.polled and inode > 0,
                op.stream,
                op.messages,
            )
            for op in mine
        ]
        readies = [time for of, time in story.readies if of == inode]
        for op, (ready, late) in zip(mine, one_by_one(receives, readies), strict=True):
            settle(op, ready, late)


def decided(
    story: Story, call: Call, asks: list[Call], previous_done: int, aio: tuple[int, int] | None
) -> Operation:
    """One operation. asks: the calls before it that could have brought the data or waited for it; aio: when and by whom
    its aio_read was called, None where it serves none."""
    signal = signals.that_counts(story, call.tid, previous_done, call.end)
    kind = wait_kind(story, asks, call, signal, aio)
    teller = who_told(asks) if kind == "multiplexed" else None
    sleeper = who_slept(story, asks, call)
    asked = ask(story, kind, asks, call, previous_done, aio)
    edge = told_once(story, teller, call)
    empty_at = last_empty(story, kind, asks, call, sleeper, teller, edge)
    receives = [its for its in asks if its.name in RECEIVES]
    looks = [its for its in receives if its.result == EAGAIN and not blocked_in(story, its)]
    timeouts = [its for its in receives if its.result == EAGAIN and blocked_in(story, its)]
    waits = [its for its in asks if its.name not in RECEIVES]
    slept_last = waits[-1].sleep() if waits else None
    slept_waits = [its for its in waits if its.sleep()]
    idle_waits = [its for its in waits if its.name in WAITS and its.result == 0 and not its.sleep()]
    told_by_signal = signal if kind == "signal" else None
    estimated = set()
    if not call.copies:
        estimated.add("copy_start")
    if asked == story.adopted.get(call.tid):
        estimated.add("ask")  # it asked before it was traced
    return Operation(
        tid=aio[1] if aio else call.tid,
        receiver_tid=call.tid if aio else 0,
        fd=call.fd,
        inode=story.files[call.fd].inode,
        bytes=brought(call),
        wait_kind=kind,
        ask=asked,
        ready=ready_unseen(kind, call, teller or sleeper, signal, empty_at, asked),
        told=told(kind, call, teller, sleeper, signal),
        copy_start=copy_start(call),
        copy_end=call.end,
        done=call.end,
        estimated=estimated,
        empty_at=empty_at,
        stream=story.files[call.fd].stream,
        messages=call.result if call.name == "recvmmsg" else 1,
        waits_inside=[(its.out, its.back) for its in sleeps(call) if not is_early(call, its)],
        polled=kind == "polled"
        or (teller is not None and not teller.sleep() and empty_at is not None),
        more={
            "eagain_count": len(looks),
            "timeouts": len(timeouts),
            "idle_waits": len(idle_waits),
            "slept_looking": any(leaves_data(its) and blocked_in(story, its) for its in receives),
            "waited_asleep": bool(slept_waits),
            "slept_nr": syscalls.numbers()[slept_waits[-1].name] if slept_waits else -1,
            "fell_asleep": waits[-1].start if slept_last else 0,
            "slept": sum(
                away.back - away.out
                for its in (*receives, call)
                if blocked_in(story, its)
                for away in its.away
                if away.woken is not None
            ),
            "epfd": teller.fd if teller else -1,
            "events": registered(story, teller.fd, call) if teller else 0,
            "signal": told_by_signal.number if told_by_signal else 0,
            "generated": told_by_signal.generated if told_by_signal else 0,
            "delivered": told_by_signal.time if told_by_signal else 0,
            "named": told_by_signal is not None and told_by_signal.fd == call.fd,
            "by_sigwait": told_by_signal is not None and told_by_signal.by_sigwait,
            "told_tid": 0,
            "woken": 0,
            "running": 0,
        },
    )


# which calls


def is_wait(story: Story, call: Call) -> bool:
    """Whether a call waits for something, and receives nothing."""
    return call.name in WAITS or (call.name == "io_uring_enter" and story.poll_requests)


def receives_data(story: Story, call: Call) -> bool:
    """Whether a call receives from a socket or a pipe, and not what the process itself has moved into the pipe."""
    file = story.files.get(call.fd)
    if call.name not in RECEIVES or file is None or file.kind not in ("socket", "pipe"):
        return False
    if call.name == "vmsplice" and file.writable:
        return False
    moves = call.name in ("splice", "tee", "vmsplice")
    return not (
        moves and any(fills(story, its, file.inode) for its in story.calls if its.end <= call.end)
    )


def fills(story: Story, call: Call, inode: int) -> bool:
    """Whether a call moves something into this pipe."""
    out = {"splice": call.arg, "tee": call.arg, "vmsplice": call.fd}.get(call.name)
    file = story.files.get(out) if out is not None else None
    if file is None or file.kind != "pipe" or call.result <= 0:
        return False
    return file.inode == inode and (call.name != "vmsplice" or file.writable)


def leaves_data(call: Call) -> bool:
    """Whether a call had data, and left it where it was."""
    flags = call.arg if call.name in ("recvfrom", "recvmsg") else 0
    if call.name == "recvmmsg" and call.messages:
        flags = call.messages[2]
    peeks = flags & (MSG_PEEK | MSG_ERRQUEUE) != 0 or call.name == "tee"
    return peeks and call.result > 0


def brought(call: Call) -> int:
    """How many bytes a call brought, −1 where the bytes of its messages are not known."""
    if call.name != "recvmmsg":
        return call.result
    if call.messages is None or call.messages[0] != call.result:
        return -1
    return call.messages[1]


# what of its sleeps was before its first bytes


def sleeps(call: Call) -> list[Away]:
    """When the thread slept in it and was woken."""
    return [its for its in call.away if its.woken is not None]


def is_early(call: Call, away: Away) -> bool:
    """Whether the thread was away before it had its first bytes: the copy tells; else of a call that asked for several
    messages the first sleep is taken for the wait for the first."""
    if call.copies:
        return away.out < min(call.copies)
    if call.name == "recvmmsg" and max(call.result, call.arg) > 1 and sleeps(call):
        return away.out < sleeps(call)[0].back
    return True


def early_sleep(call: Call) -> Away | None:
    """The last sleep before its first bytes."""
    early = [its for its in sleeps(call) if is_early(call, its)]
    return early[-1] if early else None


# how it was waited for


def wait_kind(
    story: Story,
    asks: list[Call],
    call: Call,
    signal: signals.Told | None,
    aio: tuple[int, int] | None,
) -> str:
    """The way in which the data was waited for."""
    if aio:
        return "posix-aio"
    if who_told(asks) and not who_slept(story, asks, call):
        return "multiplexed"
    if signal:
        return "signal"
    receives = [its for its in asks if its.name in RECEIVES]
    # what timed out, or was interrupted, was a wait all the same
    if any(blocked_in(story, its) for its in (*receives, call)):
        return "blocked"
    if any(its.result == EAGAIN for its in receives):
        return "polled"
    return "at once"


def blocked_in(story: Story, call: Call) -> bool:
    """Whether the thread slept in a receive for data: only where the receive may block."""
    flags = call.arg if call.name in ("recvfrom", "recvmsg") else 0
    now = flags & MSG_DONTWAIT or (call.name == "preadv2" and call.arg & RWF_NOWAIT)
    return call.sleep() is not None and not now and not story.files[call.fd].nonblocking


def who_slept(story: Story, asks: list[Call], call: Call) -> Call | None:
    """The receive in which the thread slept until the data was there: the one that took it, else a look at it."""
    looks = [its for its in asks if its.name in RECEIVES and leaves_data(its)]
    late = not early_sleep(call)  # it slept for the rest alone, if it did
    receives = looks[::-1] if late else (call, *looks[::-1])
    return next((its for its in receives if blocked_in(story, its)), None)


def sleep_in(waiter: Call | None, call: Call) -> Away | None:
    """The sleep that ended when the data came: of the receive itself the last before its first bytes."""
    if waiter is None:
        return None
    return early_sleep(call) if waiter is call else waiter.sleep()


def who_told(asks: list[Call]) -> Call | None:
    """The last wait that said that something is ready."""
    tellers = [its for its in asks if its.name not in RECEIVES and says_ready(its)]
    return tellers[-1] if tellers else None


def says_ready(wait: Call) -> bool:
    """Whether a wait returned since something was ready."""
    if (
        wait.name == "io_uring_enter"
    ):  # it returns how much it submitted; arg: how many completions it waited for
        return wait.result >= 0 and wait.arg > 0
    return wait.result > 0


# the boundaries


def ask(
    story: Story,
    kind: str,
    asks: list[Call],
    call: Call,
    previous_done: int,
    aio: tuple[int, int] | None,
) -> int:
    """The program first wants the data."""
    if aio:
        return aio[0]
    if asks:
        return asks[0].start
    if kind == "signal":  # it made no call while it waited
        if previous_done:
            return previous_done
        armed = [time for time in story.armed if time <= call.end]
        if armed:
            return armed[-1]
    return call.start


def ready_unseen(
    kind: str,
    call: Call,
    waiter: Call | None,
    signal: signals.Told | None,
    empty_at: int | None,
    asked: int,
) -> int:
    """The data can be read, as far as that is known without sk_data_ready. waiter: the call that told, else the receive
    in which the thread slept until it was there."""
    if kind == "signal" and signal and signal.generated >= (empty_at or 1):
        return signal.generated
    sleep = sleep_in(waiter, call)
    if sleep and sleep.woken is not None:
        return sleep.woken
    if kind == "at once":
        return asked  # it was there already
    # it was there when the call was entered
    return waiter.start if waiter and kind == "multiplexed" else call.start


def told(
    kind: str, call: Call, teller: Call | None, sleeper: Call | None, signal: signals.Told | None
) -> int:
    """The program has been told."""
    if teller:
        return teller.end
    if kind == "signal" and signal:
        return signal.time
    sleep = sleep_in(sleeper, call)
    if sleep and kind in ("blocked", "posix-aio"):
        return sleep.back
    return call.start


def copy_start(call: Call) -> int:
    """The kernel begins to copy."""
    if call.copies:
        return min(call.copies)
    return max([call.start, *(its.back for its in call.away if is_early(call, its))])


def last_empty(
    story: Story,
    kind: str,
    asks: list[Call],
    call: Call,
    sleeper: Call | None,
    teller: Call | None,
    edge: bool,
) -> int | None:
    """When the socket was last known to be empty before the operation; None: it never was."""
    if teller:
        sleep = teller.sleep()
        if sleep and not edge:
            return sleep.out
    sleep = sleep_in(sleeper, call)
    if sleep and kind in ("blocked", "posix-aio"):
        return sleep.out
    times = [look.start for look in looked_in_vain(asks)[-1:]]
    if teller and not edge:
        times += [wait_end(wait) for wait in timed_out(story, asks, call, teller)[-1:]]
    return max(times, default=None)


def timed_out(story: Story, asks: list[Call], call: Call, teller: Call) -> list[Call]:
    """The waits like the one that told which said that nothing was ready; of epoll none if the last of them came before
    the descriptor was registered."""
    epoll = teller.name in handover.EPOLL
    waits = [
        its
        for its in asks
        if its.name == teller.name and its.result == 0 and (not epoll or its.fd == teller.fd)
    ]
    if teller.name == "io_uring_enter" or not waits:
        return []
    return waits if not epoll or registered(story, teller.fd, call, waits[-1].start) else []


def wait_end(wait: Call) -> int:
    """When a wait that timed out had found nothing at the latest: when it fell asleep, or its entry."""
    sleep = wait.sleep()
    return sleep.out if sleep else wait.start


def told_once(story: Story, teller: Call | None, call: Call) -> bool:
    """Whether the wait does not tell again of what it told of before."""
    return teller is not None and bool(
        registered(story, teller.fd, call) & (EPOLLET | EPOLLONESHOT)
    )


def registered(story: Story, epfd: int, call: Call, by: int | None = None) -> int:
    """The events with which the call's descriptor was registered with an epoll descriptor by then, or by another time;
    0: it was not."""
    events = [
        events
        for time, epoll, fd, events in story.registered
        if (epoll, fd) == (epfd, call.fd) and time <= (call.end if by is None else by)
    ]
    return events[-1] if events else 0
