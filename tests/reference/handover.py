"""Which wait of which other thread told of an operation's data, and what woke the thread that received it: one
operation after the other, in plain Python."""

from __future__ import annotations

from dataclasses import dataclass

from reference.story import Away, Call, Story

LONGEST = 1_000_000_000
EPOLL = {"epoll_wait", "epoll_pwait", "epoll_pwait2"}
NAPS = {"nanosleep", "clock_nanosleep"}
RECEIVES = {"recvfrom", "recvmsg", "read"}
ETIMEDOUT = -110


@dataclass
class Told:
    """The wait that told, of another thread; and, where that is clear, the receiving thread's sleep that was ended."""

    wait: Call
    call: Call | None = None
    sleep: Away | None = None


def told_elsewhere(
    story: Story, call: Call, epfd: int, previous_done: int, taken: int
) -> Told | None:
    """How another thread was told of what `call` received from a file registered with `epfd`. previous_done: when the
    thread's operation before was done; taken: when the last receive from the file had ended, 0 for never."""
    waits = tellers(story, epfd)
    if not any(wait.tid != call.tid for wait in waits):
        return None
    if taken:
        taken = max(taken, call.start - LONGEST)
    since = first_ready(story, call, taken)
    return by_wake_up(story, call, epfd, previous_done, taken, since) or by_order(
        waits, call, taken, since
    )


def tellers(story: Story, epfd: int) -> list[Call]:
    """The waits on an epoll descriptor that said that something is ready, in the order of their returns."""
    waits = [
        call for call in story.calls if call.name in EPOLL and call.fd == epfd and call.result > 0
    ]
    return sorted(waits, key=lambda wait: wait.end)


def is_registered(story: Story, own: Call) -> bool:
    """Whether what a call received from was registered with epoll by then: it slept for the socket's lock, not for
    what another thread does."""
    return any(fd == own.fd and time <= own.end for time, _, fd, _ in story.registered)


def is_watched(story: Story, call: Call, epfd: int) -> bool:
    """Whether epfd had told a thread of something not long before the call."""
    return any(call.start - LONGEST <= wait.end <= call.start for wait in tellers(story, epfd))


def first_ready(story: Story, call: Call, taken: int) -> int:
    """When data came first after the receive before; else when that ended."""
    inode = story.files[call.fd].inode
    times = [
        time
        for of, time in story.readies
        if of == inode and max(taken, call.start - LONGEST) <= time <= call.start
    ]
    return min(times, default=taken)


def by_wake_up(
    story: Story, call: Call, epfd: int, previous_done: int, taken: int, since: int
) -> Told | None:
    """The last sleep of the thread, since its operation before, that a thread ended which had been told by epfd."""
    sleeps = [
        (own.sleep(), own)
        for own in story.calls
        if own.tid == call.tid
        and own.sleep()
        and own.name not in NAPS
        and own.result != ETIMEDOUT
        and not (own.name in EPOLL and own.result == 0)
        and not (own.name in RECEIVES and is_registered(story, own))
        and own.end <= call.start
    ]
    told = [
        (sleep, own) for sleep, own in sleeps if sleep and last_told_by(story, sleep, own, epfd)
    ]
    if not told:
        return None
    sleep, own = max(told, key=lambda pair: pair[0].back)
    assert sleep.woken is not None
    if own.end < previous_done or call.start - sleep.back > LONGEST:
        return None
    if sleep.back - sleep.woken > LONGEST:
        return None
    waits = [
        wait for wait in tellers(story, epfd) if wait.tid == sleep.waker and wait.end <= sleep.woken
    ]
    latest = waits[-1]
    fresh = [wait for wait in waits if since and wait.end >= since]
    wait = fresh[0] if fresh else latest
    if wait.end < taken:
        return None
    if wait is not latest and wait.result > 1:
        return Told(wait)  # told of several, and more since: which wake-up was meant is not clear
    return Told(wait, own, sleep)


def last_told_by(story: Story, sleep: Away, own: Call, epfd: int) -> bool:
    """Whether the thread that ended the sleep had last been told by epfd, which the sleeper did not wait for."""
    if sleep.woken is None or sleep.waker in (-1, 0, own.tid):
        return False
    waits = [
        wait
        for wait in story.calls
        if wait.tid == sleep.waker
        and wait.name in EPOLL
        and wait.result > 0
        and sleep.woken - LONGEST <= wait.end <= sleep.woken
    ]
    if not waits or (own.name in EPOLL and own.fd == epfd):
        return False
    return max(waits, key=lambda wait: wait.end).fd == epfd


def by_order(waits: list[Call], call: Call, taken: int, since: int) -> Told | None:
    """The first wait that can have told of the data; where nothing says since when, the last before the receive. None
    where that, or a later one, was the thread's own."""
    before = [wait for wait in waits if call.start - LONGEST <= wait.end <= call.start]
    wait = next((wait for wait in before if since and wait.end >= since), None)
    if wait is None and taken:
        wait = next((wait for wait in before if wait.end >= taken), None)
    if wait is None and not taken and before:
        wait = before[-1]
    if wait is None or wait.tid == call.tid:
        return None
    own = [mine for mine in before if mine.tid == call.tid]
    if own and own[-1].end >= max(since, wait.end):
        return None
    return Told(wait)
