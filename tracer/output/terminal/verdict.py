"""The verdict in words: model and evidence, ledger, cost of tracing, oracle; speaks to no kernel interface."""

from __future__ import annotations

from rich.text import Text

from tracer.output.format import Result
from tracer.output.machine import sentence
from tracer.output.terminal.lines import INDENT, alarm, entry, wrap
from tracer.output.units import clean, duration, number, plural, share

GOOD = "green"
MUCH = 0.05  # of the events: what is lost then may change what is said
NOTHING_MORE = -1  # than the model and what POSIX calls it
BRIEF = 2  # sentences of evidence on a screen
DOUBTFUL = 0.5  # the confidence where evidence that would decide could not be had

MODELS = {
    "blocking": "blocking I/O",
    "nonblocking": "nonblocking I/O",
    "select": "I/O multiplexing (select)",
    "poll": "I/O multiplexing (poll)",
    "epoll-lt": "I/O multiplexing (epoll, level-triggered)",
    "epoll-et": "I/O multiplexing (epoll, edge-triggered)",
    "signal": "signal-driven I/O",
    "posix-aio": "asynchronous I/O (POSIX aio)",
    "linux-aio": "asynchronous I/O (Linux native aio)",
    "io-uring": "asynchronous I/O (io_uring)",
    "none": "none",
    "mixed": "mixed",
    "unknown": "cannot tell",
}
_NAMED_ASYNCHRONOUS = {"linux-aio": "Linux native aio", "io-uring": "io_uring"}
_MEANINGS = {
    "none": "Nothing was seen to come in from outside, on a socket or a pipe.",
    "mixed": "Operations of more than one model.",
}
INSTEADS = {
    "mutual exclusion": (
        "mutual exclusion, no I/O model",
        "Threads wait for their turn: who has the lock keeps the others asleep. Nothing comes in on a socket or pipe.",
    ),
    "two-way waiting": (
        "threads that wait for each other, no I/O model",
        "Each is woken by others and wakes others in turn. Nothing comes in on a socket or pipe.",
    ),
    "synchronisation": (
        "synchronisation, no I/O model",
        "Threads wait for what others do, and are woken by them. Nothing comes in on a socket or pipe.",
    ),
    "concurrent": (
        "concurrent computing, no I/O model",
        "Several threads compute, but never two of them at the same time. Nothing comes in on a socket or pipe.",
    ),
    "parallel": (
        "parallel computing, no I/O model",
        "Several threads compute, at the same time on different CPUs. Nothing comes in on a socket or pipe.",
    ),
    "computing": (
        "computing, no I/O model",
        "The threads compute. Nothing comes in on a socket or pipe.",
    ),
    "files": (
        "file I/O, none of the models of waiting",
        "The program reads and writes files: nobody has to send that data, and the models are about waiting for "
        "someone who does.",
    ),
}
_UNDECIDED = ("none", "unknown")
SYNCHRONOUS = {
    True: "synchronous: the thread that wants the data makes the copying call",
    False: "asynchronous: no call of the thread waits for the data or copies it",
    None: "undecided: operations differ, or there was nothing to judge by",
}


def verdict(report: Result, width: int = 80, most: int | None = None) -> list[Text]:
    """The model, whether it is synchronous, how many operations show it, and `most` sentences of evidence (None: all;
    NOTHING_MORE: none, and not how the threads wait)."""
    model = report.get("model") or {}
    name = model.get("name")
    if name is None:
        return entry("model", "unknown: the report names none", width, "yellow")
    title, meaning = INSTEADS.get(model.get("instead") or "") or _title(model)
    doubtful = name in (*_UNDECIDED, "mixed") and not model.get("instead")
    style = "bold yellow" if doubtful else "bold green"
    lines = held_back(report, width) + entry("model", title + _shown(model), width, style)
    if meaning and most != NOTHING_MORE:
        lines += entry("", meaning, width)
    shares = {share_name: value or 0 for share_name, value in (model.get("shares") or {}).items()}
    whole = sum(shares.values())
    for share_name, value in sorted(shares.items(), key=lambda item: -item[1]):
        lines += entry(
            "",
            f"{share(value, whole):>6}  {MODELS.get(share_name, clean(share_name))}",
            width,
        )
    if name not in _UNDECIDED:
        lines += entry("POSIX", _posix(model), width)
    for index, evidence in enumerate(
        (model.get("evidence") or [])[: most if most is None else max(most, 0)]
    ):
        for row, text in enumerate(wrap(clean(evidence), width - INDENT - 2)):
            line = Text().append(
                ("because" if index == row == 0 else "").ljust(INDENT), style="bold"
            )
            lines.append(line.append(("• " if row == 0 else "  ") + text))
    return lines


