"""Times and shares as people read them: three digits and the unit that fits; for sentences and for tables alike."""

from __future__ import annotations

import math

MISSING = "–"
_SCALES = ((1_000_000_000, "s"), (1_000_000, "ms"), (1_000, "µs"))


def duration(ns: int | float | None, fixed: bool = False) -> str:
    """`ns` (nanoseconds) with three significant digits: '912 ns', '28 µs', '10.9 ms', '1.23 s'; None is '–'.

    At most 7 characters below 1,000 s. `fixed` keeps trailing zeros ('28.0 µs') so that columns of figures line up.
    """
    if ns is None:
        return MISSING
    if ns < 0:
        return "−" + duration(-ns, fixed)
    if ns < 999.5:
        return f"{round(ns)} ns"
    for scale, unit in reversed(_SCALES):
        value = ns / scale
        if value < 999.5 or (unit == "s" and value < 1e15):
            return f"{three_digits(value, fixed)} {unit}"
    return f"{ns / 1e9:.2e} s"


def three_digits(value: float, fixed: bool) -> str:
    """`value` with three significant digits; `fixed` keeps trailing zeros."""
    if value >= 999.5:
        return f"{value:,.0f}"
    # rounding first: 9.996 has two digits before the point once rounded, and so one after it
    decimals = max(0, 2 - math.floor(math.log10(float(f"{value:.2e}"))))
    digits = f"{value:.{decimals}f}"
    return digits if fixed or "." not in digits else digits.rstrip("0").rstrip(".")


def share(part: int | float | None, whole: int | float | None) -> str:
    """`part` of `whole` in percent: '99.4%', '<0.1%' for what is there but small, '–' where there is no whole."""
    if part is None or not whole:
        return MISSING
    percent = 100 * part / whole
    if 0 < percent < 0.1:
        return "<0.1%"
    return "100%" if percent >= 99.95 else f"{percent:.1f}%"
