"""Reads that io_uring completed, by docs/model.md: completion by completion, in plain Python."""

from __future__ import annotations

from reference.order import Operation
from reference.story import Away, Call, Completion, File, Story, Uring

READS = {
    1,
    4,
    10,
    22,
    27,
    49,
    58,
}  # IORING_OP_ READV, READ_FIXED, RECVMSG, READ, RECV, READ_MULTISHOT, RECV_ZC
BY_DEVICE = ("file", "disk")


def file_of(story: Story, request: Uring) -> File | None:
    """The request's file. Of a registered one the kernel tells, by the request's address, when it is complete."""
    if not request.fixed:
        return request.file
    complete = any(not its.goes_on for its in request.completions)
    return request.file if story.has_addresses and complete else None


def is_poller(story: Story, tid: int) -> bool:
    """Whether a thread is the kernel's that submits by itself: it makes no call, and did not set up the ring."""
    calls = any(its.tid == tid for its in enters(story))
    return story.polled_ring is not None and tid != story.polled_ring and not calls


def reads(story: Story) -> list[Operation]:
    """The completed reads with data, before they are given their readiness."""
    done = [
        (request, completion)
        for request in story.uring
        if request.opcode in READS and kind_of(file_of(story, request)) != "terminal"
        for completion in request.completions
        if completion.result > 0
    ]
    return [
        read(story, request, completion, [its for _, its in done]) for request, completion in done
    ]


def read(
    story: Story, request: Uring, completion: Completion, others: list[Completion]
) -> Operation:
    """One read. others: all completions that brought data."""
    mine = [its for its in request.completions if its.result > 0 and its.time < completion.time]
    before = mine[-1] if mine else None
    call = submitting_call(story, request)
    file = file_of(story, request)
    kind = completion_kind(story, request, completion, before, call)
    asked = ask(request, before, call)
    away = last_away(story, completion, asked)
    slept = away is not None and away.woken is not None and away.out >= asked
    since = max(busy_until(completion, asked, away, others), entered(story, completion))
    copied = first_copy(story, completion, since)
    is_file = kind_of(file) in BY_DEVICE
    if copied is not None:
        start = copied
    elif is_file and kind != "inline":
        start = completion.time  # a device has read it
    else:
        start = max(since, request.submitted)
    told_by = who_told(story, request, completion)
    polls = [time for time in request.polled if request.submitted <= time <= completion.time]
    estimated = {"copy_start"} if copied is None else set()
    if told_by is None:
        estimated.add("done")
    return Operation(
        tid=request.tid,
        receiver_tid=completion.tid if completion.tid != request.tid else 0,
        fd=-1 if request.fixed else request.fd,
        inode=file.inode if file else 0,
        bytes=completion.result,
        wait_kind="io-uring",
        completion_kind=kind,
        ask=asked,
        ready=ready_unseen(kind, is_file, asked, completion, away if slept else None),
        told=away.back if away and slept else start,
        copy_start=start,
        copy_end=completion.time,
        done=told_by.end if told_by else completion.time,
        estimated=estimated,
        empty_at=max(polls) if polls and before is None else None,
        stream=file.stream if file and not request.fixed else False,
        more={
            "slept": away.back - away.out if away and slept else 0,
            "in_call": kind not in ("device", "worker")
            and completion.tid == request.tid
            and entered(story, completion) > 0,
        },
    )


def submitting_call(story: Story, request: Uring) -> Call | None:
    """The io_uring_enter that made the submission; None: a kernel thread did, or the call was not seen."""
    mine = [its for its in enters(story) if its.tid == request.tid and its.end >= request.submitted]
    return mine[0] if mine and mine[0].start <= request.submitted else None


def kind_of(file: File | None) -> str:
    """What a file is, if that is known."""
    return file.kind if file else ""


def completion_kind(
    story: Story,
    request: Uring,
    completion: Completion,
    before: Completion | None,
    call: Call | None,
) -> str:
    """How the request was carried out."""
    file = file_of(story, request)
    polls = [time for time in request.polled if time <= completion.time]
    works = [time for time in request.worked if time <= completion.time]
    if before or completion.goes_on:
        return "multishot"
    if works and (not polls or works[-1] >= polls[-1]):
        return "worker"
    if polls:
        return "poll-armed"
    direct = file is not None and file.kind in BY_DEVICE and file.direct and not request.fixed
    if is_poller(story, request.tid) and not direct:
        return "sqpoll"
    if call and completion.time <= call.end:
        return "inline"
    return "inline" if kind_of(file) in ("socket", "pipe") else "device"


def ask(request: Uring, before: Completion | None, call: Call | None) -> int:
    """The program first wants the data; what a multishot request brings later from the completion before on."""
    if before:
        return before.time
    return call.start if call else request.submitted


def last_away(story: Story, completion: Completion, asked: int) -> Away | None:
    """The last time off the CPU of the completing thread before it completed, since the asking."""
    inside = [its for call in story.calls if call.tid == completion.tid for its in call.away]
    away = inside + story.sleeps.get(completion.tid, [])
    mine = sorted((its for its in away if its.back <= completion.time), key=lambda its: its.back)
    return mine[-1] if mine and mine[-1].back >= asked else None


def busy_until(
    completion: Completion, asked: int, away: Away | None, others: list[Completion]
) -> int:
    """The earliest time at which the thread can have begun to copy: it slept until then, or copied for another one."""
    earlier = [
        its.time for its in others if its.tid == completion.tid and its.time < completion.time
    ]
    return max([asked, away.back if away else 0, *earlier])


def entered(story: Story, completion: Completion) -> int:
    """The entry of the io_uring_enter in which the completing thread was then; 0: it was in none."""
    inside = [
        its.start
        for its in enters(story)
        if its.tid == completion.tid and its.start <= completion.time <= its.end
    ]
    return max(inside, default=0)


def first_copy(story: Story, completion: Completion, since: int) -> int | None:
    """The first copy that the completing thread began since then; None: none was seen."""
    inside = [time for call in story.calls if call.tid == completion.tid for time in call.copies]
    copies = inside + story.copies.get(completion.tid, [])
    return min((time for time in copies if since <= time <= completion.time), default=None)


def ready_unseen(
    kind: str, is_file: bool, asked: int, completion: Completion, sleep: Away | None
) -> int:
    """The data can be read, as far as that is known without sk_data_ready."""
    if is_file:
        return asked if kind == "inline" else completion.time
    if sleep and sleep.woken is not None:
        return sleep.woken
    return asked


def who_told(story: Story, request: Uring, completion: Completion) -> Call | None:
    """The call that waited or that submitted nothing, and returned with the completion; None: the program looks into
    the ring by itself."""
    anyone = is_poller(story, request.tid)  # a kernel thread asked
    waits = [
        its
        for its in enters(story)
        if (its.arg > 0 or its.result == 0)
        and its.end >= completion.time
        and (anyone or its.tid == request.tid)
    ]
    if not waits:
        return None
    if waits[0].start <= completion.time:
        return waits[0]
    # it came to wait later: if it had asked for more before, it may have seen the completion then
    more = [
        its
        for its in story.uring
        if its.tid == request.tid and completion.time <= its.submitted < waits[0].end
    ]
    return None if more else waits[0]


def enters(story: Story) -> list[Call]:
    """The calls of io_uring_enter, by their ends."""
    return sorted(
        (its for its in story.calls if its.name == "io_uring_enter"), key=lambda its: its.end
    )