def _shown(model: Result) -> str:
    """How many operations show the model by themselves; nothing where they decide nothing, or where the shares of
    several models follow."""
    name, count, of = model.get("name"), model.get("shown_by"), model.get("shown_of")
    if count is None or not of or name in (*_UNDECIDED, "mixed"):
        return ""
    verb = "shows" if count == 1 or of == 1 else "show"
    doubt = (
        ", but evidence is missing" if count and (model.get("confidence") or 0) <= DOUBTFUL else ""
    )
    return f", {number(count)} of {plural(of, 'operation')} {verb} it{doubt}"


def _posix(model: Result) -> str:
    """Whether POSIX calls the operations synchronous, and why."""
    synchronous, waits_in = model.get("synchronous"), model.get("waits_in")
    copies_in = model.get("copies_in")
    if synchronous is not False or not (waits_in or copies_in):
        return SYNCHRONOUS[synchronous]
    waits = f"it waits in {clean(waits_in)} by choice" * bool(waits_in)
    if not copies_in:
        return f"asynchronous: no call of its own copies; {waits}"
    copies = f"{clean(copies_in)} copies what has come"
    if copies_in == waits_in:
        return f"asynchronous: {waits}, and that call copies"
    return f"asynchronous: asking does not wait; {', '.join(filter(None, (waits, copies)))}"


def _title(model: Result) -> tuple[str, str]:
    """The model's name in words, and how the threads wait, or why that is not known."""
    name = model["name"]
    if model.get("synchronous") and name in _NAMED_ASYNCHRONOUS:
        name_in_words = f"{_NAMED_ASYNCHRONOUS[name]}, synchronous here"
    else:
        name_in_words = MODELS.get(name, clean(name))
    meaning = model.get("reason") or model.get("manner") or _MEANINGS.get(name, "")
    return name_in_words, clean(meaning)


def lost(report: Result, width: int = 80) -> list[Text]:
    """How much of what happened is missing from all that is said, where that is much."""
    book = report.get("ledger") or {}
    count, of = book.get("lost") or 0, book.get("counted") or 0
    if not of or count < MUCH * of:
        return []
    text = (
        f"{share(count, of)} of the events: all that is said here is of the other "
        f"{number(of - count)}, and may be wrong"
    )
    return entry("lost", text, width, "bold red")


def held_back(report: Result, width: int = 80) -> list[Text]:
    """The one thing that holds the program back, and its share of the time in which there was work; nothing for a
    scenario, of which that is known."""
    held = report.get("held_back") or {}
    if report.get("scenario") or not held.get("text"):
        return []
    return entry("held back", clean(held["text"]), width, "bold yellow")


def estimates(report: Result, width: int = 80, brief: bool = False) -> list[Text]:
    """Which boundaries were estimated in how many operations, and why: of each the causes that applied, brief the most
    frequent one; nothing where none was."""
    total = len(report.get("operations") or [])
    if (report.get("model") or {}).get("instead"):
        return []  # the few operations that there are, are not shown
    lines: list[Text] = []
    named: set[str] = set()
    for estimate in report.get("estimates") or []:
        boundary, count = clean(estimate.get("boundary")), estimate.get("count")
        if brief and boundary in named:
            continue
        named.add(boundary)
        of = "all" if count == total else f"{number(count)} of {number(total)}"
        text = f"{boundary.replace('_', ' ')} in {of}: {clean(estimate.get('text'))}"
        lines += entry("" if lines else "~estimated", text, width)
    return lines


def queued(report: Result, width: int = 80) -> list[Text]:
    """How long data lay ready before it was asked for; nothing where none did."""
    waits = report.get("queued") or {}
    if not waits.get("count"):
        return []
    return entry(
        "queued",
        f"{plural(waits['count'], 'operation')} found data that was there before it was asked for: "
        f"median {duration(waits['p50_ns'])}, longest {duration(waits['max_ns'])} in the queue",
        width,
    )


