"""`iotrace list`: the scenarios."""

from __future__ import annotations

import click

import scenarios

ORDER = 1


@click.command("list")
def command() -> None:
    """The scenarios, one line each."""
    for scenario in scenarios.scenarios():
        click.echo(f"{scenario.name:<12} {scenario.summary}")
