"""The keys of what `--json` prints, as types: the report of run, trace, attach and report; of compare; of verify.

docs/json.md says what each key means. docs/schema/report.schema.json is made from the types here (docs/schema/make.py).
Outputs read reports and know nothing of ours but this module, so it imports nothing of ours but the terms and
the types that stand in files of their own.

Times end in _ns: points in time count from `base_ns`, whole nanoseconds all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal, NotRequired, TypeAlias, TypedDict

from tracer.report.contract_latency import Accuracy
from tracer.report.setup_step import SetupStep
from tracer.terms import (
    BOUNDARIES,
    HELD_BACK,
    MEANWHILE,
    MODELS,
    MOVABLE,
    NOTICE_SPANS,
    PHASE_SPANS,
    PHASES,
    STATES,
    SYNCHRONOUS,
)

__all__ = [
    "BOUNDARIES",
    "HELD_BACK",
    "MEANWHILE",
    "MODELS",
    "MOVABLE",
    "NOTICE_SPANS",
    "PHASES",
    "PHASE_SPANS",
    "STATES",
    "SYNCHRONOUS",
]


@dataclass(frozen=True)
class Also:
    """What the schema says of a value beside its type; in an Annotated."""

    minimum: int | None = None
    maximum: int | None = None
    length: int | None = None  # of a list
    values: tuple[str, ...] = ()  # those that there are
    keys: tuple[str, ...] = ()  # of an object: those that there can be
    keys_like: str = ""  # of an object: the regular expression that each matches


Count: TypeAlias = Annotated[int, Also(minimum=0)]
Duration: TypeAlias = Annotated[int, Also(minimum=0)]  # ns
Time: TypeAlias = int  # ns from base_ns; before it where negative
Share: TypeAlias = Annotated[float, Also(minimum=0, maximum=1)]
Id: TypeAlias = Annotated[int, Also(minimum=0)]  # of a process or thread, as the kernel has it
Boundary: TypeAlias = Annotated[str, Also(values=BOUNDARIES)]
ModelName: TypeAlias = Annotated[str, Also(values=(*MODELS, "unknown"))]
Counts: TypeAlias = dict[str, Count]
Shares: TypeAlias = Annotated[dict[str, Share], Also(keys=MODELS)]
# A log2 histogram: lower bound (ns) → how many. Empty buckets are left out.
Histogram: TypeAlias = Annotated[
    dict[str, Annotated[int, Also(minimum=1)]], Also(keys_like="^(0|[1-9][0-9]*)$")
]
Lang: TypeAlias = Literal["python", "c"]


class Distribution(TypedDict):
    """A distribution of times; percentiles are nearest-rank."""

    count: Count
    total_ns: Duration
    min_ns: Duration
    p50_ns: Duration
    p90_ns: Duration
    p99_ns: Duration
    max_ns: Duration
    hist: Histogram


class Placement(TypedDict):
    """Of how many operations the data was made ready on the CPU that received it, on one that shares its core, or on
    another; unknown: one of the two was not seen."""

    same: Count
    sibling: Count
    other: Count
    unknown: Count


class Host(TypedDict):
    """The machine. siblings: CPUs that share a core; None: the kernel does not tell, or has none."""

    kernel: str
    arch: str
    cpus: Annotated[int, Also(minimum=1)] | None
    bcc: str | None
    python: str
    idle_driver: str | None
    idle_governor: str | None
    frequency_governor: str | None
    hypervisor: bool | None
    siblings: list[list[Count]]


class RecordedHost(TypedDict):
    """The machine as a recording has it. Keys that may be missing are younger than some recordings. steal_ns: of the
    CPUs that the run used; None: the kernel does not tell."""

    kernel: str
    arch: str
    cpus: Annotated[int, Also(minimum=1)] | None
    bcc: str | None
    python: str
    idle_driver: NotRequired[str | None]
    idle_governor: NotRequired[str | None]
    frequency_governor: NotRequired[str | None]
    hypervisor: NotRequired[bool | None]
    siblings: NotRequired[list[list[Count]]]
    steal_ns: NotRequired[Annotated[dict[str, Duration], Also(keys_like="^[0-9]+$")] | None]


class RunHost(RecordedHost):
    """The machine during one run."""

    placement: Placement


class Link(TypedDict):
    """What --net veth put between sender and receiver: bit/s, ns, a share."""

    rate: Count | None
    delay: Duration
    loss: Share
    nics: NotRequired[Annotated[list[str], Also(length=2)]]


class RunOptions(TypedDict):
    """What `run` was asked; keys that may be missing are younger than some recordings."""

    messages: Count
    interval_ns: Duration
    size: Count
    proto: Literal["udp", "tcp", "unix", "pipe", "file", "none"]
    open_loop: bool
    timeout_s: Annotated[float, Also(minimum=0)]
    ring_bytes: Count
    sockets: NotRequired[Count]
    address: NotRequired[str]
    net: NotRequired[Link | None]
    lang: NotRequired[Lang]
    pin: NotRequired[Annotated[list[Count], Also(length=2)] | None]
    keep_awake: NotRequired[bool]
    taskrun: NotRequired[Literal["default", "coop", "defer"] | None]


class TraceOptions(TypedDict):
    """What `trace` or `attach` was asked. trace: the expressions of -e."""

    seconds: Annotated[float, Also(minimum=0)] | None
    follow: bool
    ring_bytes: Count
    trace: list[str]


class Match(TypedDict):
    """Whether the trace says what the workload says."""

    calls: bool
    errors: bool
    signals: bool
    bytes: bool


class Expected(TypedDict):
    """What the workload itself says it did."""

    messages: Count
    bytes: Count
    dropped: Count
    calls: Counts
    errors: dict[str, Counts]
    signals: Counts
    send_begin_ns: list[Time]
    send_returned_ns: list[Time]
    receive_ns: list[Time]
    anonymous_bytes: Count | None
    threads: Count | None
    sent: Count | None
    differences: list[str]
    match: Match


class Attached(TypedDict):
    """A process that ran already. pid: as the user sees it, tgid: as the kernel does; threads, descriptors: counts."""

    pid: Id
    command: list[str]
    threads: Count
    descriptors: Count
    tgid: Id


class Refused(TypedDict):
    """A process that was not traced though it was asked for, with others. pid: as the user gave it."""

    pid: Id
    reason: str


class Target(TypedDict):
    """What was traced; of several attached processes the first, and all of them in `attached`."""

    command: list[str]
    pid: Id
    exit_status: Count | None
    attached: NotRequired[list[Attached]]
    refused: NotRequired[list[Refused]]


class RawTimes(TypedDict, total=False):
    """Boundaries as they were seen, where they were moved."""

    ask_ns: Time
    ready_ns: Time
    told_ns: Time
    copy_start_ns: Time


class WaitInside(TypedDict):
    """A sleep in a receive after its first bytes."""

    from_ns: Time
    to_ns: Time


class Handover(TypedDict):
    """Another thread than the one that received was told of the data. tid: that thread; told_ns: its wait's return;
    woken_ns, running_ns: when it woke the receiving thread, and when that had a CPU; null where that was not asleep, or
    which of several wake-ups was meant is not clear."""

    tid: Id
    told_ns: Time
    woken_ns: Time | None
    running_ns: Time | None


class Operation(TypedDict):
    """One successful receive. bytes: null where the recording does not hold them."""

    index: Count
    tid: Id
    fd: Annotated[int, Also(minimum=-1)]
    bytes: Count | None
    messages: NotRequired[Count]
    ask_ns: Time
    ready_ns: Time
    told_ns: Time
    copy_start_ns: Time
    copy_end_ns: Time
    done_ns: Time
    waits_inside: list[WaitInside]
    how: NotRequired[str]
    queued_ns: Duration
    estimated: list[Boundary]
    helper_tid: NotRequired[Id]
    handover: Handover | None
    raw: NotRequired[RawTimes]


class Phases(TypedDict):
    """The four phases, over all operations; waking and fetching are notice in two, before and after `told`."""

    wait: Distribution
    notice: Distribution
    copy: Distribution
    completion: Distribution
    waking: Distribution
    fetching: Distribution


class MeanwhileCounts(TypedDict):
    """In how many operations the asking thread did what."""

    asleep: Count
    asking: Count
    free: Count


class Waiting(TypedDict):
    """What the asking threads did between ask and ready."""

    total_ns: Duration
    asleep_ns: Duration
    runnable_ns: Duration
    cpu_ns: Duration
    free_ns: Duration
    operations: MeanwhileCounts


class Thread(TypedDict):
    """Where one thread's time went."""

    tid: Id
    tgid: Id
    name: str
    start_ns: Time
    end_ns: Time
    blocked_ns: Duration
    stopped_ns: Duration
    runnable_ns: Duration
    kernel_ns: Duration
    user_ns: Duration
    cpu_ns: Duration
    switches: Count
    preemptions: Count
    killed_by: str | None


