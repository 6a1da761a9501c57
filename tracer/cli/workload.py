"""What `run` and `compare` both take: what is sent, as whom, on which CPUs, and for how long at most."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import click

from tracer.cli.params import MOST_TIMEOUT, Duration, Pin, Seconds

Option: TypeAlias = Callable[[Any], Any]


@dataclass(frozen=True)
class Workload:
    """What each run is to be: interval in ns, size in bytes, timeout in s; pin: the receiver's and the sender's CPU."""

    messages: int
    interval: int
    size: int
    sockets: int | None
    keep_awake: bool
    pin: tuple[int, int] | None
    timeout: float | None
    as_root: bool

    @property
    def limit(self) -> float:
        """Seconds after which a run is ended."""
        return self.timeout or 30 + 3 * self.messages * self.interval / 1e9


SCHEDULE: tuple[Option, ...] = (
    click.option(
        "--messages",
        type=click.IntRange(1, 10**7),
        default=20,
        show_default=True,
        help="How many to send.",
    ),
    click.option(
        "--interval",
        type=Duration(),
        default="10ms",
        show_default=True,
        help="One every so long.",
    ),
    click.option(
        "--size",
        type=click.IntRange(1, 1 << 20),
        default=64,
        show_default=True,
        help="Bytes in a message.",
    ),
    click.option(
        "--sockets",
        type=click.IntRange(1),
        help="How many to watch; the messages go round them. For select, poll and epoll-lt (1), and threads (4).",
    ),
)
CPUS: tuple[Option, ...] = (
    click.option(
        "--pin",
        type=Pin(),
        metavar="RECEIVER,SENDER",
        help="The CPU of each; one number: both on that.",
    ),
    click.option(
        "--keep-awake",
        is_flag=True,
        help="A thread that never sleeps (SCHED_IDLE) keeps the receiver's CPU from idling; without --pin, all CPUs.",
    ),
)
LIMITS: tuple[Option, ...] = (
    click.option(
        "--timeout",
        type=Seconds(0, MOST_TIMEOUT, min_open=True),
        help="End a run after so many seconds.",
    ),
    click.option(
        "--as-root",
        is_flag=True,
        help="Run the scenario as root, not as the user who called sudo.",
    ),
)
