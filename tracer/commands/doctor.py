"""`iotrace doctor`: what this machine offers the probes."""

from __future__ import annotations

import click

from tracer.commands.common import CANNOT, Failure

ORDER = 6
OPTIONS = {"veth": "VETH", "tbf": "NET_SCH_TBF", "netem": "NET_SCH_NETEM"}


@click.command("doctor")
def command() -> None:
    """What this kernel offers, what is missing, and what to do."""
    from tracer import features
    from tracer.host import host as machine

    host = machine()
    click.echo(f"{'kernel':<12}{host['kernel']} on {host['arch']}, {host['cpus']} CPUs; Python {host['python']}")
    try:
        found = features.find()
        click.echo(f"{'BCC':<12}{host['bcc'] or 'missing: apt-get install python3-bpfcc'}")
        for boundary, source in found.sources.items():
            click.echo(f"{boundary:<12}{source}")
        from tracer.attachment import Attachment

        with Attachment(found, 1, 4096):
            click.echo(f"{'probes':<12}compile, load and attach")
        from tracer import network

        offered = network.offers()
        for name, option, what in (("veth", "--net veth", "links between namespaces"), ("tbf", "--rate", "a link's rate"),
                                   ("netem", "--delay and --loss", "a link's delay and loss")):
            click.echo(f"{name:<12}{what if offered[name] else f'missing: no {option} (CONFIG_{OPTIONS[name]})'}")
    except features.CannotTrace as error:
        raise Failure(str(error), CANNOT) from None