class Syscall(TypedDict):
    """The calls of one name. library: it is the C library's, counted and not timed. abi_name: the name in its own ABI
    of a call that was not made by x86-64's. unentered: how many of the calls a filter or tracer answered before they
    began, which are not timed; trapped: how many of those by SIGSYS."""

    name: str
    abi_name: NotRequired[str]
    library: NotRequired[Literal[True]]
    calls: Count
    errors: Counts
    unentered: Count
    trapped: Count
    total_ns: Duration
    min_ns: Duration
    p50_ns: Duration
    p90_ns: Duration
    p99_ns: Duration
    max_ns: Duration
    hist: Histogram


class Signal(TypedDict):
    """The signals of one name."""

    name: str
    generated: Count
    delivered: Count
    taken: Count
    merged: Count
    overflowed: Count


class EstimatedBoundary(TypedDict):
    """A boundary, why it was estimated, and in how many operations that was the cause."""

    boundary: Boundary
    count: Annotated[int, Also(minimum=1)]
    text: str


class Model(TypedDict):
    """The verdict."""

    name: Annotated[str, Also(values=(*MODELS, "mixed", "none", "unknown"))]
    synchronous: bool | None
    confidence: Share
    shown_by: Count
    shown_of: Count
    busy: bool
    evidence: list[str]
    reason: NotRequired[str]
    manner: NotRequired[str]
    waits_in: NotRequired[str]
    copies_in: NotRequired[str]
    shares: NotRequired[Shares]
    time_shares: NotRequired[Shares]
    variants: NotRequired[Counts]
    instead: NotRequired[str]


