"""Real-time signals and what they say: F_SETSIG by fcntl(2), sigwaitinfo(2) with its siginfo, by way of the C library.

Python's own signal.sigwaitinfo leaves out si_fd, the descriptor that is ready.
"""

import ctypes
import errno
import fcntl
import os
import signal
import socket

from scenarios.kit.receiver import Workload
from scenarios.kit.transport import End

F_SETSIG = 10  # <fcntl.h>, with _GNU_SOURCE


class SigInfo(ctypes.Structure):
    """siginfo_t on x86-64, as a signal for I/O fills it."""

    _fields_ = [
        ("signo", ctypes.c_int),
        ("errno", ctypes.c_int),
        ("code", ctypes.c_int),
        ("band", ctypes.c_long),
        ("fd", ctypes.c_int),
        ("pad", ctypes.c_int * 25),
    ]


def arm(sock: socket.socket, number: int) -> None:
    """Let the kernel queue signal `number` for this process whenever data comes; SIGIO itself is not queued."""
    fcntl.fcntl(sock, fcntl.F_SETOWN, os.getpid())
    if number != signal.SIGIO:
        fcntl.fcntl(sock, F_SETSIG, number)
    fcntl.fcntl(sock, fcntl.F_SETFL, fcntl.fcntl(sock, fcntl.F_GETFL) | os.O_ASYNC | os.O_NONBLOCK)


class _Timespec(ctypes.Structure):
    _fields_ = [("seconds", ctypes.c_long), ("nanoseconds", ctypes.c_long)]


class Waiter:
    """Takes signals one by one, without a handler; they are blocked from now on."""

    def __init__(self, *numbers: int) -> None:
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._set = ctypes.create_string_buffer(128)  # sigset_t
        self._info = SigInfo()
        for number in numbers:
            self._libc.sigaddset(self._set, number)
        signal.pthread_sigmask(signal.SIG_BLOCK, numbers)

    def wait(self) -> SigInfo:
        """Sleep until one of them comes, and take it."""
        while self._libc.sigwaitinfo(self._set, ctypes.byref(self._info)) < 0:
            if (code := ctypes.get_errno()) != errno.EINTR:  # a handler of another signal ran
                raise OSError(code, "sigwaitinfo: " + os.strerror(code))
        return self._info

    def look(self) -> SigInfo | None:
        """Take one that is pending, if any."""
        now = _Timespec(0, 0)
        found = self._libc.sigtimedwait(self._set, ctypes.byref(self._info), ctypes.byref(now))
        return self._info if found > 0 else None


def serve(workload: Workload, number: int, together: int = 1) -> None:
    """Receive on being told by signal `number`, which is blocked and taken by sigwaitinfo.

    `together` messages come before the program looks for the first. A queued signal stands for one message; SIGIO,
    asked for or sent because the queue was full, stands for any number.
    """
    sock, buffer = workload.sock, workload.buffer
    names = {signal.SIGIO: "SIGIO", number: name_of(number)}
    waiter = Waiter(*names)
    sockets = {sock.fileno(): sock}
    arm(sock, number)
    with workload.window():
        while not workload.done:
            if together > 1 and workload.messages % together == 0:
                workload.publish(ahead=together - 1)
                workload.await_sent(workload.messages + together)
            workload.calls["rt_sigtimedwait"] += 1
            told = waiter.wait()
            workload.signals[names[told.signo]] += 1
            missed = told.signo == signal.SIGIO
            named: End = sockets.get(told.fd, sock)
            _receive(workload, named, buffer, all_there_is=missed)
            if missed and number != signal.SIGIO:
                _empty_queue(workload, waiter, names)
            if together == 1:
                workload.publish()
    workload.publish()


def _empty_queue(workload: Workload, waiter: Waiter, names: dict[int, str]) -> None:
    """Take the signals whose messages have been received already; else the queue stays full for ever."""
    while True:
        workload.calls["rt_sigtimedwait"] += 1
        told = waiter.look()
        if told is None:
            workload.errors["rt_sigtimedwait", "EAGAIN"] += 1
            return
        workload.signals[names[told.signo]] += 1


def name_of(number: int) -> str:
    """SIGIO, SIGRTMIN+1 …"""
    return "SIGIO" if number == signal.SIGIO else f"SIGRTMIN+{number - signal.SIGRTMIN}"


def _receive(workload: Workload, sock: End, buffer: bytearray, all_there_is: bool) -> None:
    more = True
    while more and not workload.done:
        workload.calls["recvfrom"] += 1
        try:
            workload.note(sock.recv_into(buffer))
        except BlockingIOError:  # another signal's receive has taken it
            workload.errors["recvfrom", "EAGAIN"] += 1
            return
        more = all_there_is
