"""`iotrace doctor`: what this machine offers the probes."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

import click

from tracer.cli import epilog, paper, show
from tracer.cli.errors import Command

if TYPE_CHECKING:  # imported where it is used: that takes longer than most commands
    from tracer.kernel.features import Features

ORDER = 6
_EPILOG = epilog.epilog(
    epilog.DOCTOR,
    ("iotrace doctor",),
)


@click.command("doctor", cls=Command, epilog=_EPILOG)
def command() -> None:
    """What this kernel offers, what is missing, and what to do."""
    from tracer.bpf import build
    from tracer.bpf.loader import Attachment
    from tracer.capture.host import host as machine
    from tracer.kernel import features

    host = machine()
    _said(
        "kernel",
        f"{host['kernel']} on {host['arch']}, {host['cpus']} CPUs; Python {host['python']}",
    )
    _capabilities()
    kernel = features.find()
    _said("BCC", host["bcc"] or "missing: apt-get install python3-bpfcc")
    try:
        with Attachment(
            kernel, 4096
        ):  # which notes what the kernel refuses: a uprobe's directory promises none
            why = build.who_else_writes()
            anew = f"; compiled anew for each run: {why}" if why else ""
            _sources(kernel)
            _said("probes", f"compile, load and attach{anew}")
    except features.CannotTrace:
        _sources(kernel)
        raise
    _said("--net", _net())


def _capabilities() -> None:
    """Which of the capabilities that tracing takes are there; what those that are not would be for."""
    from tracer.kernel import capabilities

    there = [need.name for need in capabilities.NEEDS if capabilities.has(need.name)]
    _wrapped("may", ", ".join(there) or "nothing that tracing takes")
    for need in capabilities.NEEDS:
        if need.name not in there:
            _wrapped("may not", f"{need.name}, which {need.purpose}")


def _sources(kernel: Features) -> None:
    for boundary, source in kernel.sources.items():
        _wrapped(boundary, source)


def _wrapped(subject: str, words: str) -> None:
    _said(subject, f"\n{12 * ' '}".join(textwrap.wrap(words, min(paper.columns(), 80) - 12)))


def _said(subject: str, words: str) -> None:
    show.line(f"{subject:<12}{words}")


def _net() -> str:
    """What a link between two network namespaces can do here, and what --net veth has to do without."""
    from tracer.run import netns

    offers = netns.offers()
    if not offers["veth"]:
        return "no veth links (CONFIG_VETH), or no right to make them: --net veth is refused"
    missing = "".join(
        f"; no {name} (CONFIG_NET_SCH_{name.upper()}): no {options}"
        for name, options in (("tbf", "--rate"), ("netem", "--delay, no --loss"))
        if not offers[name]
    )
    return f"veth{''.join(f', {name}' for name in ('tbf', 'netem') if offers[name])}{missing}"