class Activity(TypedDict):
    """What threads spent their time on."""

    mostly: str | None
    share: Share | None
    cpu_ns: Duration
    idle_threads: Count
    idle_times_ns: dict[str, Duration]
    times_ns: dict[str, Duration]


class HeldBack(TypedDict):
    """What holds threads back: ns of of_ns; all but text null where nothing decides, and text says why."""

    what: Annotated[str, Also(values=HELD_BACK)] | None
    share: Share | None
    ns: Duration | None
    of_ns: Duration | None
    text: str


class Waits(TypedDict):
    """What the threads of a process were blocked for."""

    data_ns: Duration
    room_ns: Duration
    connections_ns: Duration
    time_ns: Duration
    signals_ns: Duration
    children_ns: Duration
    threads_ns: Duration
    files_ns: Duration
    locks_ns: Duration
    other_ns: Duration
    unknown_ns: Duration


class Waker(TypedDict):
    """Who woke threads how often; tid 0: an interrupt on an idle CPU."""

    tid: Id
    name: str | None
    count: Count


class Group(TypedDict):
    """The threads of a process that have one name."""

    name: str
    threads: Count
    operations: Count
    model: Model
    activity: Activity
    held_back: HeldBack
    wakers: list[Waker]


class Process(TypedDict):
    """One process."""

    tgid: Id
    name: str
    threads: Count
    start_ns: Time
    end_ns: Time
    operations: Count
    model: Model
    activity: Activity
    held_back: HeldBack
    wakers: list[Waker]
    waits: Waits
    groups: list[Group]


class Descriptor(TypedDict):
    """How one descriptor of a process was used. …_unmeasured: messages whose bytes are not known."""

    tgid: Id
    fd: Annotated[int, Also(minimum=-1)]
    inode: Count | None
    file: str | None
    receives: Count
    received_messages: Count
    received_bytes: Count
    received_unmeasured: Count
    looks: Count
    receive_again: Count
    sends: Count
    sent_messages: Count
    sent_bytes: Count
    sent_unmeasured: Count
    send_again: Count
    sends_blocked: Count
    send_slept_ns: Duration
    accepts: Count
    accept_again: Count
    accept_slept_ns: Duration
    connects: Count
    connect_slept_ns: Duration
    operations: Count
    wait_ns: Duration
    notice_ns: Duration
    copy_ns: Duration
    completion_ns: Duration


