"""A recording's facts, the JSON in its metadata: what they must be, checked in this one place before anything reads
them, and the digest by which a change of them is found.

A file can come from anywhere. What is missing, of another type or out of range is refused here, by a ValueError that
says where; keys that are not named here are kept as they are.
"""

from __future__ import annotations

import hashlib
import json
import math
from typing import Annotated, Any, Literal, NotRequired, TypeAlias, TypedDict

from tracer import text
from tracer.recording.shape import Range, Wrong, check_of, within

SCHEMA = 1  # of the recording: the newest that this version reads
_MOST_DEEP = 32  # levels of lists and objects
_MOST = (1 << 64) - 1
MOST_ID = 1 << 22  # of a process or thread: PID_MAX_LIMIT (include/linux/threads.h)


Count: TypeAlias = Annotated[int, Range()]
Time: TypeAlias = Annotated[int, Range()]  # ns of CLOCK_MONOTONIC
Id: TypeAlias = Annotated[int, Range(most=MOST_ID)]
Cpu: TypeAlias = Annotated[int, Range(most=1 << 20)]
Seconds: TypeAlias = Annotated[float, Range(most=1 << 40)]


class Host(TypedDict):
    """The machine. From idle_driver on: not in recordings of before 2026-12."""

    kernel: str
    arch: str
    cpus: Annotated[int, Range(1, 1 << 20)] | None
    bcc: str | None
    python: str
    idle_driver: NotRequired[str | None]
    idle_governor: NotRequired[str | None]
    frequency_governor: NotRequired[str | None]
    hypervisor: NotRequired[bool | None]
    siblings: NotRequired[list[list[Cpu]]]
    steal_ns: NotRequired[dict[str, Time] | None]


class Link(TypedDict):
    """What --net veth put between sender and receiver."""

    rate: Count | None
    delay: Count
    loss: Annotated[float, Range(0, 1)]
    nics: NotRequired[Annotated[list[str], Range(2, 2)]]


class RunOptions(TypedDict):
    """What `run` was asked."""

    messages: Count
    interval_ns: Count
    size: Count
    proto: Literal["udp", "tcp", "unix", "pipe", "file", "none"]
    open_loop: bool
    timeout_s: Seconds
    ring_bytes: Count
    sockets: NotRequired[Count]
    address: NotRequired[str]
    net: NotRequired[Link | None]
    lang: NotRequired[Literal["python", "c"]]
    pin: NotRequired[Annotated[list[Cpu], Range(2, 2)] | None]
    keep_awake: NotRequired[bool]


class TraceOptions(TypedDict):
    """What `trace` or `attach` was asked."""

    seconds: Seconds | None
    follow: bool
    ring_bytes: Count
    trace: list[str]


class Attached(TypedDict):
    """A process that ran already."""

    pid: Id
    command: list[str]
    threads: Count
    descriptors: Count
    tgid: Id


class Target(TypedDict):
    """What was traced."""

    command: list[str]
    pid: Id
    exit_status: Annotated[int, Range(0, 255)] | None
    attached: NotRequired[list[Attached]]


class Ledger(TypedDict):
    """What the kernel side counted, null where iotrace was killed before it could be read. added: records that iotrace
    itself wrote."""

    counted: Count | None
    delivered: Count
    lost: Count | None
    open: Count | None
    missed: Count | None
    untracked: Count | None
    unlearnt: Count | None
    balanced: bool
    added: NotRequired[Count | None]
    unentered: NotRequired[Count | None]


class File(TypedDict):
    """A file that a process had open."""

    pid: Id
    fd: Annotated[int, Range(-1, 1 << 31)]
    inode: Annotated[int, Range(most=_MOST)]
    name: str
    flags: Count


class Notes(TypedDict):
    """What a scenario's receiver noted."""

    messages: Count
    bytes: Count
    dropped: Count
    calls: dict[str, Count]
    errors: dict[str, dict[str, Count]]
    signals: dict[str, Count]
    receive_ns: list[Time]
    cpu_ns: Count
    window_ns: NotRequired[Annotated[list[Time], Range(2, 2)] | None]
    anonymous_bytes: NotRequired[Count | None]
    threads: NotRequired[Count | None]
    tid: NotRequired[Id]


class SenderNotes(TypedDict, total=False):
    """What a scenario's sender noted."""

    send_begin_ns: list[Time]
    send_returned_ns: list[Time]
    sent: Count


class UntracedRun(TypedDict):
    """A run without probes."""

    notes: NotRequired[dict[str, Any] | None]  # Notes, or empty
    sender: NotRequired[SenderNotes | None]


class Group(TypedDict):
    """A row group: its rows, their first and last time (ns), and their digest (tracer/recording/checks.py)."""

    rows: Count
    first_ns: Time
    last_ns: Time
    crc32: Annotated[int, Range(0, 0xFFFFFFFF)]


