"""QEMU's command line for a machine."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from tracer.lab.machine import Machine

_KERNEL_COMMAND_LINE = "console=ttyS0 panic=-1 no_timer_check random.trust_cpu=on rdinit=/init"


def arguments(machine: Machine, boot: int, ports: dict[str, int]) -> Iterator[str]:
    """QEMU's arguments: no device but what is named here, and no network beyond the machine itself.

    boot: the initramfs, a descriptor that QEMU inherits; ports: name → where what comes out is written, likewise.
    """
    yield from ("-nodefaults", "-no-user-config", "-display", "none", "-no-reboot")
    yield from ("-machine", "q35", "-cpu", "max")
    yield from ("-smp", str(machine.cpus), "-m", f"{machine.memory_mb}M")
    if machine.icount:
        # One instruction is 2 ns of the guest's time, whatever the host does; idle time is skipped.
        yield from ("-accel", "tcg,thread=single", "-icount", "shift=1,sleep=off")
    else:
        yield from ("-accel", machine.accel)
    yield from ("-kernel", str(machine.kernel.image), "-initrd", f"/proc/self/fd/{boot}")
    yield from ("-append", _KERNEL_COMMAND_LINE)
    yield from ("-device", "virtio-rng-pci", "-device", "virtio-serial-pci")
    for name, fd in ports.items():
        yield from _port(name, fd)
    if machine.probe:
        return
    if machine.nics:
        for end in ("a", "b"):
            yield from ("-netdev", f"hubport,id={end},hubid=0")
            # no ROM: nothing is booted from it
            yield from ("-device", f"virtio-net-pci,netdev={end},romfile=")
    for name, path in (("root", machine.root), ("modules", machine.kernel.modules)):
        if path is not None:
            yield from _disk(name, path)


def _port(name: str, fd: int) -> Iterator[str]:
    yield from ("-chardev", f"file,id={name},path=/proc/self/fd/{fd}")
    if name == "console":
        yield from ("-serial", f"chardev:{name}")
    else:
        yield from ("-device", f"virtserialport,chardev={name},name={name}")


def _disk(name: str, path: Path) -> Iterator[str]:
    yield from ("-blockdev", f"driver=file,node-name={name},read-only=on,filename={path}")
    yield from ("-device", f"virtio-blk-pci,drive={name}")
