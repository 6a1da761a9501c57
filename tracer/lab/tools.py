"""Programs of the distribution that a lab runs: found or named as missing, run as the user the lab acts as, and never
left behind."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tracer import places
from tracer.lab import CannotLab, LabError

# program: the Debian package that has it
PACKAGES = {
    "qemu-system-x86_64": "qemu-system-x86",
    "busybox": "busybox-static",
    "depmod": "kmod",
    "genext2fs": "genext2fs",
    "mmdebstrap": "mmdebstrap",
    "apt-get": "apt",
    "dpkg-deb": "dpkg",
    "setpriv": "util-linux",
    "unshare": "util-linux",
}
_PLACES = "/usr/sbin:/sbin:/usr/bin:/bin"
# Where programs run, and not where the caller is: QEMU takes a firmware (bios-256k.bin) that lies in its directory.
ELSEWHERE = "/"


def find(program: str) -> str | None:
    """The path of a program, also where only root's PATH leads; None if it is not there."""
    return shutil.which(program, path=f"{places.path()}:{_PLACES}")


def path_of(program: str) -> Path:
    """The path of a program that is needed; raises CannotLab where it is missing."""
    require((program,))
    return Path(find(program) or program)


def require(programs: Iterable[str]) -> None:
    """Raises CannotLab that names every package that is missing at once."""
    missing = sorted({PACKAGES[name] for name in programs if not find(name)})
    if missing:
        raise CannotLab(
            f"a lab needs {', '.join(missing)}: apt-get install {' '.join(missing)} "
            "(in a clone: make lab)"
        )


def command(program: str, *arguments: object) -> list[str]:
    """argv of a program that the kernel kills if we are killed, and that does not begin if we were killed before.

    It is to be run in ELSEWHERE, unless it needs a directory that is ours.
    """
    alive = '[ "$PPID" = "$0" ] && exec "$@"'
    return [
        find("setpriv") or "setpriv",
        "--pdeathsig",
        "KILL",
        "/bin/sh",
        "-c",
        alive,
        str(os.getpid()),
        find(program) or program,
        *map(str, arguments),
    ]


def as_user() -> dict[str, Any]:
    """Popen's arguments by which a program runs wholly as the user that this process acts as."""
    if os.geteuid() == os.getuid():
        return {}
    surroundings = {**os.environ, "HOME": _home()}
    return {"user": os.geteuid(), "group": os.getegid(), "env": surroundings}


def run(
    program: str, *arguments: object, cwd: str | Path = ELSEWHERE, text_in: str | None = None
) -> str:
    """Runs a program in a session of its own to its end and returns its stdout; killed with its children on Ctrl-C.

    Raises LabError with the first error that it wrote on stderr.
    """
    process: subprocess.Popen[str] = subprocess.Popen(
        command(program, *arguments),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        cwd=cwd,
        start_new_session=True,
        **as_user(),
    )
    try:
        out, err = process.communicate(text_in or "")
    except BaseException:
        kill_session(process)
        raise
    if process.returncode:
        error = _first_error(err or out)
        raise LabError(f"{program} failed with status {process.returncode}: {error[:300]}")
    return out


def _first_error(output: str) -> str:
    """The line of a program's output that says what was wrong, as far as can be told."""
    lines = [line for line in output.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith(("E:", "error", "ERROR"))]
    return (errors or lines or ["no output"])[0]


def kill_session(process: subprocess.Popen[str]) -> None:
    """Ends a program and what it started: asked first, so that it takes down its mounts, then killed."""
    for sign in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, sign)
            process.wait(10)
            return
        except ProcessLookupError:
            process.wait()
            return
        except subprocess.TimeoutExpired:
            continue
        except PermissionError:
            process.kill()
            process.wait()
            return


def _home() -> str:
    import pwd

    return str(pwd.getpwuid(os.geteuid()).pw_dir)
