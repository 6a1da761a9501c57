"""The figure's title: what was drawn, and which figure of the textbook (Stevens, UNP, chapter 6) it is to be held
against."""

from __future__ import annotations

from tracer.output.figure.rows import Figure
from tracer.output.units import clean

_MODELS = {
    "blocking": ("Blocking I/O", "6.1"),
    "nonblocking": ("Nonblocking I/O", "6.2"),
    "select": ("I/O multiplexing: select", "6.3"),
    "poll": ("I/O multiplexing: poll", "6.3"),
    "epoll-lt": ("I/O multiplexing: epoll, level-triggered", "6.3"),
    "epoll-et": ("I/O multiplexing: epoll, edge-triggered", "6.3"),
    "signal": ("Signal-driven I/O", "6.4"),
    "posix-aio": ("Asynchronous I/O: POSIX aio", "6.5"),
    "linux-aio": ("Asynchronous I/O: Linux native aio", "6.5"),
    "io-uring": ("Asynchronous I/O: io_uring", "6.5"),
    "unknown": ("A receive that found its data there", None),
}
# by the model and how the operation was carried out or told of (the operation's `how`; none: by a call that receives)
_VARIANTS: dict[tuple[str, str], tuple[str, str | None]] = {
    ("posix-aio", "signal"): ("Asynchronous I/O: aio_read, told by a signal", "6.5"),
    ("posix-aio", "thread"): ("Asynchronous I/O: aio_read, told in a new thread", "6.5"),
    ("posix-aio", "suspend"): ("Asynchronous I/O: aio_read and aio_suspend", "6.5"),
    ("linux-aio", ""): ("I/O multiplexing: the poll of Linux native aio", "6.3"),
    ("linux-aio", "device"): ("Asynchronous I/O: native aio, by the device", "6.5"),
    ("linux-aio", "after io_submit"): ("Asynchronous I/O: native aio, by the device", "6.5"),
    ("linux-aio", "in io_submit"): ("Linux native aio: io_submit itself receives", None),
    ("io-uring", "inline"): ("io_uring: the data was there, and asking copied it", None),
    ("io-uring", "multishot"): ("Asynchronous I/O: io_uring, asked once for all", "6.5"),
    ("io-uring", "worker"): ("Asynchronous I/O: io_uring, by a kernel worker", "6.5"),
    ("io-uring", "device"): ("Asynchronous I/O: io_uring, by the device", "6.5"),
}


def title_of(figure: Figure) -> tuple[str, str | None]:
    """(title, number of the textbook's figure; None: it has none of this)."""
    variant = _VARIANTS.get((figure.model, figure.operation.get("how") or ""))
    if variant and figure.operation:
        return variant
    if any(step["kind"] == "signal" and step.get("taken") for step in figure.steps):
        return "Signal-driven I/O: a call takes the signal", "6.4"
    left = figure.operation.get("queued_ns") and figure.model == "epoll-et"
    if left and any(step["kind"] == "arrival" for step in figure.steps):
        return "epoll, edge-triggered: data left behind until more came", None
    return _MODELS.get(figure.model, (clean(figure.model or "An operation"), None))
