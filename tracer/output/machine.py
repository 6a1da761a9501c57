"""In words: where a run was bound to, how the machine's CPUs sleep, and which of them made data ready and received."""

from __future__ import annotations

from collections.abc import Iterator

from tracer.output.format import Result
from tracer.output.units import clean, duration, number

_WHERE = (
    ("same", "the receiver's own CPU"),
    ("sibling", "a CPU of the receiver's core"),
    ("other", "another CPU than the receiver's"),
)


def bound(options: Result) -> list[str]:
    """What --pin and --keep-awake asked for; nothing where they were not given."""
    words = []
    if pin := options.get("pin"):
        receiver, sender = pin
        both = f"both on CPU {receiver}"
        words.append(
            both if receiver == sender else f"receiver on CPU {receiver}, sender on {sender}"
        )
    if options.get("keep_awake"):
        words.append("the receiver's CPU kept awake" if pin else "CPUs kept awake")
    return words


def sentence(host: Result) -> str:
    """What is known of the machine's CPUs; empty for a recording that does not hold it."""
    if "idle_driver" not in host:
        return ""
    return "; ".join((*_machine(host), *_stolen(host), *_placed(host)))


def _machine(host: Result) -> Iterator[str]:
    if driver := host.get("idle_driver"):
        governor = f", governor {clean(host['idle_governor'])}" if host.get("idle_governor") else ""
        yield f"idles by {clean(driver)}{governor}"
    else:
        yield "no idle driver"
    if frequency := host.get("frequency_governor"):
        yield f"frequency by {clean(frequency)}"
    if host.get("hypervisor"):
        yield "a virtual machine"


def _stolen(host: Result) -> Iterator[str]:
    """Of what a hypervisor took of the CPUs that were used."""
    if stolen := host.get("steal_ns"):
        taken = [f"{duration(ns)} of CPU {clean(cpu)}" for cpu, ns in stolen.items() if ns]
        yield f"stolen by the hypervisor: {', '.join(taken)}" if taken else "no time stolen"


def _placed(host: Result) -> Iterator[str]:
    """On which CPU data was made ready."""
    placed = host.get("placement") or {}
    total = sum(placed.values())
    said = [f"on {where} {number(placed[name])}×" for name, where in _WHERE if placed.get(name)]
    if said:
        of = "" if len(said) == 1 and placed.get("unknown") == 0 else f" (of {number(total)})"
        yield f"data made ready {', '.join(said)}{of}"
