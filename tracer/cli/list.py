"""`iotrace list`: the scenarios."""

from __future__ import annotations

import click

import scenarios

ORDER = 1


@click.command("list")
def command() -> None:
    """The scenarios, one line each."""
    listed = scenarios.scenarios()
    width = max(len(scenario.name) for scenario in listed)
    for scenario in listed:
        click.echo(f"{scenario.name:<{width}}  {scenario.summary}")