class Facts(TypedDict):
    """All of them. groups, digest: not in recordings of before 2026-11."""

    schema: Annotated[int, Range(1, SCHEMA)]
    ordered: bool
    base_ns: Time
    end_ns: Time
    ended: Literal["completed", "interrupted", "timeout", "duration", "failed", "cut short"]
    host: Host
    features: dict[str, str]
    target: Target
    ledger: Ledger
    scenario: NotRequired[str | None]
    options: dict[str, Any]  # RunOptions or TraceOptions, as `scenario` says
    version: NotRequired[str]
    failure: NotRequired[str | None]
    redacted: NotRequired[bool]
    window_ns: NotRequired[Annotated[list[Time], Range(2, 2)] | None]
    event_cost_ns: NotRequired[Annotated[float, Range(most=1 << 40)] | None]
    files: NotRequired[list[File] | None]
    comms: NotRequired[dict[str, str | None] | None]
    notes: NotRequired[dict[str, Any] | None]  # Notes, or empty
    sender: NotRequired[SenderNotes | None]
    untraced: NotRequired[
        Any
    ]  # UntracedRun or null each; of an older recording an object, which nothing reads
    groups: NotRequired[list[Group]]
    digest: NotRequired[str]


def written(facts: dict[str, Any]) -> bytes:
    """The facts as a recording keeps them, with their digest."""
    # as they are read: JSON makes text of the keys of names by thread, which sorts otherwise (9999, 10000)
    facts = json.loads(json.dumps(facts, allow_nan=False))
    return json.dumps(facts | {"digest": _digest(facts)}).encode()


def read(raw: bytes) -> dict[str, Any]:
    """The facts of a recording, every text of which can be printed, with `checked`: whether they have a digest, which
    holds. Raises ValueError, whose text says what is wrong, and NewerError."""
    try:
        facts = json.loads(raw, parse_float=_finite, parse_int=_bounded, parse_constant=_no_number)
    except (ValueError, RecursionError):
        raise ValueError("its facts cannot be read") from None
    if not isinstance(facts, dict):
        raise ValueError("its facts are no object")
    schema = facts.get("schema")
    if type(schema) is int and schema > SCHEMA:
        raise NewerError(schema)
    printable: dict[str, Any] = _printable(facts, 0)
    digest = facts.get("digest")
    if digest is not None and digest != _digest(facts):
        raise ValueError("its facts are not those that were recorded: the digest differs")
    try:
        _check_all(printable)
    except Wrong as wrong:
        raise ValueError(str(wrong)) from None
    return printable | {"checked": digest is not None and "groups" in facts}


def _check_all(facts: dict[str, Any]) -> None:
    """Raises Wrong."""
    check_of(Facts)(facts)
    of_trace = facts.get("scenario") is None
    within("options", facts["options"], check_of(TraceOptions if of_trace else RunOptions))
    _check_notes(facts, "")
    untraced = facts.get("untraced")
    if isinstance(untraced, list):
        for run in filter(None, untraced):
            within("untraced[]", run, check_of(UntracedRun))
            _check_notes(run, "untraced[].")
    elif untraced is not None:
        within("untraced", untraced, check_of(dict[str, Any]))
    for holder in (facts, facts.get("notes") or {}):
        begin, end = holder.get("window_ns") or (0, 0)
        if begin > end:
            raise Wrong("window_ns ends before it begins")
    for cpu in facts["host"].get("steal_ns") or ():
        if not (cpu.isascii() and cpu.isdecimal() and len(cpu) < 8):
            raise Wrong("host.steal_ns is not what it should be")
    for tid in facts.get("comms") or ():
        if not (tid.isascii() and tid.isdecimal() and len(tid) < 8 and int(tid) <= MOST_ID):
            raise Wrong("comms is not what it should be")


def _check_notes(holder: dict[str, Any], place: str) -> None:
    if holder.get("notes"):
        within(f"{place}notes", holder["notes"], check_of(Notes))


class NewerError(Exception):
    """The recording is of a newer schema; `schema` says which."""

    def __init__(self, schema: int) -> None:
        super().__init__(schema)
        self.schema = schema


def _digest(facts: dict[str, Any]) -> str:
    """Of the facts as they are read, whatever spaces and order they are written with."""
    rest = {key: value for key, value in facts.items() if key != "digest"}
    as_read = json.loads(
        json.dumps(rest)
    )  # keys that are numbers become text, which sorts otherwise
    return "sha256:" + hashlib.sha256(json.dumps(as_read, sort_keys=True).encode()).hexdigest()


def _finite(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise ValueError
    return number


def _bounded(digits: str) -> int:
    if len(digits) > 20 or abs(number := int(digits)) > _MOST:
        raise ValueError
    return number


def _no_number(name: str) -> float:
    raise ValueError(name)  # NaN and Infinity, which are no JSON


def _printable(value: Any, depth: int) -> Any:
    """The same value; its texts cannot move a cursor, and have no halves of characters."""
    if isinstance(value, str):
        return text.printable(value)
    if depth > _MOST_DEEP:
        raise ValueError("its facts are nested too deep")
    if isinstance(value, list):
        return [_printable(item, depth + 1) for item in value]
    if isinstance(value, dict):
        return {text.printable(key): _printable(item, depth + 1) for key, item in value.items()}
    return value
