"""The terms of docs/model.md that a report's keys and values are made of; said once, for analysis and outputs."""

from __future__ import annotations

# An operation's boundaries, in the order of time.
BOUNDARIES = ("ask", "ready", "told", "copy_start", "copy_end", "done")
# Those that may be moved between their neighbours; copy_end and done are times that were seen or stand for one.
MOVABLE = BOUNDARIES[:4]
# Each phase from which boundary to which. They leave nothing out: together they last from ask to done.
PHASE_SPANS = {
    "wait": ("ask", "ready"),
    "notice": ("ready", "copy_start"),
    "copy": ("copy_start", "copy_end"),
    "completion": ("copy_end", "done"),
}
PHASES = tuple(PHASE_SPANS)
# `notice` in two: until the program, or that thread of it which waits, has been told; and until the data is fetched.
NOTICE_SPANS = {"waking": ("ready", "told"), "fetching": ("told", "copy_start")}
# What a thread is doing at any time: asleep, waiting for a CPU, on one in the kernel, on one in user mode.
STATES = ("blocked", "runnable", "kernel", "user")
# I/O models, and whether POSIX calls each synchronous: whether the thread that asks makes the call that copies.
SYNCHRONOUS = {
    "blocking": True,
    "nonblocking": True,
    "select": True,
    "poll": True,
    "epoll-lt": True,
    "epoll-et": True,
    "signal": True,
    "posix-aio": False,
    "linux-aio": False,
    "io-uring": False,
}
MODELS = tuple(SYNCHRONOUS)
# How a report's `features` begins of evidence that could not be had; the reason follows, in brackets.
NOT_SEEN = "not seen"
# What the thread that asked did meanwhile: slept, asked again and again, or was free for its own work.
MEANWHILE = ("asleep", "asking", "free")

# What holds a program back, most of the time in which there was work for it.
HELD_BACK = ("computing", "waiting for a CPU", "disk", "peer", "locks", "nothing to do")
