"""How iotrace speaks to the attached probes: by a prctl(2) option that no kernel knows (probes/arrival.bpf.c)."""

from __future__ import annotations

import ctypes
from collections.abc import Callable

# of probes/iotrace.h
PRCTL_ADOPT, PRCTL_LEARN, PRCTL_RELEASE, PRCTL_OWN, PRCTL_WHO = range(0x10774AD0, 0x10774AD5)


def own(secret: int) -> None:
    """Tells the probes that have `secret` that this process may adopt; to be called before anyone else has it."""
    prctl()(PRCTL_OWN, secret, 0, 0, 0)


def prctl() -> Callable[..., int]:
    """prctl(2) with four unsigned longs after its option."""
    function = ctypes.CDLL(None).prctl
    function.argtypes = [ctypes.c_int] + [ctypes.c_ulong] * 4
    return function
