"""The textbook's claims, one a file, found by looking in this directory (nothing to register); no kernel interface.

A claim's module says what is claimed and by whom, what has to be run, and `judge`: a pure function from what those
runs recorded to a verdict with its evidence.
"""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules

from tracer.claims.claim import Claim


def claims() -> list[Claim]:
    """All of them, by their number; a module without NUMBER (claim, seen) is none."""
    modules = [import_module(f"{__name__}.{found.name}") for found in iter_modules(__path__)]
    return sorted(
        (
            Claim(
                m.NUMBER,
                m.NAME,
                m.SENTENCE,
                m.SOURCE,
                m.RUNS,
                getattr(m, "OPTIONAL", frozenset()),
                m.judge,
            )
            for m in modules
            if hasattr(m, "NUMBER")
        ),
        key=lambda claim: claim.number,
    )
