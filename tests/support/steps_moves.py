"""Calls of random programs that move data otherwise than from a file to memory: from descriptor to descriptor, several
messages at once, or not at all (MSG_PEEK)."""

from __future__ import annotations

import struct
from typing import Any

from support.steps_files import MESSAGES, MOST_QUEUED, SOCKETS, Files
from support.steps_machine import Actor, Open, Use

MSG_PEEK, MSG_DONTWAIT = 2, 0x40
SPLICE_F_NONBLOCK = 2
_FILES = ("regular", "memfd")
_STREAMS = ("stream", "tcp", "unix")


def peek(files: Files, actor: Actor, fd: int, how: int, held: set[Any]) -> None:
    """Looks at what is in a socket."""
    file = actor.table.fds[fd][0]
    if file.kind not in SOCKETS or not file.peer or file.peer not in held or not file.queue:
        return
    size = 1 + how % 500
    if file.kind not in MESSAGES:
        size = min(size, file.queue[0][0])
    there, uses = min(size, file.queue[0][0]), (Use("looks", fd, file.file),)
    if how & 1:
        args = (files.room(size), size, MSG_PEEK, 0, 0)
        files.call(actor, "recvfrom", fd, *args, expected=there, uses=uses)
    else:
        message = files.message(size)
        files.call(actor, "recvmsg", fd, message, MSG_PEEK, expected=there, uses=uses)


def messages(files: Files, actor: Actor, fd: int, how: int, held: set[Any]) -> None:
    """Sends or receives several datagrams by one call."""
    file = actor.table.fds[fd][0]
    if file.kind not in MESSAGES or not file.peer or file.peer not in held:
        return
    most = 1 + (how >> 1) % 3
    if how & 1:
        sizes = [1 + (how >> i) % 90 for i in range(most)]
        if len(file.peer.queue) + most > MOST_QUEUED:
            return
        use = Use("sends", fd, file.file, most, sum(sizes))
        array = _messages(files, sizes)
        files.call(actor, "sendmmsg", fd, array, most, 0, expected=most, uses=(use,))
        file.peer.queue += [(size, ()) for size in sizes]
    elif file.queue and not any(passed for _, passed in file.queue[:most]):
        room = 1 + how % 120
        sizes = [min(room, size) for size, _ in file.queue[:most]]
        del file.queue[:most]
        use = Use("receives", fd, file.file, len(sizes), sum(sizes))
        array = _messages(files, [room] * most)
        args = (array, most, MSG_DONTWAIT, 0)
        files.call(actor, "recvmmsg", fd, *args, expected=len(sizes), uses=(use,))


def _messages(files: Files, sizes: list[int]) -> int:
    """Structs mmsghdr."""
    vectors = [files.vector(size) for size in sizes]
    rows = [struct.pack("=8Q", 0, 0, vector, 1, 0, 0, 0, 0) for vector in vectors]
    return files.steps.put(b"".join(rows))


def move(files: Files, actor: Actor, one: int, other: int, how: int, held: set[Any]) -> None:
    """From a descriptor to another one, where a call can."""
    source, target = actor.table.fds[one][0], actor.table.fds[other][0]
    size = _there(source, 1 + how % 300, held)
    if not size or not _has_room(target, held) or source.file is target.file:
        return
    pipes = (source.kind in ("pipe", "fifo"), target.kind in ("pipe", "fifo"))
    if pipes == (False, False):
        if source.kind not in _FILES:
            return
        name = "sendfile"
        if source.kind == target.kind == "regular" and how & 512:
            name = "copy_file_range"
    elif pipes == (True, True) or _is_turned(source, False) or _is_turned(target, True):
        return
    else:
        name = "splice"
    uses = (Use("receives", one, source.file), Use("sends", other, target.file))
    args = {
        "sendfile": (other, one, 0, size),
        "copy_file_range": (one, 0, other, 0, size, 0),
        "splice": (one, 0, other, 0, size, SPLICE_F_NONBLOCK),
    }[name]
    files.call(actor, name, *args, expected=size, uses=uses)
    _took(source, size)
    _put(target, size)


def _is_turned(its: Open, fills: bool) -> bool:
    """Whether a pipe is not one for splices in this direction: whose are told by the first."""
    if its.kind not in ("pipe", "fifo"):
        return False
    if its.file.is_filled is None:
        its.file.is_filled = fills
    return its.file.is_filled != fills


def _there(source: Open, size: int, held: set[Any]) -> int:
    """How much can be moved from it, at most size."""
    if source.kind in _FILES:
        return max(0, min(size, source.file.size - source.position))
    if source.kind in ("pipe", "fifo", *_STREAMS) and source.reads and source.queue:
        if source.kind in _STREAMS and source.peer not in held:
            return 0
        there, passed = source.queue[0]
        return 0 if passed else min(size, there)
    return 0


def _has_room(target: Open, held: set[Any]) -> bool:
    if target.kind == "regular":
        return True
    if target.kind not in ("pipe", "fifo", *_STREAMS):
        return False
    peer = target.peer
    return peer is not None and peer in held and len(peer.queue) < MOST_QUEUED


def _took(source: Open, size: int) -> None:
    if source.kind in _FILES:
        source.position += size
        return
    there, passed = source.queue.pop(0)
    if there > size:
        source.queue.insert(0, (there - size, passed))


def _put(target: Open, size: int) -> None:
    if target.kind == "regular":
        target.position += size
        target.file.size = max(target.file.size, target.position)
    elif target.peer:
        target.peer.queue.append((size, ()))
