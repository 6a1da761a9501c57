"""A verdict's facts as the sentences of the report's `model`."""

from __future__ import annotations

from typing import TypeAlias, assert_never

from tracer.analysis.listing import decode
from tracer.analysis.verdict.facts import (
    AllThereAlready,
    ArmedOnce,
    AskedAgain,
    Asking,
    Burnt,
    CompletionsAwaited,
    CompletionSignals,
    CompletionThreads,
    DoneAfterSubmit,
    DoneInSubmit,
    Fact,
    FewReceives,
    FileCalls,
    FoundAtOnce,
    FutexSleeps,
    GeteventsTold,
    HandedOver,
    HelperReceived,
    KernelSubmits,
    MostEventsLost,
    NamedDescriptor,
    NoCompletionSeen,
    NothingReceived,
    NothingTold,
    NotRegistered,
    OtherReads,
    RanTogether,
    Registered,
    RingCompletions,
    RingCopies,
    RingReads,
    RingTold,
    SelfWoken,
    SleptInCall,
    SleptLooking,
    SleptOnData,
    TakenByCall,
    ThreadEach,
    TimedOut,
    TimeSpent,
    ToldBySignal,
    ToldOfRest,
    ToldReady,
    TookTurns,
    Undecoded,
    Unwatched,
    WaitedInNoCall,
)
from tracer.analysis.verdict.io_model import ModelVerdict
from tracer.kernel import syscalls
from tracer.quantities import duration
from tracer.report.contract import Model
from tracer.report.wording import manner

_Plain: TypeAlias = (
    NothingReceived
    | OtherReads
    | SelfWoken
    | HandedOver
    | Undecoded
    | Unwatched
    | FoundAtOnce
    | AllThereAlready
    | MostEventsLost
    | Burnt
    | SleptInCall
    | TimedOut
    | SleptLooking
    | ThreadEach
    | AskedAgain
    | NothingTold
)
_Epoll: TypeAlias = Registered | NotRegistered | ArmedOnce | SleptOnData | ToldOfRest
_Signal: TypeAlias = ToldBySignal | NamedDescriptor | TakenByCall | WaitedInNoCall
_PosixAio: TypeAlias = (
    HelperReceived | CompletionSignals | CompletionThreads | CompletionsAwaited | NoCompletionSeen
)
_Ring: TypeAlias = RingTold | RingReads | RingCopies | RingCompletions | KernelSubmits
_NativeAio: TypeAlias = DoneInSubmit | DoneAfterSubmit | GeteventsTold
_Instead: TypeAlias = FileCalls | TimeSpent | FutexSleeps | TookTurns | RanTogether | FewReceives


_UNWATCHED = {
    "aio_read": "{calls} reads are as a C library's helper threads make them, so this may be POSIX aio",
    "io_uring": "what {calls} calls of io_uring_enter brought is not in this verdict",
}


def model(verdict: ModelVerdict) -> Model:
    """A verdict as the report has it."""
    described: Model = {
        "name": verdict.name,
        "synchronous": verdict.synchronous,
        "confidence": verdict.confidence,
        "shown_by": verdict.shown_by,
        "shown_of": verdict.shown_of,
        "busy": verdict.busy,
        "evidence": [sentence(fact) for fact in verdict.evidence],
    }
    if verdict.reason:
        described["reason"] = sentence(verdict.reason)
    if verdict.manner:
        described["manner"] = manner.sentence(verdict.manner)
        if verdict.manner.waits_in:
            described["waits_in"] = verdict.manner.waits_in
        if verdict.synchronous is False and (call := manner.copies_in(verdict.manner)):
            described["copies_in"] = call
    if verdict.instead:
        return {
            "name": described["name"],
            "synchronous": described["synchronous"],
            "confidence": described["confidence"],
            "shown_by": described["shown_by"],
            "shown_of": described["shown_of"],
            "busy": described["busy"],
            "instead": verdict.instead,
            "evidence": described["evidence"],
        }
    if verdict.shares:
        described |= {"shares": verdict.shares, "time_shares": verdict.time_shares}
    if verdict.variants:
        described |= {"variants": verdict.variants}
    return described


