"""select(2) and descriptors from FD_SETSIZE (1024) on: what the C library's fd_set allows, and what the kernel does.

FD_SET is a macro. Compiled with _FORTIFY_SOURCE, it asks __fdelt_chk of glibc whether the descriptor has a place in an
fd_set; that function is called here as the macro calls it, in a process of its own, since it aborts.
"""

import ctypes
import fcntl
import os
import resource
import socket
from functools import partial

from scenarios.kit import Unsupported, Workload, main, transport
from scenarios.kit.children import fork

FD_SETSIZE = 1024
INSIDE, BEYOND = FD_SETSIZE - 1, 1500
_BITS = 64


def receive(workload: Workload) -> None:
    """A round: the last descriptor that an fd_set has a place for, and one beyond; each asked for and then selected."""
    if not transport.make_room(BEYOND):
        raise Unsupported(f"no process may have descriptor {BEYOND} open here (ulimit -H -n)")
    libc = ctypes.CDLL(None, use_errno=True)
    can_be_asked = hasattr(libc, "__fdelt_chk")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind((transport.LOOPBACK, 0))
        sock.connect(sock.getsockname())
        fds = [fcntl.fcntl(sock, fcntl.F_DUPFD_CLOEXEC, least) for least in (INSIDE, BEYOND)]
        with workload.window():
            while not workload.done:
                for fd in fds:
                    if can_be_asked:
                        os.waitpid(fork(partial(_ask, libc, fd)), 0)
                    sock.send(b"here")
                    _select(workload, libc, fd)
                    os.read(fd, 64)
                workload.turned()


def _ask(libc: ctypes.CDLL, fd: int) -> None:
    """Whether an fd_set has a place for `fd`: returns, or ends this process by SIGABRT."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # it says so too
    libc.__fdelt_chk(ctypes.c_long(fd))


def _select(workload: Workload, libc: ctypes.CDLL, fd: int) -> None:
    """The C library's select, on a set that is as large as `fd` needs."""
    words = (ctypes.c_uint64 * (fd // _BITS + 1))()
    words[fd // _BITS] = 1 << fd % _BITS
    workload.calls["select"] += 1
    if libc.select(fd + 1, words, None, None, None) < 0:
        raise OSError(ctypes.get_errno(), "select: " + os.strerror(ctypes.get_errno()))


if __name__ == "__main__":
    main("trials.beyond", "select on descriptors from FD_SETSIZE on", ("none",), receive)
