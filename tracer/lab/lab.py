"""A lab: the cache, the lock file and how machines are to be run; turns iotrace's own commands into jobs for them."""

from __future__ import annotations

import contextlib
import io
import os
import sys
import tarfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import tracer
from tracer.lab import accel, identity, kernels, pins, rootfs, tools, vm
from tracer.lab.machine import Job, Machine, Outcome
from tracer.lab.store import Store, write_atomically

_MACHINE_TOOLS = ("qemu-system-x86_64", "busybox", "setpriv")
_GUEST_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True)
class MachineOptions:
    """How machines are run: accel is auto, kvm or tcg; job_s the most that one command may take (s); nics as
    Machine's."""

    accel: str = "auto"
    icount: bool = False
    host_root: bool = False
    cpus: int = 1
    memory_mb: int = 1024
    job_s: float = 300.0
    nics: bool = False


class Lab:
    """All that is needed to run commands on other kernels."""

    def __init__(self, store: Store, locked: pins.Pins, options: MachineOptions) -> None:
        self.store = store
        self.locked = locked
        self.options = options

    def kernel(self, name: str) -> kernels.Kernel:
        """The kernel of that name or at that path, fetched where need be; raises UnknownKernel, LabError."""
        return kernels.get(self.store, self.locked, name)

    def prepare(self, names: list[str]) -> tuple[str, str]:
        """Fetches and builds whatever machines with these kernels need; (accelerator, why)."""
        tools.require(_MACHINE_TOOLS)
        wanted = [self.kernel(name) for name in names]
        if not self.options.host_root:
            rootfs.get(self.store, self.locked.root)
        if self.options.icount:
            return (
                "tcg",
                "software emulation, one instruction counted as 2 ns: times repeat, and are no figures",
            )
        return accel.choose(self.store, self.options.accel, wanted[0])

    def iotrace(self, *arguments: str) -> tuple[str, ...]:
        """The argv in the guest of `iotrace ARGUMENT…`."""
        return (*self.python(), "-m", "tracer", *arguments)

    def python(self) -> list[str]:
        """The argv in the guest of a Python that knows iotrace's packages."""
        return rootfs.host_python() if self.options.host_root else [rootfs.PYTHON]

    def run(
        self,
        name: str,
        accelerator: str,
        jobs: tuple[Job, ...],
        take: Callable[[str, bytes], None],
        say: Callable[[str], None] = lambda _: None,
        stop: int | None = None,
        columns: int = 80,
    ) -> Outcome:
        """One machine with that kernel, from boot to power-off; raises LabError."""
        kernel = self.kernel(name)
        cache, news = self.store.root / "compiled" / kernel.image.parent.name, bytearray()

        def taken(port: str, data: bytes) -> None:
            if port == "probes":
                news.extend(data)
            else:
                take(port, data)

        machine = self._machine(kernel, jobs, accelerator, cache, columns)
        facts = {
            "kernel": kernel.name,
            "release": kernel.release,
            "pid": os.getpid(),
            "accel": accelerator,
            "since": time.time(),
            "jobs": [" ".join(job.command) for job in jobs],
        }
        root = identity.as_root() if self.options.host_root else contextlib.nullcontext()
        with self.store.in_use(), self.store.running(facts), root:
            outcome = vm.run(machine, taken, say, stop)
        _keep_compiled(bytes(news), cache)
        return outcome

    def _machine(
        self,
        kernel: kernels.Kernel,
        jobs: tuple[Job, ...],
        accelerator: str,
        cache: Path,
        columns: int,
    ) -> Machine:
        """cache: the probes that earlier machines compiled; columns: of the terminal that commands write for."""
        options = self.options
        return Machine(
            kernel,
            jobs,
            None if options.host_root else rootfs.get(self.store, self.locked.root),
            accelerator,
            options.icount,
            options.cpus,
            options.memory_mb,
            options.job_s,
            self._environment(columns),
            {path.name: path.read_bytes() for path in cache.glob("*.json")},
            nics=options.nics,
        )

    def _environment(self, columns: int) -> dict[str, str]:
        variables = {
            "PATH": _GUEST_PATH,
            "HOME": "/root",
            "LANG": "C.UTF-8",
            "TERM": "dumb",
            "COLUMNS": str(columns),
            "PYTHONUNBUFFERED": "1",
        }
        if self.options.host_root:
            variables["PATH"] = os.environ.get("PATH", _GUEST_PATH)
            if not sys.flags.isolated:
                variables["PYTHONPATH"] = str(Path(tracer.__file__).parents[1])
        return variables


def _keep_compiled(archive: bytes, cache: Path) -> None:
    """The probes that a machine compiled, for the next one with its kernel: compiling is most of an emulated run.

    As tracer/bpf/build.py names and keeps them; best effort, like there.
    """
    if not archive:
        return
    with (
        contextlib.suppress(OSError, tarfile.TarError),
        tarfile.open(fileobj=io.BytesIO(archive)) as tar,
    ):
        cache.mkdir(parents=True, exist_ok=True)
        inside = {
            Path(member.name).name: content.read()
            for member in tar
            if member.isfile() and (content := tar.extractfile(member))
        }
        for name, data in inside.items():
            write_atomically(cache / name, data)
        for path in cache.glob("*.json"):
            if path.name not in inside:  # the guest's own cache has let go of it
                path.unlink()
