"""What iotrace itself says to the attached probes: by a prctl(2) with numbers that no kernel knows (probes/arrival.bpf.c)."""

from __future__ import annotations

import ctypes
from collections.abc import Callable

PRCTL_ADOPT, PRCTL_LEARN, PRCTL_RELEASE, PRCTL_OWN = range(
    0x10774AD0, 0x10774AD4
)  # of probes/iotrace.h


def own(secret: int) -> None:
    """Makes this process known to the probes that have `secret` as the one that may adopt: before anybody else has it."""
    prctl()(PRCTL_OWN, secret, 0, 0, 0)


def prctl() -> Callable[..., int]:
    """prctl(2) with four unsigned longs after its option."""
    function = ctypes.CDLL(None).prctl
    function.argtypes = [ctypes.c_int] + [ctypes.c_ulong] * 4
    return function
