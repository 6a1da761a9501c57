"""What to boot and what to do in it, and how that ended: the words in which a virtual machine is spoken of."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

from tracer.bpf import build
from tracer.lab.kernels import Kernel

RESULTS = "/results"
COMPILED = str(build.CACHE)
PORTS = ("console", "control", "files", "probes", "out", "err")
BOOT_S = 90.0  # from power-on to the guest's first word; in emulation 3 s are usual
_LAST_LINES = 12


@dataclass(frozen=True)
class Job:
    """One command for the guest, as argv. Its working directory is RESULTS/NUMBER, and what it leaves there comes to
    the host as a tar archive, one after each job, with names NUMBER/FILE."""

    command: tuple[str, ...]
    out: str | None = None  # a file in the guest for its stdout; None: the port, as it comes
    err: str | None = None


@dataclass(frozen=True)
class Machine:
    """What to boot, and what to do in it.

    root: a disk image, or None for the host's root file system.
    accel: kvm or tcg; icount: one instruction is 2 ns of the guest's time.
    job_s, boot_s: the most that one job and booting may take.
    compiled: files for the guest's COMPILED; the port "probes" brings new ones.
    nics: two virtio network cards, eth0 and eth1, that a wire joins; nothing else is on it.
    probe: only say that it has booted: neither root file system nor jobs.
    """

    kernel: Kernel
    jobs: tuple[Job, ...]
    root: Path | None
    accel: str
    icount: bool = False
    cpus: int = 1
    memory_mb: int = 1024
    job_s: float = 300.0
    environment: dict[str, str] = field(default_factory=dict)
    compiled: dict[str, bytes] = field(default_factory=dict)
    probe: bool = False
    boot_s: float = BOOT_S
    nics: bool = False


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
        panics = [line for line in lines[:-_LAST_LINES] if "Kernel panic" in line]
        return panics[-1:] + lines[-_LAST_LINES:]
