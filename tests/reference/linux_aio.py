"""Reads of native AIO by docs/model.md: event by event, in plain Python."""

from __future__ import annotations

from reference.order import Operation
from reference.story import Aio, Call, Story

READS = {0, 7}  # IOCB_CMD_ PREAD, PREADV


def reads(story: Story) -> list[Operation]:
    """The reads with data that io_getevents brought, before they are given their readiness."""
    found = []
    for request in story.aio:
        submit, getevents = submitting_call(story, request), bringing_call(story, request)
        brought = request.event > 0 and request.opcode in READS and request.result > 0
        if brought and submit and getevents:
            found.append(read(request, submit, getevents))
    return found


def read(request: Aio, submit: Call, getevents: Call) -> Operation:
    """One read, of these two calls."""
    on_disk = request.file is not None and request.file.kind in ("file", "disk")
    direct = on_disk and request.file is not None and request.file.direct
    op = Operation(
        tid=request.tid,
        receiver_tid=0,
        fd=request.fd,
        inode=request.file.inode if request.file else 0,
        bytes=request.result,
        wait_kind="linux-aio",
        completion_kind="after io_submit" if direct else "in io_submit",
        ask=submit.start,
        ready=submit.start,
        told=submit.start,
        copy_start=submit.start,
        copy_end=submit.end,
        done=getevents.end,
        estimated=set(),
        stream=request.file.stream if request.file else False,
        more={"slept": 0, "in_call": not direct},
    )
    if direct:
        by_device(op, submit, getevents)
    else:
        in_submit(op, submit)
    return op


def by_device(op: Operation, submit: Call, getevents: Call) -> None:
    """The device reads while the program does something else; when it had done so is seen by its waking alone."""
    sleep = getevents.sleep()
    if sleep and sleep.woken is not None:
        op.copy_end = sleep.woken
    else:  # all was there when the program came to wait
        op.copy_end = min(max(submit.end, getevents.start), getevents.end)
    op.ready = op.told = op.copy_start = op.copy_end
    op.estimated |= {"copy_start", "copy_end"}


def in_submit(op: Operation, submit: Call) -> None:
    """io_submit copies, and if need be sleeps for the data."""
    if submit.copies:
        op.copy_start = min(submit.copies)
    else:
        op.copy_start = max([submit.start, *(its.back for its in submit.away)])
        op.estimated.add("copy_start")
    sleep = submit.sleep()
    op.told = op.copy_start
    if sleep and sleep.woken is not None:
        op.ready, op.told, op.empty_at = sleep.woken, sleep.back, sleep.out
    op.more["slept"] = sum(its.back - its.out for its in submit.away if its.woken is not None)


def submitting_call(story: Story, request: Aio) -> Call | None:
    """The io_submit that took the request."""
    mine = sorted(
        (
            its
            for its in story.calls
            if its.name == "io_submit" and its.tid == request.tid and its.end >= request.submitted
        ),
        key=lambda its: its.end,
    )
    return mine[0] if mine else None


def bringing_call(story: Story, request: Aio) -> Call | None:
    """The io_getevents that brought the event: the last that had returned."""
    mine = sorted(
        (
            its
            for its in story.calls
            if its.name in ("io_getevents", "io_pgetevents")
            and its.tid == request.tid
            and its.end <= request.event
        ),
        key=lambda its: its.end,
    )
    return mine[-1] if mine else None
