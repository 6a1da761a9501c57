"""Signals noted instead of raised."""

import os
import signal

import pytest

from tracer.signalled import signalled


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
