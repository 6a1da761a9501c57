"""One virtual machine, from boot to power-off: QEMU, a console and virtio-serial ports that bring out what the guest
says, and an end to it on panic, hang, time-out or Ctrl-C."""

from __future__ import annotations

import contextlib
import os
import selectors
import subprocess
import time
from collections.abc import Callable, Iterator

from tracer.lab import LabError, guest_script, host_root, qemu, tools
from tracer.lab.machine import PORTS, Machine, Outcome

_CONSOLE_BYTES = 64 << 10
_READ_BYTES = 1 << 16

Take = Callable[[str, bytes], None]
Say = Callable[[str], None]


def run(
    machine: Machine, take: Take, say: Say = lambda _: None, stop: int | None = None
) -> Outcome:
    """Boots the machine, does its jobs, and returns when it is off.

    take(port, bytes): what comes out of "out", "err", "files" and "probes" (a tar archive of COMPILED, if a file in it
    is new), as it comes. say: told of progress. stop: a descriptor that ends the machine when it is readable.
    Raises CannotLab, LabError; KeyboardInterrupt ends the machine too. A machine never outlives the call, nor the
    process.
    """
    tools.require(("qemu-system-x86_64", "setpriv"))
    outcome = Outcome()
    with contextlib.ExitStack() as stack:
        process, ports, began = _started(machine, stack)
        _Watch(machine, outcome, take, say).until_off(ports, stop)
        _end(process)
        outcome.took_s = time.monotonic() - began
        assert process.stderr
        complaint = process.stderr.read().decode(errors="replace").strip()
    if outcome.ended == "died" and "Kernel panic" in outcome.console:
        outcome.ended = "panic"
    if process.returncode and outcome.up_s is None and outcome.ended == "died":
        raise LabError(
            f"QEMU: {complaint.splitlines()[0] if complaint else f'status {process.returncode}'}"
        )
    return outcome


def _started(
    machine: Machine, stack: contextlib.ExitStack
) -> tuple[subprocess.Popen[bytes], dict[str, int], float]:
    """(QEMU's process, port → our end, time of the start in s); the stack closes and ends all of it."""
    ends = {name: os.pipe2(os.O_CLOEXEC) for name in PORTS}
    for our_end, _ in ends.values():
        stack.callback(os.close, our_end)
    their_ends = stack.enter_context(_closing([end for _, end in ends.values()]))
    boot = _memory(stack, guest_script.initramfs_of(machine))
    sharing: list[str] = []
    passed: tuple[int, ...] = ()
    if machine.root is None and not machine.probe:
        sharing, passed = stack.enter_context(host_root.shared(machine))
    argv = tools.command(
        "qemu-system-x86_64",
        *qemu.arguments(machine, boot, dict(zip(PORTS, their_ends, strict=True))),
        *sharing,
    )
    began = time.monotonic()
    process = subprocess.Popen(
        argv,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        pass_fds=(boot, *their_ends, *passed),
        cwd=tools.ELSEWHERE,
        start_new_session=True,
        **tools.as_user(),
    )
    assert process.stderr
    stack.callback(process.stderr.close)
    stack.callback(_end, process)
    for fd in their_ends:
        os.close(fd)
    their_ends.clear()
    return process, {name: our_end for name, (our_end, _) in ends.items()}, began


class _Watch:
    """Reads the output of a machine's ports, and ends the machine when its time is over."""

    def __init__(self, machine: Machine, outcome: Outcome, take: Take, say: Say) -> None:
        self._machine, self._outcome = machine, outcome
        self._take, self._say = take, say
        self._began = time.monotonic()
        self._deadline = self._began + machine.boot_s
        self._console, self._control = bytearray(), bytearray()

    def until_off(self, ports: dict[str, int], stop: int | None) -> None:
        """Reads all ports until the machine has closed them or is out of time; raises KeyboardInterrupt on `stop`."""
        with selectors.DefaultSelector() as selector:
            for name, fd in ports.items():
                selector.register(fd, selectors.EVENT_READ, name)
            if stop is not None:
                selector.register(stop, selectors.EVENT_READ, "stop")
            while len(selector.get_map()) > (stop is not None):
                ready = selector.select(max(0.0, self._deadline - time.monotonic()))
                if not ready:
                    self._outcome.ended = "hung" if self._outcome.up_s is None else "timeout"
                    break
                for key, _ in ready:
                    if key.data == "stop":
                        raise KeyboardInterrupt
                    if data := os.read(key.fd, _READ_BYTES):
                        self._read(key.data, data)
                    else:
                        selector.unregister(key.fd)
            self._outcome.console = self._console.decode(errors="replace")

    def _read(self, port: str, data: bytes) -> None:
        if port == "console":
            self._console += data
            del self._console[:-_CONSOLE_BYTES]
        elif port == "control":
            *lines, unfinished = bytes(self._control + data).split(b"\n")
            self._control[:] = unfinished
            for line in lines:
                self._hear(line.decode(errors="replace"))
                self._deadline = time.monotonic() + self._machine.job_s
        else:
            self._take(port, data)

    def _hear(self, line: str) -> None:
        """One line of the guest's: up RELEASE, begin JOB, end JOB STATUS, done. Anything else is passed over."""
        outcome = self._outcome
        match line.split():
            case ["up", release]:
                outcome.release, outcome.up_s = release, time.monotonic() - self._began
            case ["begin", job] if job.isdecimal():
                pass
            case ["end", job, status] if job.isdecimal() and status.isdecimal():
                outcome.statuses[int(job)] = int(status)
            case ["done"]:
                outcome.ended = "done"
            case _:
                return
        self._say(line)


def _memory(stack: contextlib.ExitStack, data: bytes) -> int:
    """A descriptor of a file in memory, so that nothing must be removed, however this process ends."""
    fd = os.memfd_create("iotrace-lab")
    stack.callback(os.close, fd)
    with open(fd, "wb", closefd=False) as file:
        file.write(data)
    return fd


@contextlib.contextmanager
def _closing(fds: list[int]) -> Iterator[list[int]]:
    """Descriptors that are closed at the end, but for those taken out before."""
    try:
        yield fds
    finally:
        for fd in fds:
            os.close(fd)


def _end(process: subprocess.Popen[bytes]) -> None:
    """Waits for a machine that is off, ends one that is not; all its ports have been closed or it is out of time."""
    try:
        process.wait(2)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
