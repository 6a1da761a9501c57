"""`iotrace doctor`: what this machine offers the probes."""

from __future__ import annotations

import click

from tracer.cli.common import Failure
from tracer.errors import CANNOT

ORDER = 6


@click.command("doctor")
def command() -> None:
    """What this kernel offers, what is missing, and what to do."""
    from tracer.bpf import build
    from tracer.capture.host import host as machine
    from tracer.kernel import features

    host = machine()
    click.echo(
        f"{'kernel':<12}{host['kernel']} on {host['arch']}, {host['cpus']} CPUs; Python {host['python']}"
    )
    try:
        found = features.find()
        click.echo(f"{'BCC':<12}{host['bcc'] or 'missing: apt-get install python3-bpfcc'}")
        for boundary, source in found.sources.items():
            click.echo(f"{boundary:<12}{source}")
        from tracer.bpf.loader import Attachment

        with Attachment(found, 4096):
            why = build.who_else_writes()
            click.echo(
                f"{'probes':<12}compile, load and attach{f'; compiled anew for each run: {why}' if why else ''}"
            )
        click.echo(f"{'--net':<12}{_net()}")
    except features.CannotTrace as error:
        raise Failure(str(error), CANNOT) from None


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