def sentence(fact: Fact) -> str:
    """One fact in words."""
    match fact:
        case NothingReceived() | SleptInCall() | AskedAgain() | NothingTold() | FoundAtOnce():
            return _plain(
                fact
            )  # the most frequent first: there can be a sentence for each of 100,000 processes
        case ToldReady():
            return _told_ready(fact)
        case Registered() | NotRegistered() | ArmedOnce() | SleptOnData() | ToldOfRest():
            return _epoll(fact)
        case ToldBySignal() | NamedDescriptor() | TakenByCall() | WaitedInNoCall():
            return _signal(fact)
        case HelperReceived() | CompletionSignals() | CompletionThreads():
            return _posix_aio(fact)
        case CompletionsAwaited() | NoCompletionSeen():
            return _posix_aio(fact)
        case RingTold() | RingReads() | RingCopies() | RingCompletions() | KernelSubmits():
            return _ring(fact)
        case DoneInSubmit() | DoneAfterSubmit() | GeteventsTold():
            return _native_aio(fact)
        case FileCalls() | TimeSpent() | FutexSleeps() | TookTurns() | RanTogether():
            return _instead(fact)
        case FewReceives():
            return _instead(fact)
        case _:
            return _plain(fact)


def _plain(fact: _Plain) -> str:
    match fact:
        case NothingReceived():
            return "no receive brought data in on a socket or pipe"
        case OtherReads(reads):
            brought = (
                f"{kind} {calls:,} {'time' if calls == 1 else 'times'}, {size:,} bytes"
                for kind, calls, size in reads
            )
            return f"it read from {'; '.join(brought)}"
        case Undecoded(calls):
            return (
                f"{calls} calls were made by the 32-bit ABI: counted, but not decoded; what they "
                "received is not seen"
            )
        case SelfWoken():
            return _self_woken(fact)
        case HandedOver():
            return _handed_over(fact)
        case Unwatched(what, calls, reason):
            unseen = _UNWATCHED.get(what, "what {calls} calls brought is not in this verdict")
            return f"{what} could not be watched ({reason}): {unseen.format(calls=calls)}"
        case FoundAtOnce(1):
            return "1 receive found its data waiting already"
        case FoundAtOnce(receives):
            return f"{receives:,} receives found their data waiting already"
        case AllThereAlready() | MostEventsLost() | Burnt() | TimedOut() | SleptLooking():
            return _of_waits(fact)
        case SleptInCall(shown, receives, slept_ns):
            return (
                f"{shown:,} of {receives:,} receives slept inside the call for their data, "
                f"{duration(slept_ns)} in all until they had a CPU again"
            )
        case ThreadEach(threads):
            return f"in {threads} threads, one for each of {threads} descriptors"
        case AskedAgain(eagains, shown, receives):
            return (
                f"{eagains:,} calls came back with EAGAIN before {shown:,} of {receives:,} receives "
                "succeeded"
            )
        case NothingTold():
            return "no receive slept, and no select, poll, epoll or signal told of the data"
        case _:
            assert_never(fact)


def _of_waits(fact: AllThereAlready | MostEventsLost | Burnt | TimedOut | SleptLooking) -> str:
    match fact:
        case AllThereAlready(1):
            return "its one receive found its data there already: nothing shows how it would have waited"
        case AllThereAlready(receives):
            return (
                f"each of its {receives:,} receives found its data there already: nothing shows how "
                "it would have waited"
            )
        case MostEventsLost(lost, counted):
            return (
                f"{lost:,} of {counted:,} events were lost: what is left does not say how the "
                "program waits"
            )
        case Burnt(calls, cpu_ns, of_ns):
            return (
                f"{', '.join(map(_asking, calls))}; none of these slept: {duration(cpu_ns)} on a CPU, "
                f"of the {duration(of_ns)} that the threads had"
            )
        case TimedOut(times):
            return (
                f"{_times(times)} a receive slept and timed out (EAGAIN after a sleep: SO_RCVTIMEO)"
            )
        case SleptLooking(times):
            return (
                f"{_times(times)} the thread slept in a call that only looked at the data "
                "(MSG_PEEK, tee), before the one that took it"
            )
        case _:
            assert_never(fact)