class Advice(TypedDict):
    """What could be better, with what it rests on. fd: −1 where no one descriptor is meant."""

    rule: str
    tgid: Id
    process: str | None
    fd: Annotated[int, Also(minimum=-1)]
    file: str | None
    count: Count
    cost_ns: Duration
    text: str


class SelfWakeups(TypedDict):
    """A descriptor that only threads of its own process write to: how often one was woken through it."""

    tgid: Id
    fd: Annotated[int, Also(minimum=-1)]
    kind: Literal["eventfd", "pipe", "socketpair"]
    count: Count


class Wakeups(TypedDict):
    """Wake-ups in one of select, poll and epoll_wait."""

    call: str
    threads: Count
    returned: Count
    woken: Count
    slept_again: Count
    found_nothing: Count


class Pair(TypedDict):
    """How long two threads both had a CPU, and how long they could have."""

    tids: Annotated[list[Id], Also(length=2)]
    overlap_ns: Duration
    possible_ns: Duration


class Lane(TypedDict):
    """One thread of a stretch: in each cell the CPU it had, −1 asleep, −2 waiting for a CPU."""

    tid: Id
    on_cpu_ns: Duration
    cpus: list[Count]
    cells: list[Annotated[int, Also(minimum=-2)]]


class Lanes(TypedDict):
    """Which threads had a CPU when."""

    pairs: list[Pair]
    begin_ns: Time
    cell_ns: Duration
    threads: list[Lane]


class Sleep(TypedDict):
    """The sleeps of one thread on a futex word that one other thread ended."""

    waiter: Id
    waker: Id | None
    count: Count
    waited_ns: Duration
    longest_ns: Duration


class Lock(TypedDict):
    """A futex word that threads slept on."""

    address: str
    process: Id | None
    kind: Literal["mutual exclusion", "two-way waiting", "synchronisation", "unclear"]
    waits: Count
    owned: Count
    wakes: Count
    waited_ns: Duration
    slept_ns: Duration
    longest_ns: Duration
    between: list[Sleep]


class Ledger(TypedDict):
    """Whether the trace is complete. counted, lost, open, missed, untracked, unlearnt: null where iotrace was killed
    and nobody counted. checked: whether the recording's checksums and digest were there, and held."""

    counted: Count | None
    delivered: Count
    lost: Count | None
    open: Count | None
    missed: Count | None
    untracked: Count | None
    unlearnt: Count | None
    unentered: Count | None
    added: Count | None
    balanced: bool
    rows: Count | None
    missing_rows: int | None
    checked: bool
    unseen_switches: Count
    contradictory_threads: Count


class MeasuredCost(TypedDict):
    """What tracing cost the receiver, beside runs without probes.

    per: what CPU time is divided by. untraced_cpu_ns, and the two _per_op, which are per message: of the median run.
    """

    per: Literal["message", "call"]
    untraced_cpu_ns: Duration
    traced_cpu_ns: Duration
    untraced_runs: Annotated[int, Also(minimum=1)]
    untraced_spread_ns: Annotated[list[Duration], Also(length=2)]
    untraced_cpu_ns_per_op: Duration
    traced_cpu_ns_per_op: Duration
    ratio: Annotated[float, Also(minimum=0)] | None


class EstimatedCost(TypedDict):
    """What an event costs, times the events."""

    per: Literal["event"]
    untraced_cpu_ns_per_op: None
    traced_cpu_ns_per_op: None
    ratio: None
    estimate: Literal[True]
    event_ns: Annotated[float, Also(minimum=0)]
    events: Count
    total_ns: Duration
    cpu_ns: Duration


class Latency(TypedDict):
    """From just before a send to just after the receive that brought the message, by the programs' own clocks."""

    traced: Distribution
    untraced: Distribution | None
    accuracy: Accuracy | None


class SenderTimes(TypedDict):
    """The sender's sends by its own clock. inside: operations whose data was made ready during one, until_ready after
    its beginning, after_ready before its return; outside: the others; early: of those inside, done before its return.
    """

    took: Distribution
    inside: Count
    outside: Count
    until_ready: Distribution | None
    after_ready: Distribution | None
    early: Count


class SendStep(TypedDict):
    """The sender's call, by its own clock, in which or after which the data was made ready."""

    kind: Literal["send"]
    enter_ns: Time
    exit_ns: Time


