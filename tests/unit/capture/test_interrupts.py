"""Signals noted instead of raised."""

import os
import signal

import pytest

from tracer.capture.interrupts import signalled


@pytest.fixture(autouse=True)
def interruptible():
    """As in the foreground: a shell's background job ignores Ctrl-C."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_a_signal_is_given_out_once_and_raises_nothing():
    with signalled() as signals:
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGTERM)
        assert sorted(signals()) == [signal.SIGINT, signal.SIGTERM]
        assert signals() == []


def test_afterwards_ctrl_c_interrupts_again():
    with signalled():
        pass
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)


def test_what_was_ignored_stays_ignored():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with signalled() as signals:
            os.kill(os.getpid(), signal.SIGHUP)
            assert signals() == []
        assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)
