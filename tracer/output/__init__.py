"""Formats of output, one file each: a result in, text or bytes out. They open, print and read nothing themselves."""

from __future__ import annotations

import importlib
import pkgutil

from tracer.output.format import Format


def formats() -> list[Format]:
    """The FORMAT of every file here that has one, in their order."""
    modules = [
        importlib.import_module(f"{__name__}.{entry.name}")
        for entry in pkgutil.iter_modules(__path__)
    ]
    declared = [module.FORMAT for module in modules if hasattr(module, "FORMAT")]
    return sorted(declared, key=lambda format_: format_.order)