class CallStep(TypedDict):
    """A system call, or equal failing ones in a row."""

    kind: Literal["call"]
    name: str
    enter_ns: Time
    exit_ns: Time
    result: int | str
    tid: Id
    fd: int
    count: Annotated[int, Also(minimum=1)]
    busy_ns: Duration
    blocked_ns: Duration
    brings_data: bool
    waits: bool
    signal: NotRequired[str]


class LibraryStep(TypedDict):
    """A call of the C library's."""

    kind: Literal["library"]
    name: str
    enter_ns: Time
    tid: Id


class WakeStep(TypedDict):
    """The thread is woken."""

    kind: Literal["wake"]
    at_ns: Time
    tid: Id


class RunStep(TypedDict):
    """The thread is back on a CPU."""

    kind: Literal["run"]
    at_ns: Time
    tid: Id


class NextThread(TypedDict):
    """The thread that got a CPU; tid 0: none, the CPU was idle."""

    tid: Id
    name: str | None


class AwayStep(TypedDict):
    """The thread had no CPU, outside of the calls whose sleep is drawn."""

    kind: Literal["away"]
    at_ns: Time
    end_ns: Time
    tid: Id
    state: Annotated[str, Also(values=("preempted", "asleep"))]
    call: str | None
    next: NextThread | None


class HandoverStep(TypedDict):
    """The thread that was told (tid) wakes the one that receives (to). through: the call that this one slept in."""

    kind: Literal["handover"]
    at_ns: Time
    tid: Id
    to: Id
    through: str


class ReadyStep(TypedDict):
    """The data is there."""

    kind: Literal["ready"]
    at_ns: Time
    estimated: bool


class CopyStep(TypedDict):
    """The data is copied. moved: the call moves it, and copies nothing to user space."""

    kind: Literal["copy"]
    at_ns: Time
    end_ns: Time
    estimated: bool
    tid: Id
    moved: NotRequired[Literal[True]]


class WaitStep(TypedDict):
    """The thread waits inside the receive, after its first bytes. count: several such waits, drawn as one; blocked_ns:
    how long they took."""

    kind: Literal["wait"]
    at_ns: Time
    end_ns: Time
    tid: Id
    count: Annotated[int, Also(minimum=1)]
    blocked_ns: Duration


class SignalStep(TypedDict):
    """A signal tells. taken: by a call that waited for it."""

    kind: Literal["signal"]
    taken: bool
    name: str
    generated_ns: Time | None
    delivered_ns: Time


class HandlerEndStep(TypedDict):
    """rt_sigreturn ends a handler."""

    kind: Literal["handler_end"]
    at_ns: Time
    tid: Id


class RequestStep(TypedDict):
    """What became of an io_uring request."""

    kind: Literal["request"]
    what: Literal["poll armed", "given to a worker"]
    at_ns: Time
    tid: Id


class ArrivalStep(TypedDict):
    """More data came to the descriptor before the program was told of the operation's. count: how often; at_ns: the
    last time."""

    kind: Literal["arrival"]
    at_ns: Time
    count: Annotated[int, Also(minimum=1)]


Step: TypeAlias = (
    CallStep
    | SendStep
    | LibraryStep
    | WakeStep
    | RunStep
    | AwayStep
    | HandoverStep
    | ReadyStep
    | CopyStep
    | WaitStep
    | SignalStep
    | HandlerEndStep
    | RequestStep
    | ArrivalStep
)


class Figure(TypedDict):
    """One real operation as the steps of a figure, in time order. of: how many operations it is the median of: those of
    its model, and of them those that were waited for, if any was."""

    operation: Count
    of: Count
    model: ModelName
    steps: list[Step]
    prelude: NotRequired[list[SetupStep]]


class SlowReason(TypedDict):
    """Where a slow operation's time went. who: the other thread that it is about; ns: how long."""

    what: Literal[
        "no data",
        "sender",
        "wake-up",
        "handed over",
        "no CPU",
        "asleep",
        "in a call",
        "computing",
        "copy",
    ]
    who: str | None
    ns: Duration
    text: str


class SlowOperation(TypedDict):
    """One of the slowest operations, and why it took so long. phases: ns."""

    index: Count
    phases: Annotated[dict[str, Duration], Also(keys=PHASES)]
    reasons: list[SlowReason]


class ThreadCourse(TypedDict):
    """One thread's states: from each of `at_ns` on the state of that index in STATES, the last one until `end_ns`."""

    tid: Id
    tgid: Id
    name: str
    end_ns: Time
    at_ns: list[Time]
    states: list[Annotated[int, Also(minimum=0, maximum=len(STATES) - 1)]]


