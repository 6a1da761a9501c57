"""Calls that open descriptors: what kind of file each makes, and which make another descriptor for an open file."""

from __future__ import annotations

from tracer.analysis.identity.open_files import FileKind

# What a call makes, for recordings in which no FILE record tells it.
MAKERS = {
    "eventfd": FileKind.EVENTFD,
    "eventfd2": FileKind.EVENTFD,
    "timerfd_create": FileKind.TIMERFD,
    "signalfd": FileKind.SIGNALFD,
    "signalfd4": FileKind.SIGNALFD,
    "epoll_create": FileKind.EPOLL,
    "epoll_create1": FileKind.EPOLL,
    "io_uring_setup": FileKind.IO_URING,
    "inotify_init": FileKind.INOTIFY,
    "inotify_init1": FileKind.INOTIFY,
    "pidfd_open": FileKind.PIDFD,
}
# Calls that return a descriptor that they were given: it was open before, if it is the one that they were given.
GIVE_BACK = ("dup2", "dup3", "signalfd", "signalfd4")
# Calls that look at the descriptor that they are given: old recordings do not say that it was open before.
LOOK_AT = ("bind", "connect", "fcntl", "ioctl", "epoll_ctl")
# Calls whose descriptor is another one for an open file that was there before.
SHARE = ("dup", "dup2", "dup3", "fcntl", "pidfd_getfd")
PAIRS = ("pipe", "pipe2", "socketpair")
