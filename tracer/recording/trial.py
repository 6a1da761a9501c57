"""A recording read once in a child process with limits, before this one reads it: libparquet can abort on a damaged
footer, and a page can claim more memory than there is (fork(2), setrlimit(2))."""

from __future__ import annotations

import os
import resource
import signal
import warnings
from collections.abc import Callable
from typing import NoReturn

from tracer import text
from tracer.recording import parquet
from tracer.recording.parquet import RecordingError

_MEMORY = 2 << 30  # bytes beside the file's own: four row groups decoded take 0.2 GiB
_CPU_S = 60
_CPU_BYTES_A_S = 1 << 20  # and a second more for so many of the file: a hundredth of what is usual


def refuse_unreadable(path: str) -> None:
    """Raises RecordingError where the recording cannot be read: what `parquet.columns` raises, or that the child was
    ended. It takes as long as reading the records does, 20 ns each, and 10 ms."""

    def read() -> None:
        for _ in parquet.columns(path, threads=False):
            pass

    in_child(path, read)


def in_child(path: str, work: Callable[[], None]) -> None:
    """Does in a child what reads the file at `path`; raises RecordingError: the child's, or that it was ended."""
    import pyarrow  # noqa: F401  # here, so that the child has it

    receive, send = os.pipe()
    try:
        with warnings.catch_warnings():
            # threads that numpy started: the child makes none of their calls
            warnings.simplefilter("ignore", DeprecationWarning)
            child = os.fork()
        if not child:
            _work(path, work, send)
        os.close(send)
        send = -1
        with open(receive, "rb", closefd=False) as answer:
            why = answer.read()
        _, status = os.waitpid(child, 0)
    finally:
        os.close(receive)
        if send >= 0:
            os.close(send)
    if why:
        raise RecordingError(why.decode(errors="replace"))
    if status:
        raise RecordingError(f"{text.shown(path)}: damaged: reading it {_ending(status)}")


def _work(path: str, work: Callable[[], None], send: int) -> NoReturn:
    """In the child: does the work, and writes why that cannot be done."""
    status = 1
    try:
        _limit(path)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # libstdc++ says there why it aborts
        work()
        status = 0
    except RecordingError as error:
        os.write(send, str(error).encode())
    except OSError as error:
        os.write(send, text.failure(error).encode())
    except MemoryError:
        why = "damaged: it claims more memory than a recording takes"
        os.write(send, f"{text.shown(path)}: {why}".encode())
    finally:
        os._exit(status)


def _limit(path: str) -> None:
    size = os.stat(path).st_size if os.path.isfile(path) else 0
    with open("/proc/self/statm", "rb") as statm:
        mapped = int(statm.read().split()[0]) * resource.getpagesize()
    _lower(resource.RLIMIT_AS, mapped + size + _MEMORY)
    _lower(resource.RLIMIT_CPU, _CPU_S + size // _CPU_BYTES_A_S)
    _lower(resource.RLIMIT_CORE, 0)


def _lower(limit: int, most: int) -> None:
    """Sets a limit, unless it is lower already."""
    hard = resource.getrlimit(limit)[1]
    most = most if hard == resource.RLIM_INFINITY else min(most, hard)
    resource.setrlimit(limit, (most, most))


def _ending(status: int) -> str:
    if not os.WIFSIGNALED(status):
        return f"ended with status {os.waitstatus_to_exitcode(status)}"
    number = os.WTERMSIG(status)
    if number in (signal.SIGXCPU, signal.SIGKILL):
        return "takes too long"
    return f"ended by {signal.Signals(number).name}"