class StatesOverTime(TypedDict):
    """What threads did when. changes: in all; exact: each is there, else each cell of `cell_ns` has the state that took
    most of it; more_threads: those left out."""

    begin_ns: Time
    end_ns: Time
    exact: bool
    cell_ns: Duration
    changes: Count
    threads: list[ThreadCourse]
    more_threads: Count


class DescriptorCourse(TypedDict):
    """When a descriptor had data: from each of from_ns to the same of to_ns."""

    tgid: Id
    fd: Annotated[int, Also(minimum=-1)]
    file: str | None
    from_ns: list[Time]
    to_ns: list[Time]


class OperationColumns(TypedDict):
    """Operations, a list for each fact. inside_ns: what waits_inside took; estimated: bit i is set where BOUNDARIES[i]
    is; waker, sender: threads, −1 where not known; descriptor: index in `descriptors`, −1 where it is left out."""

    index: list[Count]
    tid: list[Id]
    fd: list[Annotated[int, Also(minimum=-1)]]
    bytes: list[int]
    ask_ns: list[Time]
    ready_ns: list[Time]
    told_ns: list[Time]
    copy_start_ns: list[Time]
    copy_end_ns: list[Time]
    done_ns: list[Time]
    queued_ns: list[Duration]
    inside_ns: list[Duration]
    estimated: list[Count]
    waker: list[Annotated[int, Also(minimum=-1)]]
    sender: list[Annotated[int, Also(minimum=-1)]]
    descriptor: list[Annotated[int, Also(minimum=-1)]]


class OperationsOverTime(TypedDict):
    """Operations to draw: all, or the slowest and every so manieth. count: of all."""

    count: Count
    columns: OperationColumns
    descriptors: list[DescriptorCourse]
    more_descriptors: Count


class SwitchColumns(TypedDict):
    """Who got a CPU in whose place: 0 nobody (the CPU was idle), −1 a thread that is not traced. state: of the one that
    left, as the tracepoint tells it."""

    at_ns: list[Time]
    cpu: list[Count]
    previous: list[Annotated[int, Also(minimum=-1)]]
    state: list[Count]
    next: list[Annotated[int, Also(minimum=-1)]]


class WakingColumns(TypedDict):
    """Who was woken, and which thread had the CPU of the waking (0: it was idle)."""

    at_ns: list[Time]
    cpu: list[Count]
    waker: list[Count]
    tid: list[Id]


class CallColumns(TypedDict):
    """System calls, in the order in which they ended. cpu, end_cpu: where the thread was; returned: 0 where it had not
    when tracing ended."""

    start_ns: list[Time]
    end_ns: list[Time]
    cpu: list[Count]
    end_cpu: list[Count]
    tid: list[Id]
    number: list[Count]
    result: list[int]
    returned: list[Annotated[int, Also(minimum=0, maximum=1)]]


class KernelEvents(TypedDict):
    """What the kernel's tracepoints told, from the beginning on. count: of calls and scheduling records, in all;
    until_ns: null where each is there, else until when."""

    count: Count
    until_ns: Time | None
    switches: SwitchColumns
    wakings: WakingColumns
    calls: CallColumns


class Report(TypedDict):
    """What run, trace, attach and report print with --json; operations are made when they are asked for."""

    schema: Literal[1]
    scenario: str | None
    host: RunHost
    options: RunOptions | TraceOptions
    expected: Expected | None
    base_ns: Annotated[int, Also(minimum=0)]
    window_ns: Annotated[list[Time], Also(length=2)] | None
    ended: Literal["completed", "interrupted", "timeout", "duration", "failed", "cut short"]
    failure: str | None
    target: Target
    features: dict[str, str]
    operations: Sequence[Operation]
    estimated: Annotated[Counts, Also(keys=BOUNDARIES)]
    estimates: list[EstimatedBoundary]
    queued: Distribution
    phases: Phases
    waiting: Waiting
    threads: list[Thread]
    syscalls: list[Syscall]
    signals: list[Signal]
    model: Model
    activity: Activity
    held_back: HeldBack
    processes: list[Process]
    descriptors: list[Descriptor]
    advice: list[Advice]
    wakeups: list[Wakeups]
    self_wakeups: list[SelfWakeups]
    lanes: Lanes | None
    locks: list[Lock]
    ledger: Ledger
    cost: MeasuredCost | EstimatedCost | None
    latency: Latency | None
    sender: SenderTimes | None
    figure: Figure | None
    redacted: NotRequired[bool]
    slowest: NotRequired[list[SlowOperation]]
    states_over_time: NotRequired[StatesOverTime]
    operations_over_time: NotRequired[OperationsOverTime]
    kernel_events: NotRequired[KernelEvents]


