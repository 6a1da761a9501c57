"""The commands of the command line, one file each: the only place that prints or asks."""

from __future__ import annotations

import importlib
import pkgutil

import click


def commands() -> list[click.Command]:
    """The `command` of every file here that has one, in the order of their `ORDER`."""
    modules = [
        importlib.import_module(f"{__name__}.{entry.name}")
        for entry in pkgutil.iter_modules(__path__)
    ]
    having = [module for module in modules if hasattr(module, "command")]
    return [module.command for module in sorted(having, key=lambda module: module.ORDER)]
