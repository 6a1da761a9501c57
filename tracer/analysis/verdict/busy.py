"""Whether waiting took a CPU: threads that asked again and again, and did not sleep in between."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from tracer.analysis.counts.busy_asking import Asked
from tracer.analysis.threads.thread_states import ThreadTimes
from tracer.analysis.verdict import facts
from tracer.kernel import syscalls

LEAST = 100  # calls of a thread that found nothing
SHARE = (
    0.25  # of the thread's time, without that in which it waited for a CPU: spent asking, at least
)


def burnt(asked: dict[int, list[Asked]], threads: Iterable[ThreadTimes]) -> facts.Burnt | None:
    """What those of `threads` did that kept a CPU busy asking; None where none did. asked: by thread."""
    if not asked:
        return None
    times, without, again, spent = (Counter[str]() for _ in range(4))
    of_ns = 0
    for thread in threads:
        entries = asked.get(thread.tid)
        if not entries or not _is_busy(entries, thread):
            continue
        of_ns += _own_ns(thread)
        for entry in entries:
            name = syscalls.class_of(entry.call)
            times[name] += entry.times
            without[name] += entry.without_timeout
            again[name] += entry.again
            spent[name] += entry.cpu_ns
    if not times:
        return None
    calls = (
        facts.Asking(name, count, without[name], again[name], spent[name])
        for name, count in times.most_common()
    )
    return facts.Burnt(tuple(calls), sum(spent.values()), of_ns)


def _is_busy(entries: list[Asked], thread: ThreadTimes) -> bool:
    cpu_ns = sum(entry.cpu_ns for entry in entries)
    return sum(entry.times for entry in entries) >= LEAST and cpu_ns >= SHARE * _own_ns(thread)


def _own_ns(thread: ThreadTimes) -> int:
    """The thread's time, without that in which it waited for a CPU."""
    return thread.blocked_ns + thread.kernel_ns + thread.user_ns
