"""What a machine does once it is up, as a script for the guest's shell, and the initramfs that brings it there."""

from __future__ import annotations

import shlex

from tracer.lab import initramfs
from tracer.lab.machine import COMPILED, RESULTS, Machine


def initramfs_of(machine: Machine) -> bytes:
    """The machine's first file system; raises CannotLab without a busybox."""
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
    if machine.nics:  # a module, or built in
        lines.append("$busybox modprobe virtio_net 2>/dev/null || modprobe virtio_net")
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