def ledger(report: Result, width: int = 80, brief: bool = False) -> list[Text]:
    """counted = delivered + lost, with what is open and what the kernel missed; loud where it does not add up. brief:
    in a line where all is well."""
    book = report.get("ledger")
    if not book:
        return alarm("NO LEDGER: this report cannot say whether it is complete", width)
    if book.get("counted") is None:
        text = (
            f"CUT SHORT, NO LEDGER: iotrace was ended; {number(book.get('delivered'))} events are "
            "here, and how many are missing nobody counted"
        )
        return alarm(text, width)
    alarms = [line for text in _alarms(book) for line in alarm(text, width)]
    text = _sum(book)
    if not alarms and report.get("ended") != "failed" and book.get("missed") is not None:
        # what is said here rests on the recording; one without checksums can have been changed
        text += (
            " – complete"
            if book.get("checked")
            else " – not checked: the recording has no checksums"
        )
        if brief and not book.get("lost") and not book["missed"]:
            text = (
                f"{number(book.get('counted'))} events, none lost or missed: complete"
                if book.get("checked")
                else f"{number(book.get('counted'))} events, none lost; no checksums: not checked"
            )
    lines = entry("ledger", text, width, "" if alarms else GOOD) + alarms
    if unentered := book.get("unentered"):
        lines += entry(
            "",
            f"{plural(unentered, 'call')} returned that had no entry: a seccomp filter or a tracer "
            "answered in the kernel's place; counted, not timed",
            width,
        )
    unseen = book.get("unseen_switches")
    if unseen and brief:
        text = f"{plural(unseen, 'switch')} not seen: as many times off the CPU are too long"
        lines += entry("", text, width, "yellow")
    elif unseen:
        lines += entry(
            "",
            f"{plural(unseen, 'time')} a thread was back on a CPU without a switch to it that the "
            "kernel showed: its time off the CPU is ended by its next call or switch, and is too long",
            width,
            "yellow",
        )
    return lines


def _sum(book: Result) -> str:
    """The ledger in one sentence."""
    missed = book.get("missed")
    return (
        f"{number(book.get('counted'))} events counted in the kernel = "
        f"{number(book.get('delivered'))} delivered + {number(book.get('lost'))} lost; "
        f"{number(book.get('open'))} still open; "
        + (
            "missed: unknown, this kernel does not tell"
            if missed is None
            else f"{number(missed)} missed"
        )
    )


def _alarms(book: Result) -> list[str]:
    """What makes the counts of a report untrue."""
    alarms = [] if is_balanced(book) else [_gap(book)]
    if lost := book.get("lost"):
        alarms.append(
            f"{number(lost)} EVENTS LOST ({share(lost, book.get('counted'))}): counts above are too low; "
            "a larger ring buffer may help"
        )
    if missing := book.get("missing_rows"):
        alarms.append(
            f"THE RECORDING HOLDS {number(book.get('rows'))} RECORDS, {number(abs(missing))} "
            f"{'FEWER' if missing > 0 else 'MORE'} THAN ITS LEDGER SAYS: it was changed after it was made"
        )
    if missed := book.get("missed"):
        alarms.append(
            f"{number(missed)} EVENTS MISSED: the kernel skipped a probe while another ran on that CPU"
        )
    if threads := book.get("contradictory_threads"):
        alarms.append(
            f"{plural(threads, 'thread')} DID MORE THAN THERE WAS TIME FOR: the records contradict one another"
        )
    if untracked := book.get("untracked"):
        alarms.append(f"{plural(untracked, 'thread')} NOT TRACED: no slot was free")
    if unlearnt := book.get("unlearnt"):
        alarms.append(
            f"{plural(unlearnt, 'socket')} NOT LEARNT: the table is full, and their readiness is estimated"
        )
    return alarms


def _gap(book: Result) -> str:
    gap = (book.get("counted") or 0) - (book.get("delivered") or 0) - (book.get("lost") or 0)
    surplus = (
        "counted, neither delivered nor lost" if gap >= 0 else "delivered that were never counted"
    )
    return f"THE LEDGER DOES NOT BALANCE: {number(abs(gap))} events {surplus}; trust no count above"


def is_balanced(book: Result) -> bool:
    """Whether counted = delivered + lost, and the ledger itself says so where it says anything."""
    counted, delivered, lost = (book.get(key) for key in ("counted", "delivered", "lost"))
    if counted is None or delivered is None or lost is None:
        return False
    return bool(counted == delivered + lost) and book.get("balanced") is not False


def cost(report: Result, width: int = 80, brief: bool = False) -> list[Text]:
    """What tracing cost the target's CPU. brief: in a line, and nothing where that was not measured."""
    spent = report.get("cost")
    if not spent:
        return [] if brief else entry("cost", "of tracing: not measured in this run", width, "dim")
    if spent.get("estimate"):
        return entry("cost", f"of tracing, estimated: {_of_events(spent, brief)}", width)
    ratio, unit = spent.get("ratio"), spent.get("per", "message")
    times = "" if ratio is None else f", ×{ratio:.2f}"
    return entry(
        "cost",
        f"of tracing: {duration(spent.get('untraced_cpu_ns'))} of CPU a {unit} untraced"
        f"{_spread(spent)}, {duration(spent.get('traced_cpu_ns'))} traced{times}",
        width,
    )