def _asking(calls: Asking) -> str:
    if 2 * calls.again >= calls.times:
        return f"{calls.times:,} calls of {calls.call} told again of what the one before had told"
    at_once = calls.call in syscalls.CLASSES and calls.without_timeout == calls.times
    with_0 = " with time-out 0" if at_once else ""
    return f"{calls.times:,} calls of {calls.call}{with_0} found nothing"


def _times(count: int) -> str:
    return _plural(count, "time")


def _plural(count: int, noun: str) -> str:
    return f"{count:,} {noun}" + ("" if count == 1 else "s")


def _self_woken(fact: SelfWoken) -> str:
    what = (
        f"woken by another thread of its own, {fact.times} times: a pipe, socketpair or eventfd "
        "that no other process wrote to"
    )
    if fact.others:
        return f"{what}; they are not among the {fact.others} receives here"
    return what + "; no receive brought data in from outside"


def _handed_over(fact: HandedOver) -> str:
    by = " or ".join(map(_through, fact.through))
    how = f", {fact.woken} times after that had woken it {by}" if fact.woken else ""
    return (
        f"{fact.times} of {fact.receives} were handed over: another thread was told than the one "
        f"that received{how}; half of them within {duration(fact.fetched_ns)}"
    )


def _through(call: str) -> str:
    """By what a thread was woken that slept in a call."""
    return {"futex": "through a futex", "read": "through a descriptor that it read"}.get(
        call, f"out of {call}"
    )


def _told_ready(fact: ToldReady) -> str:
    elsewhere = f"; {_times(fact.elsewhere)} in {fact.elsewhere_in}" if fact.elsewhere else ""
    return (
        f"{fact.shown} of {fact.receives} receives came after {fact.call} had said the descriptor "
        f"was ready, half of them done within {duration(fact.received_ns)} of its return; "
        f"{_times(fact.sleeps)} the thread slept in {fact.call}{elsewhere}; "
        f"{fact.eagains:,} receives found nothing (EAGAIN)"
    )


def _epoll(fact: _Epoll) -> str:
    match fact:
        case Registered(events, edge):
            event_names = " or ".join(map(decode.epoll_events, events))
            return f"registered with {event_names}" + ("" if edge else ", without EPOLLET")
        case NotRegistered():
            return (
                "no epoll_ctl was seen for the descriptor that received: epoll_wait told of "
                "another one that led to it (a listening socket, a signalfd), or it was registered "
                "through io_uring, as libuv does"
            )
        case ArmedOnce(times):
            return f"{times} times armed with EPOLLONESHOT: epoll_ctl arms again what was told once"
        case SleptOnData(times):
            return (
                f"{times} times the thread went to sleep in epoll_wait though data lay in the "
                "socket: it had been told once, had not taken all, and no wake-up came for the rest"
            )
        case ToldOfRest(times):
            return (
                f"{_plural(times, 'wake-up')} told again of data that the receive before had left"
            )
        case _:
            assert_never(fact)


def _signal(fact: _Signal) -> str:
    match fact:
        case ToldBySignal(shown, receives):
            return f"{shown} of {receives} receives came after a signal said that data was there"
        case NamedDescriptor(times):
            return (
                f"{times} of them named the descriptor (si_fd): F_SETSIG, and a signal that is "
                "queued"
            )
        case TakenByCall(times):
            return (
                f"{times} {'was' if times == 1 else 'were'} taken by a call that waited for such "
                "signals (rt_sigtimedwait), not by a handler"
            )
        case WaitedInNoCall():
            return "between the operations the thread waited in no call"
        case _:
            assert_never(fact)


def _posix_aio(fact: _PosixAio) -> str:
    match fact:
        case HelperReceived(reads):
            return (
                f"{reads} aio_reads; another thread of the process (the C library's) made the "
                "receive"
            )
        case CompletionSignals(times):
            return f"{times} completion signals (SI_ASYNCIO) came after the copy"
        case CompletionThreads(times):
            return f"{times} times a new thread was created to tell, after the copy (SIGEV_THREAD)"
        case CompletionsAwaited(times):
            return f"{times} times the asking thread was told in aio_suspend, on a futex"
        case NoCompletionSeen():
            return "nothing was seen to tell of a completion"
        case _:
            assert_never(fact)


