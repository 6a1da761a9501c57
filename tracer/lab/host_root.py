"""The host's root file system shared with a machine, read-only: virtiofsd, and what QEMU needs for it."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import tempfile
from collections.abc import Iterator

from tracer.lab import LabError, tools
from tracer.lab.machine import Machine

_VIRTIOFSD = "/usr/lib/qemu/virtiofsd"  # Debian 12's, in C; QEMU has none of its own since 8.0
# For sh: every mount becomes read-only. The names of their places have blanks as \040, which printf undoes.
_READ_ONLY = (
    'while read -r _ place _; do mount -o remount,bind,ro "$(printf %b "$place")" 2>/dev/null; done '
    '</proc/self/mounts; exec "$@"'
)


@contextlib.contextmanager
def shared(machine: Machine) -> Iterator[tuple[list[str], tuple[int, ...]]]:
    """virtiofsd sharing the host's root, every mount of it made read-only for it; QEMU's arguments for that, and the
    descriptors that QEMU needs. Raises LabError."""
    if not os.access(_VIRTIOFSD, os.X_OK):
        raise LabError(
            f"--host-root needs {_VIRTIOFSD} (Debian 12: apt-get install qemu-system-common)"
        )
    if os.getuid() != 0:
        raise LabError(
            "--host-root needs root, since virtiofsd does: run it with sudo, or leave it out"
        )
    with contextlib.ExitStack() as stack:
        listener, connection = map(stack.enter_context, _connected())
        process = subprocess.Popen(
            _command(listener.fileno()),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            pass_fds=(listener.fileno(),),
            cwd=tools.ELSEWHERE,
            start_new_session=True,
        )
        try:
            fd = connection.fileno()
            yield list(_devices(machine.memory_mb, fd)), (fd,)
        finally:
            process.kill()
            process.wait()


def _command(fd: int) -> list[str]:
    """virtiofsd in a mount namespace of its own, listening at the socket `fd`."""
    options = ("source=/", "cache=always", "sandbox=chroot")
    return tools.command(
        "unshare",
        *("--mount", "--propagation", "private", "/bin/sh", "-c", _READ_ONLY, "sh"),
        *(_VIRTIOFSD, f"--fd={fd}"),
        *(word for option in options for word in ("-o", option)),
    )


def _devices(memory_mb: int, fd: int) -> Iterator[str]:
    """QEMU's arguments: the guest's memory, which virtiofsd writes into, and the socket `fd` that leads there."""
    yield from ("-object", f"memory-backend-memfd,id=memory,share=on,size={memory_mb}M")
    yield from ("-numa", "node,memdev=memory")
    yield from ("-chardev", f"socket,id=root,fd={fd}")
    yield from ("-device", "vhost-user-fs-pci,chardev=root,tag=root")


def _connected() -> tuple[socket.socket, socket.socket]:
    """A listening socket with one connection waiting at it, and that connection's other end. Nobody else can connect:
    while the socket has a name, that is in a directory of ours."""
    listener, connection = (socket.socket(socket.AF_UNIX) for _ in range(2))
    with tempfile.TemporaryDirectory(prefix="iotrace-") as directory:
        listener.bind(f"{directory}/root")
        listener.listen(1)
        connection.connect(f"{directory}/root")
    return listener, connection