def latency(report: Result, width: int = 80) -> list[Text]:
    """What tracing did to the time from send to receive; nothing where that is not known."""
    measured = report.get("latency")
    if not measured:
        return []
    traced, untraced = (measured.get(run) or {} for run in ("traced", "untraced"))
    before = f"{duration(untraced.get('p50_ns'))} untraced, " if untraced else ""
    text = f"send to received: {before}{duration(traced.get('p50_ns'))} traced (medians)"
    return [*entry("latency", text, width), *_stamps(measured.get("accuracy") or {}, width)]


def _stamps(accuracy: Result, width: int) -> list[Text]:
    """How far the programs' own stamps lie from the boundaries; nothing where they could not be compared."""
    parts = [
        f"{whose} {duration(abs(ns))} {before if ns < 0 else after} {boundary}"
        for key, whose, after, before, boundary in (
            ("done_to_user", "receiver's", "after", "before", "done"),
            ("send_to_ready", "sender's", "before", "after", "ready"),
        )
        if (ns := (accuracy.get(key) or {}).get("p50_ns")) is not None
    ]
    return entry("stamps", ", ".join(parts) + " (p50)", width) if parts else []


def sender(report: Result, width: int = 80) -> list[Text]:
    """How long the sender's calls took, and where in them the data was made ready; nothing where it did not say."""
    times = report.get("sender")
    if not times:
        return []
    text = f"its send takes {duration(times['took'].get('p50_ns'))}"
    inside, until, after = times.get("inside"), times.get("until_ready"), times.get("after_ready")
    if inside and until and after:
        of = inside + (times.get("outside") or 0)
        text += (
            f"; the data is ready {duration(until.get('p50_ns'))} after it began, and "
            f"{duration(after.get('p50_ns'))} of it follow (medians; {number(inside)} of {number(of)} inside a send)"
        )
    if early := times.get("early"):
        text += f"; {number(early)} were received before it returned"
    return entry("sender", text, width)


def machine(report: Result, width: int = 80) -> list[Text]:
    """How the machine's CPUs sleep, and where data was made ready; nothing where that was not recorded."""
    text = sentence(report.get("host") or {})
    return entry("machine", text, width) if text else []


def _of_events(spent: Result, brief: bool) -> str:
    of = share(spent.get("total_ns"), spent.get("cpu_ns"))
    if brief:
        events = plural(spent.get("events"), "event")
        return f"{events}, {duration(spent.get('total_ns'))}, {of} of its CPU time"
    return (
        f"{number(spent.get('events'))} events of {duration(spent.get('event_ns'))} each "
        f"(measured when tracing began) are {duration(spent.get('total_ns'))}, {of} of the "
        "traced threads' CPU time"
    )


def _spread(spent: Result) -> str:
    """The least and the most of the untraced runs, where there was more than one."""
    least, most = spent.get("untraced_spread_ns") or (None, None)
    runs = spent.get("untraced_runs") or 0
    return f" ({duration(least)} to {duration(most)} in {runs} runs)" if runs > 1 else ""


def oracle(report: Result, width: int = 80, brief: bool = False) -> list[Text]:
    """What the workload says it did against what was traced; nothing where no workload could say. brief: in a line
    where both say the same."""
    expected = report.get("expected")
    if not expected:
        return []
    calls = ", ".join(
        f"{clean(name)} {number(count)}" for name, count in (expected.get("calls") or {}).items()
    )
    rounds = (report.get("options") or {}).get("proto") == "none"
    counts = (
        plural(expected.get("messages"), "round")
        if rounds
        else f"{plural(expected.get('messages'), 'message')}, {plural(expected.get('bytes'), 'byte')}"
    )
    counts += f"; {calls}" if calls else ""
    dropped = (
        f"; {number(expected['dropped'])} dropped on the way" if expected.get("dropped") else ""
    )
    differences = expected.get("differences") or []
    wrong = [name for name, same in (expected.get("match") or {}).items() if same is False]
    if not differences and not wrong:
        # how many rounds there were no trace tells
        held = expected.get("match") and (not rounds or calls or expected.get("signals"))
        equal = ": traced exactly so" if held else ""
        if brief and equal:
            counts = counts.partition(";")[0] + ", and its calls" * bool(calls)
        return entry("workload", f"says {counts}{equal}{dropped}", width, GOOD if equal else "")
    lines = entry("workload", f"says {counts}{dropped}", width)
    for difference in differences or [f"{name} differ" for name in wrong]:
        lines += alarm(f"TRACED OTHERWISE: {clean(difference)}", width)
    return lines
