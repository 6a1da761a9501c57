"""Whether KVM truly works here: /dev/kvm may open and machines hang, so one is booted, once, with a time limit."""

from __future__ import annotations

import json
import os
from pathlib import Path

from tracer.lab import CannotLab, LabError, tools, vm
from tracer.lab.kernels import Kernel
from tracer.lab.machine import Machine
from tracer.lab.store import Store, write_json

DEVICE = Path("/dev/kvm")
_PROBE_S = 10.0
EMULATED = "software emulation (TCG): times are shapes, not figures"


def choose(store: Store, wanted: str, kernel: Kernel) -> tuple[str, str]:
    """("kvm" or "tcg", why). wanted: kvm, tcg or auto; `kernel` is what is booted to find out.

    Raises CannotLab where kvm is wanted and does not work. The answer is kept until the host boots again.
    """
    if wanted == "tcg":
        return "tcg", EMULATED
    with store.locked("kvm"):
        works, why = _works(store, kernel)
    if works:
        return "kvm", "KVM"
    if wanted == "kvm":
        raise CannotLab(f"KVM does not work here: {why}")
    return "tcg", f"{EMULATED}; KVM: {why}"


def _works(store: Store, kernel: Kernel) -> tuple[bool, str]:
    if not DEVICE.exists():
        return False, "no /dev/kvm"
    if not os.access(DEVICE, os.R_OK | os.W_OK, effective_ids=True):
        return False, "no permission for /dev/kvm (the group kvm has it)"
    binary = tools.path_of("qemu-system-x86_64").stat()
    boot = (
        Path("/proc/sys/kernel/random/boot_id")
        .read_text(encoding="ascii", errors="replace")
        .strip()
    )
    key = [boot, binary.st_mtime_ns]
    answer_path = store.root / "kvm.json"
    try:
        answer = json.loads(answer_path.read_text(encoding="utf-8"))
        if answer["key"] == key:
            return answer["works"], answer["why"]
    except (OSError, ValueError, LookupError):
        pass
    store.say(f"trying KVM, {_PROBE_S:.0f} s at most")
    works, why = _boots(kernel)
    write_json(answer_path, {"key": key, "works": works, "why": why})
    return works, why


def _boots(kernel: Kernel) -> tuple[bool, str]:
    machine = Machine(kernel, (), None, "kvm", memory_mb=512, probe=True, boot_s=_PROBE_S)
    try:
        outcome = vm.run(machine, lambda _port, _data: None)
    except LabError as error:
        return False, str(error)
    if outcome.ended == "done":
        return True, "a machine booted"
    last = outcome.last_lines
    return False, f"a machine did not boot within {_PROBE_S:.0f} s" + (
        f" (last: {last[-1][:60]})" if last else ""
    )
