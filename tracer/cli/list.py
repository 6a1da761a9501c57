"""`iotrace list`: the scenarios."""

from __future__ import annotations

import click

import scenarios
from tracer.cli import show
from tracer.cli.errors import Command

ORDER = 1


@click.command("list", cls=Command)
def command() -> None:
    """The scenarios, one line each."""
    listed = scenarios.scenarios()
    width = max(len(scenario.name) for scenario in listed)
    for scenario in listed:
        show.line(f"{scenario.name:<{width}}  {scenario.summary}")
