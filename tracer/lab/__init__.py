"""Labs: any iotrace command inside a virtual machine (QEMU) with another kernel, and the same scenarios on many."""

from __future__ import annotations

from tracer.errors import CANNOT, USAGE, IotraceError

HOST = "host"  # the name of the running kernel, which needs no machine


class LabError(IotraceError):
    """Something failed; the text is one line for the user."""


class CannotLab(LabError):
    """This machine lacks what a lab needs; the text says what, and what to do."""

    status = CANNOT


class UnknownKernel(LabError):
    """No kernel of that name or at that path."""

    status = USAGE
