"""The keys of what `bench readiness --json` prints, as types; docs/json.md says what each means."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias, TypedDict

from tracer.report.contract import Also, Count, Duration, Host

Call: TypeAlias = Literal["select", "poll", "epoll-lt", "epoll-et", "io_uring"]
Ends: TypeAlias = Annotated[list[Duration], Also(length=2)]
Number: TypeAlias = Annotated[int, Also(minimum=1)]


class Spread(TypedDict):
    """From the least to the greatest of the rounds' medians (ns); null where nothing was traced."""

    cpu_ns: Ends
    wall_ns: Ends
    in_call_ns: Ends | None


class Row(TypedDict):
    """One call with n descriptors of which `active` are ready: of an operation the median of the rounds' medians.

    operations: without probes, of all rounds; traced_operations: under them, each found in the recording;
    traced_wall_ns: wall time of those, in which in_call_ns lies; ratio: cpu_ns to that with the fewest descriptors;
    published_ratio: the same in the published table."""

    call: Call
    n: Number
    active: Number
    operations: Count
    cpu_ns: Duration
    wall_ns: Duration
    in_call_ns: Duration | None
    traced_operations: Count
    traced_wall_ns: Duration | None
    ratio: float | None
    published_ratio: float | None
    spread: Spread


class LeftOut(TypedDict):
    """A call or a number of descriptors that was not measured, and why."""

    call: Call | None
    n: Number | None
    why: str


class PublishedRow(TypedDict):
    """A line of the published table: seconds of CPU for 100,000 operations."""

    call: Literal["poll", "select", "epoll-lt"]
    n: Number
    cpu_s: float


class Published(TypedDict):
    """The table that everybody quotes."""

    source: str
    kernel: str
    rows: list[PublishedRow]


class ReadinessOptions(TypedDict):
    """What was asked. descriptors: how many, each; rounds: how often each was to be measured."""

    fd: Literal["pipe", "udp", "tcp", "unix", "eventfd"]
    active: Number
    churn: bool
    descriptors: list[Number]
    rounds: Number


class Readiness(TypedDict):
    """What bench readiness prints with --json. rounds: how many were made; interrupted: whether that is fewer than were
    asked for, since Ctrl-C ended it; lost: events of the traced runs, whose times are left out then."""

    schema: Literal[1]
    bench: Literal["readiness"]
    host: Host
    options: ReadinessOptions
    rounds: Count
    interrupted: bool
    lost: Count
    rows: list[Row]
    left_out: list[LeftOut]
    published: Published
