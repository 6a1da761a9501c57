"""One virtual machine, from boot to power-off: QEMU, a console and virtio-serial ports that bring out what the guest
says, and an end to it on panic, hang, time-out or Ctrl-C."""

from __future__ import annotations

import contextlib
import os
import re
import selectors
import shlex
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tracer.bpf import build
from tracer.lab import LabError, initramfs, tools
from tracer.lab.kernels import Kernel

RESULTS = "/results"
COMPILED = str(build.CACHE)
PORTS = ("console", "control", "files", "probes", "out", "err")
BOOT_S = 90.0  # from power-on to the guest's first word; in emulation 3 s are usual
_CONSOLE_BYTES = 64 << 10
_LAST_LINES = 12
_VIRTIOFSD = "/usr/lib/qemu/virtiofsd"  # Debian 12's, in C; QEMU has none of its own since 8.0
# For sh: every mount becomes read-only. The names of their places have blanks as \040, which printf undoes.
_READ_ONLY = (
    'while read -r _ place _; do mount -o remount,bind,ro "$(printf %b "$place")" 2>/dev/null; done '
    '</proc/self/mounts; exec "$@"'
)


@dataclass(frozen=True)
class Job:
    """One command for the guest, as argv. Its working directory is RESULTS/NUMBER, and what it leaves there comes to
    the host as a tar archive, one after each job, with names NUMBER/FILE."""

    command: tuple[str, ...]
    out: str | None = None  # a file in the guest for its stdout; None: the port, as it comes
    err: str | None = None


@dataclass(frozen=True)
class Machine:
    """What to boot, and what to do in it. `root` is a disk image, or None for the host's root file system."""

    kernel: Kernel
    jobs: tuple[Job, ...]
    root: Path | None
    accel: str  # kvm or tcg
    icount: bool = False
    cpus: int = 1
    memory_mb: int = 1024
    job_s: float = 300.0
    environment: dict[str, str] = field(default_factory=dict)
    compiled: dict[str, bytes] = field(
        default_factory=dict
    )  # files for the guest's COMPILED; "probes" brings new ones
    probe: bool = False  # only say that it has booted: neither root file system nor jobs
    boot_s: float = BOOT_S


@dataclass
class Outcome:
    """How a machine ended: "done", or "panic", "hung" (it never came up), "timeout" (a job) or "died" (QEMU)."""

    ended: str = "died"
    release: str | None = None
    statuses: dict[int, int] = field(default_factory=dict)  # job: exit status
    up_s: float | None = None  # from power-on to the guest's first word
    took_s: float = 0.0
    console: str = ""

    @property
    def last_lines(self) -> list[str]:
        """The console's last lines, without the colours and times that serial consoles have."""
        lines = [
            re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", line).rstrip()
            for line in self.console.splitlines()
        ]
        lines = [line for line in lines if line]
        told = [line for line in lines[:-_LAST_LINES] if "Kernel panic" in line]
        return told[-1:] + lines[-_LAST_LINES:]


def run(
    machine: Machine,
    take: Callable[[str, bytes], None],
    say: Callable[[str], None] = lambda _: None,
    stop: int | None = None,
) -> Outcome:
    """Boots the machine, does its jobs, and returns when it is off.

    take(port, bytes): what comes out of "out", "err", "files" and "probes" (a tar archive of COMPILED, if a file in it
    is new), as it comes. say: told of progress. stop: a
    descriptor that ends the machine when it is readable. Raises CannotLab, LabError; KeyboardInterrupt ends the
    machine too. A machine never outlives the call, nor the process.
    """
    tools.require(("qemu-system-x86_64", "setpriv"))
    outcome = Outcome()
    with contextlib.ExitStack() as stack:
        ends = {name: os.pipe2(os.O_CLOEXEC) for name in PORTS}
        for ours, _ in ends.values():
            stack.callback(os.close, ours)
        theirs = stack.enter_context(_closing([end for _, end in ends.values()]))
        boot = _memory(stack, _initramfs(machine))
        sharing, passed = [], ()
        if machine.root is None and not machine.probe:
            sharing, passed = stack.enter_context(_host_root(machine))
        argv = tools.command(
            "qemu-system-x86_64",
            *_arguments(machine, boot, dict(zip(PORTS, theirs, strict=True))),
            *sharing,
        )
        began = time.monotonic()
        process = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            pass_fds=(boot, *theirs, *passed),
            cwd=tools.ELSEWHERE,
            start_new_session=True,
            **tools.as_user(),
        )
        stack.callback(process.stderr.close)
        stack.callback(_end, process)
        for fd in theirs:
            os.close(fd)
        theirs.clear()
        _watch(
            machine,
            process,
            {name: ours for name, (ours, _) in ends.items()},
            outcome,
            take,
            say,
            stop,
        )
        _end(process)
        outcome.took_s = time.monotonic() - began
        complaint = process.stderr.read().decode(errors="replace").strip()
    if outcome.ended == "died" and "Kernel panic" in outcome.console:
        outcome.ended = "panic"
    if process.returncode and outcome.up_s is None and outcome.ended == "died":
        raise LabError(
            f"QEMU: {complaint.splitlines()[0] if complaint else f'status {process.returncode}'}"
        )
    return outcome


