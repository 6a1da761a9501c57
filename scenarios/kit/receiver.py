"""The receiver's side of a run: the sockets that it reads, and its own notes of all that it did.

The notes are the oracle: the tracer must see exactly the calls that are noted here.
"""

import gc
import os
import resource
import threading
import time
from array import array
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from scenarios.kit import transport
from scenarios.kit.options import Options
from scenarios.kit.page import READY, RECEIVED, SENT

STREAM_BUFFER = 65536  # bytes: room for many messages that a stream has merged


class Workload:
    """The receiver's side of a run: the sockets to read, a buffer to read into, and what was done.

    `socks` are what is watched, `sock` the first of them; `call` receives from them: recvfrom, or a pipe's readv.
    A scenario counts each call just before it makes it (`calls`), errors and signals as it gets them,
    hands the size of every receive to `received`, and goes on until `done`.
    """

    def __init__(
        self, options: Options, page: memoryview, socks: list[transport.End], call: str = "recvfrom"
    ):
        self.options = options
        self.socks = socks
        self.sock = socks[0]
        self.call = call
        self.buffer = bytearray(max(options.size, STREAM_BUFFER))
        self.calls: Counter[str] = Counter()
        self.errors: Counter[tuple[str, str]] = Counter()  # by (call, errno's name)
        self.signals: Counter[str] = Counter()
        self.done = False
        self.messages = 0
        self.bytes = 0
        self._page = page
        self._ended: set[transport.End] = set()  # the sockets whose end has come
        self._receives = 0
        # allocated before the window, filled in it
        self._receive_ns = array("Q", [0]) * options.messages
        self._window_ns = (0, 0)
        self._cpu_ns = 0
        self._memory: dict[str, int] = {}

    @contextmanager
    def window(self) -> Iterator[None]:
        """The time that is measured: set-up is before it, and inside it nothing is called but what is noted."""
        gc.collect()
        gc.disable()
        self._memory = _memory()
        cpu_ns = _cpu_ns()
        begin_ns = time.monotonic_ns()
        self._page[READY] = 1
        try:
            yield
        finally:
            self.done = True  # also when interrupted: handlers that still run find nothing to do
            self._window_ns = (begin_ns, time.monotonic_ns())
            self._cpu_ns = _cpu_ns() - cpu_ns
            gc.enable()

    def received(self, size: int, sock: object = None) -> None:
        """Note a receive that has just returned `size` bytes, and let the sender go on."""
        self.note(size, sock)
        self.publish()

    def note(self, size: int, sock: object = None) -> None:
        """Note a receive of `size` bytes from `sock` (the first, if not said); 0 is its end: of a stream, or said by
        the sender after the last datagram."""
        now_ns = time.monotonic_ns()
        if size == 0:
            self._ended.add(sock or self.sock)
            self.done = len(self._ended) == len(self.socks)
            return
        # a stream may bring one message in several receives
        if self._receives == len(self._receive_ns):
            self._receive_ns.extend(self._receive_ns)
        self._receive_ns[self._receives] = now_ns
        self._receives += 1
        self.bytes += size
        whole = self.options.proto in (*transport.DATAGRAMS, "file")  # a receive is a message
        self.messages = self._receives if whole else self.bytes // self.options.size
        self.done = self.messages >= self.options.messages

    def turned(self) -> None:
        """Note one of the rounds that a scenario without messages counts in their place."""
        self.messages += 1
        self.done = self.messages >= self.options.messages

    def publish(self, ahead: int = 0) -> None:
        """Tell the sender which messages are finished with, and `ahead` that are not, so that as many more messages
        may be on their way: a store to shared memory, not a call."""
        self._page[RECEIVED] = self.messages + ahead

    def publish_as(self, messages: int) -> None:
        """The same for a process of several that receive: `messages` by all of them."""
        self._page[RECEIVED] = messages

    @property
    def sent(self) -> int:
        """How many messages have been sent: a load from shared memory, not a call."""
        return self._page[SENT]

    def await_sent(self, count: int) -> None:
        """Compute until `count` messages have been sent, or all that are to come: they are in the socket then."""
        value = 1
        while self.sent < min(count, self.options.messages):
            value = (value * 1103515245 + 12345) % 2**31  # the program's own work

    @property
    def complete(self) -> bool:
        """Whether all that was to come has come; an open loop may lose datagrams."""
        return self.done and (self.may_lose or self.messages >= self.options.messages)

    @property
    def may_lose(self) -> bool:
        """Whether datagrams may be dropped: then the sender says of every socket that no more will come."""
        return self.options.open_loop and self.options.proto == "udp"

    def notes(self) -> dict[str, Any]:
        """What the receiver did, for JSON; times in nanoseconds of CLOCK_MONOTONIC."""
        errors: dict[str, dict[str, int]] = {}
        for (call, errno_name), count in self.errors.items():
            errors.setdefault(call, {})[errno_name] = count
        lost = self._page[SENT] - self.messages if self.options.proto == "udp" else 0
        return {
            "messages": self.messages,
            "bytes": self.bytes,
            # the last send may be received before its sender has counted it
            "dropped": max(0, lost),
            "calls": dict(self.calls),
            "errors": errors,
            "signals": dict(self.signals),
            "receive_ns": self._receive_ns[: self._receives].tolist(),
            "window_ns": list(self._window_ns),
            "cpu_ns": self._cpu_ns,
            **self._memory,
            "pid": os.getpid(),
            "tid": threading.get_native_id(),
        }


def _cpu_ns() -> int:
    """CPU time of this process and of the children it has waited for."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time_ns() + round((children.ru_utime + children.ru_stime) * 1e9)


def _memory() -> dict[str, int]:
    """What this process has for itself alone (RssAnon), and its threads, from proc_pid_status(5)."""
    with open("/proc/self/status", encoding="utf-8", errors="replace") as file:
        lines = dict(line.split(":", 1) for line in file)
    return {
        "anonymous_bytes": int(lines["RssAnon"].split()[0]) * 1024,
        "threads": int(lines["Threads"]),
    }