def _ring(fact: _Ring) -> str:
    match fact:
        case RingTold(shown, receives):
            return (
                f"{shown} of {receives} receives came after io_uring_enter had told of readiness "
                "(IORING_OP_POLL_ADD): multiplexing by another name"
            )
        case RingReads():
            return _ring_reads(fact)
        case RingCopies(inside, outside, others):
            words = {
                "times the thread that submitted copied inside its io_uring_enter": inside,
                "times the thread that submitted copied outside its io_uring_enter, as task work": outside,
                "times another thread copied": others,
            }
            return ", ".join(f"{times} {text}" for text, times in words.items() if times)
        case RingCompletions(told, read):
            return (
                f"{told} completions were told by io_uring_enter, {read} read from the ring "
                "without a call"
            )
        case KernelSubmits():
            return (
                "a kernel thread (iou-sqp-…) took the requests from the ring "
                "(IORING_SETUP_SQPOLL): asking takes no call, and that thread's CPU"
            )
        case _:
            assert_never(fact)


def _ring_reads(fact: RingReads) -> str:
    words = {
        "inside the io_uring_enter that submitted them": fact.inline,
        "after a poll had been armed": fact.poll_armed,
        "by a kernel worker (io-wq)": fact.by_worker,
        "by the device": fact.by_device,
        "by multishot requests": fact.multishot,
        "by the kernel thread that took the requests (IORING_SETUP_SQPOLL)": fact.sqpoll,
    }
    ways = ", ".join(f"{times} {text}" for text, times in words.items() if times)
    return f"{fact.reads} reads were completed by io_uring: {ways}"


def _native_aio(fact: _NativeAio) -> str:
    match fact:
        case DoneInSubmit(reads, of, slept_ns):
            return (
                f"{reads} of {of} reads were done inside io_submit, which slept for them and had a CPU "
                f"again after {duration(slept_ns)} in all: asynchronous in name only"
            )
        case DoneAfterSubmit(reads, of):
            return (
                f"{reads} of {of} reads were done by the device after io_submit had returned "
                "(O_DIRECT)"
            )
        case GeteventsTold(shown, receives):
            return (
                f"{shown} of {receives} receives came after io_getevents had told of readiness "
                "(IOCB_CMD_POLL): multiplexing by another name"
            )
        case _:
            assert_never(fact)


def _instead(fact: _Instead) -> str:
    match fact:
        case FileCalls(files, others):
            return (
                f"{files:,} reads and writes of files, beside {others:,} sends and connections "
                "on sockets"
            )
        case TimeSpent(computing, runnable, futexes):
            return (
                f"the threads' time: {duration(computing)} computing, {duration(runnable)} waiting "
                f"for a CPU, {duration(futexes)} asleep on futexes"
            )
        case FutexSleeps():
            return _futex_sleeps(fact)
        case TookTurns(threads, cpus):
            where = "the same CPU" if cpus == 1 else f"{cpus} CPUs"
            return (
                f"{threads} threads computed, on {where}, and no two at the same time: they took "
                "turns"
            )
        case RanTogether((one, other), together, possible):
            return (
                f"threads {one} and {other} both had a CPU for {duration(together)} of the "
                f"{duration(possible)} that the shorter one's computing took"
            )
        case FewReceives(operations, models):
            return (
                f"{operations} of its receives brought a message ({' and '.join(models)}): too "
                "few beside that to say what the program is for"
            )
        case _:
            assert_never(fact)


def _futex_sleeps(fact: FutexSleeps) -> str:
    if fact.owned:
        meaning = "another thread had the lock then, and woke it when it gave it back"
    elif fact.gave_back:
        meaning = (
            "it woke others there later, as at a lock whose owner is not to be seen, a barrier, or a condition "
            "variable by which threads take turns"
        )
    else:
        meaning = "it woke nobody there: what it waited for was an event, and another thread's"
    return (
        f"{fact.times} times a thread waited at a futex, {duration(fact.waited_ns)} in all, at most "
        f"{duration(fact.longest_ns)}: {duration(fact.slept_ns)} asleep, then for a CPU; {meaning}"
    )
