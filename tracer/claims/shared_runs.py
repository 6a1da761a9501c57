"""Runs that several claims share: each model once, with the same schedule of messages; no kernel interface."""

from __future__ import annotations

from tracer.claims.claim import Wanted

SYNCHRONOUS = {
    "blocking": Wanted("blocking", compared=True),
    "nonblocking": Wanted("nonblocking", compared=True),
    "select": Wanted("select"),
    "poll": Wanted("poll"),
    "epoll-lt": Wanted("epoll_lt"),
    "signal": Wanted("signal", compared=True),
}
ASYNCHRONOUS = {
    "posix-aio": Wanted("posix_aio"),
    "io-uring": Wanted("io_uring"),
    "io-uring-worker": Wanted("io_uring_worker"),
    "linux-aio": Wanted("linux_aio", proto="file"),
}
