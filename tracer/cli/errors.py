"""The one ladder from exceptions to what the user reads: a line on stderr and an exit status."""

from __future__ import annotations

from typing import Any

import click

from tracer import text
from tracer.errors import FAILED, EventsLost, IotraceError


class Failed(click.ClickException):
    """A failure as it is said: one line, and the exit status. What has failed is its cause."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


class Command(click.Command):
    """A command whose failures are one line. Subclasses say what is special about theirs."""

    own_status: int | None = None  # of every failure, where the other statuses are somebody else's
    interrupted = "interrupted"  # what is said at Ctrl-C

    def make_context(self, *args: Any, **kwargs: Any) -> click.Context:
        try:
            return super().make_context(*args, **kwargs)
        except click.UsageError as error:
            raise failed(error, self.own_status) from error

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except click.exceptions.Exit:
            raise
        except (Exception, KeyboardInterrupt) as error:
            raise failed(error, self.own_status, self.interrupted) from error


def failed(
    error: BaseException, own_status: int | None = None, interrupted: str = "interrupted"
) -> Failed:
    """What is said of an exception. own_status: the command's, for all but --strict, which its user has asked for."""
    match error:
        case Failed():  # said already
            return error
        case EventsLost():
            return Failed(str(error), error.status)
        case click.ClickException():  # wrong usage
            message, status = error.format_message(), error.exit_code
        case IotraceError():
            message, status = str(error), error.status
        case OSError():
            message, status = text.failure(error), FAILED
        case KeyboardInterrupt() | click.Abort():
            message, status = interrupted, FAILED
        case _:  # what nobody foresaw
            assert isinstance(error, Exception)
            message = f"iotrace failed: {text.failure(error)} (--debug shows where)"
            status = FAILED
    return Failed(message, own_status or status)