def _watch(
    machine: Machine,
    process: subprocess.Popen,
    ports: dict[str, int],
    outcome: Outcome,
    take: Callable[[str, bytes], None],
    say: Callable[[str], None],
    stop: int | None,
) -> None:
    """Reads all ports until the machine is off or out of time."""
    began = time.monotonic()
    deadline = began + machine.boot_s
    console, control = bytearray(), bytearray()
    with selectors.DefaultSelector() as selector:
        for name, fd in ports.items():
            selector.register(fd, selectors.EVENT_READ, name)
        if stop is not None:
            selector.register(stop, selectors.EVENT_READ, "stop")
        while len(selector.get_map()) > (stop is not None):
            ready = selector.select(max(0.0, deadline - time.monotonic()))
            if not ready:
                outcome.ended = "hung" if outcome.up_s is None else "timeout"
                break
            for key, _ in ready:
                if key.data == "stop":
                    raise KeyboardInterrupt
                data = os.read(key.fd, 1 << 16)
                if not data:
                    selector.unregister(key.fd)
                elif key.data == "console":
                    console += data
                    del console[:-_CONSOLE_BYTES]
                elif key.data == "control":
                    control += data
                    while b"\n" in control:
                        line, _, rest = bytes(control).partition(b"\n")
                        control[:] = rest
                        _heard(line.decode(errors="replace"), outcome, began, say)
                        deadline = time.monotonic() + machine.job_s
                else:
                    take(key.data, data)
        outcome.console = console.decode(errors="replace")


def _heard(line: str, outcome: Outcome, began: float, say: Callable[[str], None]) -> None:
    """One line of the guest's: up RELEASE, begin JOB, end JOB STATUS, done. What is none of these is passed over."""
    match line.split():
        case ["up", release]:
            outcome.release, outcome.up_s = release, time.monotonic() - began
        case ["begin", job] if job.isdecimal():
            pass
        case ["end", job, status] if job.isdecimal() and status.isdecimal():
            outcome.statuses[int(job)] = int(status)
        case ["done"]:
            outcome.ended = "done"
        case _:
            return
    say(line)


def _arguments(machine: Machine, boot: int, ports: dict[str, int]) -> Iterator[str]:
    """QEMU's arguments: no device but what is named here, and no network."""
    yield from (
        "-nodefaults",
        "-no-user-config",
        "-display",
        "none",
        "-no-reboot",
        "-machine",
        "q35",
        "-cpu",
        "max",
        "-smp",
        str(machine.cpus),
        "-m",
        f"{machine.memory_mb}M",
    )
    if machine.icount:
        # One instruction is 2 ns of the guest's time, whatever the host does; idle time is skipped.
        yield from ("-accel", "tcg,thread=single", "-icount", "shift=1,sleep=off")
    else:
        yield from ("-accel", machine.accel)
    yield from (
        "-kernel",
        str(machine.kernel.image),
        "-initrd",
        f"/proc/self/fd/{boot}",
        "-append",
        "console=ttyS0 panic=-1 no_timer_check random.trust_cpu=on rdinit=/init",
    )
    yield from ("-device", "virtio-rng-pci", "-device", "virtio-serial-pci")
    for name, fd in ports.items():
        yield from ("-chardev", f"file,id={name},path=/proc/self/fd/{fd}")
        yield from (
            ("-serial", f"chardev:{name}")
            if name == "console"
            else ("-device", f"virtserialport,chardev={name},name={name}")
        )
    if machine.probe:
        return
    for name, path in (("root", machine.root), ("modules", machine.kernel.modules)):
        if path is not None:
            yield from (
                "-blockdev",
                f"driver=file,node-name={name},read-only=on,filename={path}",
                "-device",
                f"virtio-blk-pci,drive={name}",
            )


