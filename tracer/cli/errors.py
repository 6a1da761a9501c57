"""The one ladder from exceptions to what the user reads: a line on stderr and an exit status."""

from __future__ import annotations

from typing import Any

import click

from tracer import text
from tracer.errors import FAILED, EventsLost, IotraceError


class Failed(click.ClickException):
    """A failure as one line for the user and an exit status; its __cause__ is the exception that led to it."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


class Command(click.Command):
    """A command whose failures are one line. Subclasses set the exit status and the message after Ctrl-C."""

    # the exit status of every failure, where other statuses are the traced command's
    own_status: int | None = None
    interrupted = "interrupted"  # message after Ctrl-C

    def make_context(self, *args: Any, **kwargs: Any) -> click.Context:
        try:
            return super().make_context(*args, **kwargs)
        except click.UsageError as error:
            raise failed(error, self.own_status) from error

    def invoke(self, ctx: click.Context) -> Any:
        from tracer.kernel import pid_namespaces

        try:
            pid_namespaces.refuse_half_unshared()  # before anything makes a thread: numpy does when it is imported
            return super().invoke(ctx)
        except click.exceptions.Exit:
            raise
        except (Exception, KeyboardInterrupt) as error:
            raise failed(error, self.own_status, self.interrupted) from error


def failed(
    error: BaseException, own_status: int | None = None, interrupted: str = "interrupted"
) -> Failed:
    """The exception as a Failed. own_status: the exit status of all failures but those of --strict."""
    match error:
        case Failed():  # made by a subcommand
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
        case _:  # a failure that nobody foresaw
            assert isinstance(error, Exception)
            message = f"iotrace failed: {text.failure(error)} (--debug shows where)"
            status = FAILED
    return Failed(message, own_status or status)
