"""The commands of the command line, one file each: the only place that prints or asks."""

from __future__ import annotations

import importlib
import pkgutil

import click


def commands() -> list[click.Command]:
    """The `command` of every file here but common.py, in the order of their `ORDER`."""
    modules = [
        importlib.import_module(f"{__name__}.{its.name}") for its in pkgutil.iter_modules(__path__)
    ]
    found = [module for module in modules if hasattr(module, "command")]
    return [module.command for module in sorted(found, key=lambda module: module.ORDER)]