# compare


class CompareOptions(TypedDict):
    """What `compare` was asked. sockets: null where each scenario has its own number."""

    messages: Count
    interval_ns: Duration
    size: Count
    proto: Literal["udp", "tcp", "unix", "pipe"]
    sockets: Count | None
    rounds: Count
    pin: Annotated[list[Count], Also(length=2)] | None
    keep_awake: bool


class About(TypedDict):
    """Where and what was compared, and whether the user ended it before all rounds were made."""

    host: Host
    options: CompareOptions
    interrupted: bool


class Spread(TypedDict):
    """One measure over a contender's runs."""

    median: Annotated[float, Also(minimum=0)]
    min: Annotated[float, Also(minimum=0)]
    max: Annotated[float, Also(minimum=0)]
    runs: list[Annotated[float, Also(minimum=0)]]


class Measured(TypedDict):
    """What one run says: `values` are numbers, one for each measure, None where it does not know."""

    values: dict[str, float | None]
    model: str
    synchronous: bool | None
    meanwhile: str | None
    copied_by: str
    messages: Count
    estimated: list[Boundary]
    lost: Count


class Contender(TypedDict):
    """One program of a comparison; words are null where its runs differ. measures: null where a run does not know."""

    name: str
    lang: Lang
    model: str | None
    synchronous: bool | None
    meanwhile: Annotated[str, Also(values=MEANWHILE)] | None
    copied_by: str | None
    runs: Annotated[int, Also(minimum=1)]
    messages: Annotated[int, Also(minimum=1)]
    estimated: list[Boundary]
    lost: Count
    measures: dict[str, Spread | None]
    recordings: list[str]


class Difference(TypedDict):
    """Two contenders in one measure. one, other: name and language; ratio: other's median by one's; effect: how much
    the other's runs lie above, interval: where that lies; p: corrected for all that was tested."""

    measure: str
    one: list[str]
    other: list[str]
    differs: bool
    ratio: float | None
    effect: float
    interval: Annotated[list[float], Also(length=2)] | None
    p: Share


class Unavailable(TypedDict):
    """What could not be run here."""

    name: str
    lang: Lang
    why: str


class Comparison(TypedDict):
    """What compare prints with --json. alpha: the chance of one false difference or more; rounds_needed: with fewer
    runs of each no difference between so many could be told. interrupted: the user ended it; `runs` of each
    are those of the rounds that were whole by then."""

    schema: Literal[1]
    host: Host
    options: CompareOptions
    models: list[Contender]
    alpha: Share
    rounds_needed: Annotated[int, Also(minimum=1)]
    differences: list[Difference]
    unavailable: list[Unavailable]
    interrupted: bool


# verify


class ClaimRun(TypedDict):
    """A run that a claim was judged by. name: the part it plays; command: what repeats it; rounds: how often it was
    made."""

    name: str
    program: str
    command: str
    rounds: Count
    recordings: list[str]


class JudgedClaim(TypedDict):
    """A claim of the textbook's, and what became of it."""

    number: Annotated[int, Also(minimum=1)]
    name: str
    claim: str
    source: str
    verdict: Literal[
        "holds",
        "holds with a qualification",
        "does not hold",
        "cannot tell",
        "cannot be tested here",
    ]
    evidence: str
    qualification: str | None
    without: dict[str, str]
    runs: list[ClaimRun]


class LedgerSum(TypedDict):
    """The ledgers of all runs, summed."""

    counted: Count
    delivered: Count
    lost: Count
    missed: Count | None


class Verification(TypedDict):
    """What verify prints with --json."""

    schema: Literal[1]
    version: str
    host: Host
    rounds: Annotated[int, Also(minimum=1)]
    features: dict[str, str]
    claims: list[JudgedClaim]
    verdicts: Counts
    failed: list[str]
    ledger: LedgerSum
    interrupted: bool


# What a recording says of itself (its metadata, docs/json.md): some of it goes into the report as it is.
Facts: TypeAlias = dict[str, Any]
