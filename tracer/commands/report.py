"""`iotrace report`: a recording shown again."""

from __future__ import annotations

import click

from tracer.commands.common import show, shown

ORDER = 5


@click.command("report")
@click.argument("recording", type=click.Path())
@shown
def command(recording, as_json, hist, plain, strict) -> None:
    """Show RECORDING again; needs neither root nor BCC."""
    show(recording, as_json, hist, plain, strict)
