"""The shape of what a figure shows before its operation: calls that were made once, to set it up."""

from __future__ import annotations

from typing import TypedDict


class SetupStep(TypedDict):
    """A call that set up how data is told of. at_ns: from base_ns; what: the signal of rt_sigaction, the command of
    fcntl (O_ASYNC: F_SETFL with it) or the request of ioctl; value: what it was given, where that says something."""

    at_ns: int
    tid: int
    name: str
    what: str
    value: str | None
