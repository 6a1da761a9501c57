"""Starts a program held at the gate, as the invoking user, and takes it down again with all it started."""

from __future__ import annotations

import contextlib
import os
import pwd
import select
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, Self

from tracer import places
from tracer.capture.exec_gate import IGNORED, MESSAGE

_MOST_MS = (1 << 31) - 1  # poll(2) takes an int


def invoking_user() -> tuple[int, int] | None:
    """(uid, gid) of who called sudo, pkexec or doas (sudo(8), pkexec(1), doas(1) set these variables), None if nobody
    did. Where several did, one inside another, sudo's caller counts, then pkexec's."""
    if os.geteuid() != 0:
        return None
    uid, gid = os.environ.get("SUDO_UID", ""), os.environ.get("SUDO_GID", "")
    if uid.isdecimal() and gid.isdecimal():
        return int(uid), int(gid)
    uid = os.environ.get("PKEXEC_UID", "")
    with contextlib.suppress(KeyError):  # who is not in the password file has no group to be found
        user = (
            pwd.getpwuid(int(uid))
            if uid.isdecimal()
            else pwd.getpwnam(os.environ.get("DOAS_USER", ""))
        )
        return user.pw_uid, user.pw_gid
    return None


def environment() -> dict[str, str]:
    """The environment in which a scenario finds its own package, whatever variables of Python's the caller has set, and
    writes no byte code."""
    return {
        **places.environment(),
        "PYTHONPATH": str(Path(__file__).parents[2]),
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONNOUSERSITE": "1",
        "PYTHONUNBUFFERED": "1",
    }


def given_environment() -> dict[bytes, bytes]:
    """This process's environment as it was at its own execve: Python, BCC and we ourselves have changed it since."""
    words = Path("/proc/self/environ").read_bytes().split(b"\0")
    return dict(word.split(b"=", 1) for word in words if b"=" in word[1:])


def ignored_signals() -> str:
    """The signals that were ignored when iotrace was started, as SigIgn of proc(5): the installed command tells it by
    -X (setup/install). "0", none, where `python -m tracer` was started without: Python has changed it by then."""
    return str(sys._xoptions.get(IGNORED, "0"))


def start(
    command: list[str],
    user: tuple[int, int] | None,
    pass_fds: tuple[int, ...] = (),
    space: int | None = None,
    **popen: Any,
) -> Target:
    """Starts a scenario's `command` behind the gate, in a session of its own, in / and in an environment in which it
    finds its package. It does not outlive this process. space: the descriptor of a network namespace to run it in."""
    return Target(
        *_held(
            command,
            user,
            Target.tied,
            pass_fds,
            space,
            env=environment(),
            cwd="/",
            start_new_session=True,
            **popen,
        )
    )


def start_command(command: list[str], user: tuple[int, int] | None) -> Command:
    """Starts a user's `command` behind the gate, as a shell would: all is as iotrace itself was given it (streams and
    other descriptors, directory, environment, process group, ignored signals), but HOME, SHELL, USER, LOGNAME and MAIL
    where it runs as another `user`. Once released it outlives this process."""
    # a directory is named lest posix_spawn be used, whose child ignores two of the C library's own signals
    return Command(
        *_held(
            command,
            user,
            Command.tied,
            ignored=ignored_signals(),
            env=given_environment(),
            close_fds=False,
            cwd=".",
        )
    )


def _held(
    command: list[str],
    user: tuple[int, int] | None,
    tied: bool,
    pass_fds: tuple[int, ...] | None = None,
    space: int | None = None,
    ignored: str = "0",
    **popen: Any,
) -> tuple[subprocess.Popen[bytes], int]:
    """The process that waits at the gate with `command`, and the descriptor by which the gate is opened.

    tied: the command is killed with this process; pass_fds: what it inherits, None: whatever is inheritable; ignored:
    the signals that it ignores from its beginning, as ignored_signals has them.
    """
    uid, gid = user or (-1, -1)
    read_end, write_end = os.pipe()
    options = ["-I", "-S", "-B", "-X", f"{IGNORED}={ignored}"]
    gate = [sys.executable, *options, str(Path(__file__).with_name("exec_gate.py"))]
    try:
        if pass_fds is None:
            os.set_inheritable(read_end, True)
        else:
            popen["pass_fds"] = (read_end, *pass_fds, *(() if space is None else (space,)))
        gate_arguments = (
            read_end,
            os.getpid(),
            int(tied),
            uid,
            gid,
            -1 if space is None else space,
        )
        process = subprocess.Popen([*gate, *map(str, gate_arguments), *command], **popen)
    except BaseException:
        os.close(write_end)
        raise
    finally:
        os.close(read_end)
    return process, write_end


class Target:
    """A started program. A context manager: whatever is left of it is killed at the end. tied: the kernel kills it
    with this process, too."""

    tied = True

    def __init__(self, process: subprocess.Popen[bytes], gate: int) -> None:
        self._process = process
        self._gate: int | None = gate
        self._pidfd = os.pidfd_open(process.pid)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.kill()

    @property
    def pid(self) -> int:
        """The program's process ID in this PID namespace."""
        return self._process.pid

    @property
    def status(self) -> int | None:
        """The exit status as a shell gives it (128 + n for signal n), None while it runs."""
        status = self._process.returncode
        return status if status is None or status >= 0 else 128 - status

    def release(self, secret: int = 0) -> None:
        """Opens the gate; the program first says `secret` to the probes that have it (0: there are none)."""
        if self._gate is not None:
            os.write(self._gate, secret.to_bytes(MESSAGE, "little"))
            os.close(self._gate)
            self._gate = None

    def wait(self, milliseconds: float) -> bool:
        """Waits at most so long for the program's end; returns whether it has ended."""
        if self._process.returncode is not None:
            return True
        poll = select.poll()
        poll.register(self._pidfd, select.POLLIN)
        if not poll.poll(min(milliseconds, _MOST_MS)):
            return False
        self._process.wait()
        return True

    def interrupt(self) -> None:
        """Sends SIGINT, as Ctrl-C would; a target still at the gate is not disturbed."""
        if self._gate is None and self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)

    def kill(self) -> None:
        """Kills the program and what it left in its process group, and reaps it."""
        if self._gate is not None:
            os.close(self._gate)
            self._gate = None
        if self._pidfd < 0:
            return
        self._kill()
        self._process.wait()
        os.close(self._pidfd)
        self._pidfd = -1

    def _kill(self) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)


class Command(Target):
    """A user's command. It shares iotrace's process group, and processes that it leaves behind are not killed. Once
    the command has begun, no failure in iotrace ends it."""

    tied = False

    def send(self, number: int) -> None:
        """Sends the command a signal, unless it has ended or is still at the gate."""
        if self._gate is None and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._pidfd, number)

    def kill(self) -> None:
        """Kills the command only if it is still at the gate."""
        if self._gate is not None:
            super().kill()
        elif self._pidfd >= 0:
            os.close(self._pidfd)
            self._pidfd = -1

    def _kill(self) -> None:
        if self._process.poll() is None:
            self._process.kill()