def _initramfs(machine: Machine) -> bytes:
    kind = "probe" if machine.probe else "host" if machine.root is None else "image"
    settings = {
        "ROOT": kind,
        "MODULES": "/dev/vda" if machine.root is None else "/dev/vdb",
        "COMPILED": COMPILED,
    }
    return initramfs.build(
        machine.kernel.boot, settings, _script(machine), machine.compiled, code=not machine.probe
    )


def _script(machine: Machine) -> str:
    """What the guest's shell does in the root file system."""
    lines = [
        ". /lab/ports.sh",
        'exec 3>"$(port control)" 4>"$(port files)" 5>"$(port out)" 6>"$(port err)"',
        "$busybox ifconfig lo up 2>/dev/null",
        "cd /",
    ]
    lines += [f"export {name}={shlex.quote(value)}" for name, value in machine.environment.items()]
    lines.append('echo "up $($busybox uname -r)" >&3')
    for number, job in enumerate(machine.jobs):
        out, err = (
            f">{shlex.quote(path)}" if path else f">&{port}"
            for path, port in ((job.out, 5), (job.err, 6))
        )
        lines += [
            f"$busybox mkdir -p {RESULTS}/{number}",
            f"job {number} {shlex.join(job.command)} {out} 2{err}",
        ]
    return "\n".join(
        [*lines, f"send_new {COMPILED} probes", "echo done >&3", "$busybox poweroff -f", ""]
    )


@contextlib.contextmanager
def _host_root(machine: Machine) -> Iterator[tuple[list[str], tuple[int, ...]]]:
    """virtiofsd sharing the host's root, every mount of it made read-only for it; QEMU's arguments for that, and the
    descriptors that QEMU needs."""
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
        fd = listener.fileno()
        argv = tools.command(
            "unshare",
            "--mount",
            "--propagation",
            "private",
            "/bin/sh",
            "-c",
            _READ_ONLY,
            "sh",
            _VIRTIOFSD,
            f"--fd={fd}",
            "-o",
            "source=/",
            "-o",
            "cache=always",
            "-o",
            "sandbox=chroot",
        )
        process = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            pass_fds=(fd,),
            cwd=tools.ELSEWHERE,
            start_new_session=True,
        )
        try:
            yield (
                [
                    "-object",
                    f"memory-backend-memfd,id=memory,share=on,size={machine.memory_mb}M",
                    "-numa",
                    "node,memdev=memory",
                    "-chardev",
                    f"socket,id=root,fd={connection.fileno()}",
                    "-device",
                    "vhost-user-fs-pci,chardev=root,tag=root",
                ],
                (connection.fileno(),),
            )
        finally:
            process.kill()
            process.wait()


def _connected() -> tuple[socket.socket, socket.socket]:
    """A listening socket with one connection waiting at it, and that connection's other end. Nobody else can connect:
    while the socket has a name, that is in a directory of ours."""
    listener, connection = (socket.socket(socket.AF_UNIX) for _ in range(2))
    with tempfile.TemporaryDirectory(prefix="iotrace-") as directory:
        listener.bind(f"{directory}/root")
        listener.listen(1)
        connection.connect(f"{directory}/root")
    return listener, connection


def _memory(stack: contextlib.ExitStack, data: bytes) -> int:
    """A descriptor of a file in memory: nothing to remove, however we end."""
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


def _end(process: subprocess.Popen) -> None:
    """Waits for a machine that is off, ends one that is not; all its ports have been closed or it is out of time."""
    try:
        process.wait(2)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
