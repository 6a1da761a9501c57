"""The tables' columns, each with its type and what it says. Times are ns since the report's base (docs/json.md),
durations ns; null: not known, or there is none."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tracer.terms import BOUNDARIES, PHASES

if TYPE_CHECKING:  # imported where it is used: that takes longer than most commands
    import pyarrow as pa

Columns = dict[str, tuple[str, str]]  # name → (type, what it says)

_BOUNDARY = "the boundary `{}` of the model of time"
_PHASE = "how long the phase `{}` took"
_GUESSED = "whether `{}` is estimated"

OPERATIONS: Columns = {
    "index": ("int64", "as in the report, from 0"),
    "tid": ("int32", "the thread that asked"),
    "tgid": ("int32", "its process"),
    "helper_tid": ("int32", "the thread that received, where another one asked"),
    "told_tid": ("int32", "the thread that was told, where another one received"),
    "fd": ("int32", "the descriptor; −1 where it has none"),
    "inode": ("int64", "the inode of its file"),
    "file": ("string", "the file's name"),
    "bytes": ("int64", "how much it received"),
    "messages": ("int32", "how many messages that were"),
    "call": ("string", "the system call that received"),
    "wait_kind": ("string", "how the data was waited for"),
    "completion_kind": ("string", "what told that the data was there, where something did"),
    **{f"{name}_ns": ("int64", _BOUNDARY.format(name)) for name in BOUNDARIES},
    **{f"{name}_took_ns": ("int64", _PHASE.format(name)) for name in PHASES},
    **{f"{name}_estimated": ("bool", _GUESSED.format(name)) for name in BOUNDARIES},
    "queued_ns": ("int64", "how long the data had lain there when it was asked for"),
    "inside_ns": ("int64", "asleep after its first bytes: counted as wait, not as copy"),
    "slept_ns": ("int64", "asleep in the receive, and in those before it that brought nothing"),
    "eagain": ("int32", "receives before it that found nothing"),
}
CALLS: Columns = {
    "start_ns": ("int64", "when it was entered"),
    "end_ns": ("int64", "when it returned; null: it had not when tracing ended"),
    "took_ns": ("int64", "from entry to return"),
    "tid": ("int32", "the thread that made it"),
    "name": ("string", "the system call"),
    "argument_0": ("int32", "its first argument: of most calls the descriptor"),
    "result": ("int64", "its result; a negative errno where it failed"),
    "error": ("string", "that errno's name"),
    "in_window": ("bool", "whether the report counts it: it returned in the measured time"),
}
THREADS: Columns = {
    "tid": ("int32", "the thread"),
    "tgid": ("int32", "its process"),
    "name": ("string", "its name (comm)"),
    "start_ns": ("int64", "since when it was traced"),
    "end_ns": ("int64", "until when"),
    "blocked_ns": ("int64", "asleep"),
    "stopped_ns": ("int64", "of blocked_ns: stopped by a signal or a tracer"),
    "runnable_ns": ("int64", "waiting for a CPU"),
    "kernel_ns": ("int64", "on a CPU, in system calls"),
    "user_ns": ("int64", "on a CPU, in user mode"),
    "cpu_ns": ("int64", "kernel_ns + user_ns"),
    "switches": ("int64", "how often it went to sleep"),
    "preemptions": ("int64", "how often the CPU was taken from it"),
    "killed_by": ("string", "the signal that killed it"),
}
DESCRIPTORS: Columns = {
    "tgid": ("int32", "the process"),
    "fd": ("int32", "the descriptor; −1: without one"),
    "inode": ("int64", "the inode of its file"),
    "file": ("string", "the file's name"),
    "receives": ("int64", "receives that brought data"),
    "received_messages": ("int64", "messages that they brought"),
    "received_bytes": ("int64", "bytes that they brought"),
    "received_unmeasured": ("int64", "of received_messages: those whose bytes are not known"),
    "looks": ("int64", "receives that left the data (MSG_PEEK and its like)"),
    "receive_again": ("int64", "receives that found nothing (EAGAIN)"),
    "sends": ("int64", "sends"),
    "sent_messages": ("int64", "messages that they sent"),
    "sent_bytes": ("int64", "bytes that they sent"),
    "sent_unmeasured": ("int64", "of sent_messages: those whose bytes are not known"),
    "send_again": ("int64", "sends that found no room (EAGAIN)"),
    "sends_blocked": ("int64", "sends that slept for room"),
    "send_slept_ns": ("int64", "asleep in them"),
    "accepts": ("int64", "connections accepted"),
    "accept_again": ("int64", "accepts that found none (EAGAIN)"),
    "accept_slept_ns": ("int64", "asleep in accepts"),
    "connects": ("int64", "connects"),
    "connect_slept_ns": ("int64", "asleep in connects"),
    "operations": ("int64", "its rows in the table operations"),
    **{f"{name}_ns": ("int64", f"the sum of their `{name}`") for name in PHASES},
}
SIGNALS: Columns = {
    "time_ns": ("int64", "when it was"),
    "event": ("string", "generated or delivered"),
    "tid": ("int32", "the thread to which it was sent, or which got it"),
    "number": ("int32", "the signal"),
    "name": ("string", "its name"),
    "code": ("int32", "si_code (sigaction(2))"),
    "handled": ("bool", "of a delivered one: whether a handler runs"),
    "in_window": ("bool", "whether it was in the measured time"),
}
TABLES: dict[str, Columns] = {
    "operations": OPERATIONS,
    "calls": CALLS,
    "threads": THREADS,
    "descriptors": DESCRIPTORS,
    "signals": SIGNALS,
}


def arrow(table: str, facts: dict[str, Any]) -> pa.Schema:
    """A table's schema; in its metadata the time that is its 0 (ns of CLOCK_MONOTONIC), and each column's meaning."""
    import pyarrow as pa

    types = {"int64": pa.int64(), "int32": pa.int32(), "bool": pa.bool_(), "string": pa.string()}
    fields = [
        pa.field(name, types[kind], metadata={"comment": says})
        for name, (kind, says) in TABLES[table].items()
    ]
    return pa.schema(fields, metadata={"base_ns": str(facts["base_ns"])})
