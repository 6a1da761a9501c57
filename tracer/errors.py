"""What may go wrong, by whose fault and with which exit status (docs: README, "Exit status")."""

from __future__ import annotations

FAILED, USAGE, CANNOT, LOST = 1, 2, 3, 4


class IotraceError(Exception):
    """One line for the user, and the exit status that goes with it. Subclasses name what went wrong and set `status`;
    a status given here is this error's alone."""

    status = FAILED

    def __init__(self, message: str = "", status: int | None = None) -> None:
        super().__init__(message)
        if status is not None:
            self.status = status


class NothingSeen(IotraceError):
    """The target was released, and the probes saw nothing of it."""

    status = CANNOT


class EventsLost(IotraceError):
    """The ring was too small for so many events, or nobody knows (None), and --strict makes that an error."""

    status = LOST

    def __init__(self, count: int | None) -> None:
        number = "an unknown number of" if count is None else count
        super().__init__(f"{number} events were lost")
