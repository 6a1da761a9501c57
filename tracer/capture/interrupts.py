"""Signals that would end iotrace, noted while it traces, so that a recording is closed with nothing dropped."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_NOT_CTRL_C = (signal.SIGTERM, signal.SIGHUP)
ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)


@contextmanager
def signalled(numbers: tuple[signal.Signals, ...] = ENDING) -> Iterator[Callable[[], list[int]]]:
    """Gives a function that returns the signals that came since it was last called.

    An exception instead could come between a drain of the ring and the writing of the drained records, and the
    recording would lack them without a word. Signals that iotrace was started to ignore stay ignored. (Blocking the
    signals would not do: numpy's threads would take them.)
    """
    noted_signals: list[int] = []
    before = {
        number: signal.signal(number, lambda came, _: noted_signals.append(came))
        for number in numbers
        if signal.getsignal(number) != signal.SIG_IGN
    }

    def taken() -> list[int]:
        signals, noted_signals[:] = noted_signals[:], []
        return signals

    try:
        yield taken
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def interrupting() -> Iterator[None]:
    """SIGTERM and SIGHUP as Ctrl-C: between two runs they would leave behind what an interrupted command removes."""
    before = {
        number: signal.signal(number, signal.default_int_handler)
        for number in _NOT_CTRL_C
        if signal.getsignal(number) == signal.SIG_DFL
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
