"""Names of signals as signal(7) has them, and what an exit status says of one (wait(2))."""

from __future__ import annotations

import signal

_CORE, _SIGNAL = 0x80, 0x7F  # of a status: a core was dumped; the signal that killed, 0: none


def signal_name(number: int) -> str:
    """SIGIO, SIGRTMIN+3, …; the number itself of one that is none of these."""
    try:
        return signal.Signals(number).name
    except ValueError:
        above = number - signal.SIGRTMIN
        return f"SIGRTMIN+{above}" if above >= 0 else str(number)


def killer(status: int) -> str | None:
    """The name of the signal that killed a thread with this status, None if none did or the status is unknown (−1)."""
    number = status & _SIGNAL
    return signal_name(number) if status >= 0 and number else None


def how_ended(status: int) -> str:
    """As strace says it: "exited with 0", "killed by SIGSEGV (core dumped)"; "exited" where it is unknown (−1)."""
    if status < 0:
        return "exited"
    if name := killer(status):
        return f"killed by {name}" + (" (core dumped)" if status & _CORE else "")
    return f"exited with {status >> 8 & 0xFF}"
