"""The textbook's claims, one a file, found by looking in this directory (nothing to register); no kernel interface.

The module of a claim has the sentence, what its clauses say, the source, the runs that the test needs, and `judge`: a
pure function from the recordings of these runs to a verdict with evidence.
"""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules

from tracer.claims.claim import Claim


def claims() -> list[Claim]:
    """All claims, by number. A module without NUMBER (claim, run, …) holds no claim."""
    modules = [import_module(f"{__name__}.{module.name}") for module in iter_modules(__path__)]
    return sorted(
        (
            Claim(
                claim.NUMBER,
                claim.NAME,
                claim.SENTENCE,
                claim.SOURCE,
                getattr(claim, "CLAUSES", (claim.SENTENCE,)),
                claim.RUNS,
                getattr(claim, "OPTIONAL", frozenset()),
                claim.judge,
            )
            for claim in modules
            if hasattr(claim, "NUMBER")
        ),
        key=lambda claim: claim.number,
    )
