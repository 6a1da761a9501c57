"""How often the programs of a comparison were run, and that the user ended it before: text alone."""

from __future__ import annotations

from tracer.output.format import Result
from tracer.output.units import plural


def made(result: Result) -> int | None:
    """How often each was run: fewer times than asked where the user ended it."""
    if not result.get("interrupted"):
        return _asked(result)
    return max((model["runs"] for model in result["models"]), default=0)


def stopped(result: Result) -> str | None:
    """That the user ended it, and what is compared then; None where it was not so."""
    if not result.get("interrupted"):
        return None
    whole = made(result)
    are = "whole one is" if whole == 1 else "whole ones are"
    return f"interrupted: of {plural(_asked(result), 'round')} the {whole} {are} compared"


def _asked(result: Result) -> int | None:
    asked: int | None = (result.get("options") or {}).get("rounds")
    return asked
