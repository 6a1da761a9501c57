"""What the figure is made of: a row for each event or comment, and what is known of the operation that they show."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from tracer.output import phase_names
from tracer.output.format import Result
from tracer.output.units import duration
from tracer.report.contract import PHASE_SPANS

Step: TypeAlias = Result  # of a report's figure (docs/json.md)
Arrow: TypeAlias = Literal["call", "return", "library"]

RETURNS_FROM_HANDLER = "rt_sigreturn"
FREE = "continues executing"  # the textbook's words


@dataclass
class Row:
    """One line: what the application does, what crosses, what the kernel does.

    time_ns: since base, None for a comment.
    order: position among rows of one time.
    marks: the boundaries that this row stands for.
    before, after: comments that stand directly above or below this row.
    bound: of a comment, the time (ns) of the event above it.
    left, right: the application's edges; the left is the asking thread's, the right the helper's.
    by_sender: whether it is an event of the sender's.
    sending: whether the sender is in its send then.
    names_helper: whether it only says who the helper is.
    earlier: whether it is of before the operation; it has no time in this figure.
    """

    time_ns: int | None
    order: int = 0
    application: str = ""
    application_style: str = ""
    by_helper: bool = False
    arrow: Arrow | None = None
    label: str = ""
    label_style: str = ""
    kernel: str = ""
    kernel_style: str = ""
    boundary: bool = False
    marks: set[str] = field(default_factory=set)
    before: list[Row] = field(default_factory=list)
    after: list[Row] = field(default_factory=list)
    when: str = ""
    left: str = "┃"
    right: str = "│"
    bound: int | None = None
    names_helper: bool = False
    earlier: bool = False
    by_sender: bool = False
    sending: bool = False


def comment(text: str, style: str, by_helper: bool = False) -> Row:
    """A line of the application's that is no event."""
    return Row(None, application=text, application_style=style, by_helper=by_helper)


@dataclass
class Figure:
    """All rows, the operation's boundaries (ns since base) and what the caption needs.

    asker: the thread that wanted the data.
    helper: the other thread that is drawn, at the right edge; helper_reads: whether it received the data.
    asleep_in_submission: the call that should only have asked for the data, but slept.
    aways: the times without a CPU that have rows of their own.
    moved: whether the data was moved, and not copied to user space.
    notes: what the rows do not say by themselves.
    drawn: the report's `figure`.
    """

    rows: list[Row]
    operation: Result
    drawn: Result
    times: dict[str, int | None]
    estimated: set[str]
    asker: int | None
    steps: list[Step]
    helper: int | None = None
    helper_reads: bool = False
    asleep_in_submission: str | None = None
    moved: bool = False
    aways: list[Step] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def model(self) -> str:
        """The operation's model as the report names it; empty where it names none."""
        return self.drawn.get("model") or ""

    @property
    def copy_name(self) -> str:
        """What the phase `copy` is called here."""
        told = {"how": self.operation.get("how"), "estimated": self.estimated}
        return phase_names.copy_name_of(told, self.moved)

    def name_of(self, phase: str) -> str:
        """What a phase is called here."""
        return phase_names.shown(phase, self.copy_name)

    @property
    def send(self) -> Step | None:
        """The sender's call that is drawn."""
        return next((step for step in self.steps if step["kind"] == "send"), None)

    @property
    def finds_completion(self) -> bool:
        """Whether no call told of io_uring's completion: the program reads it from the ring."""
        told = self.times.get("done") != self.times.get("copy_end")
        return self.model == "io-uring" and "done" in self.estimated and not told

    def index_of(self, boundary: str) -> int | None:
        """The index of the row that stands for `boundary`."""
        return next((index for index, row in enumerate(self.rows) if boundary in row.marks), None)

    def between(self, begin: str, end: str) -> int | None:
        """Nanoseconds between two boundaries, None where one is unknown."""
        first, last = self.times.get(begin), self.times.get(end)
        return None if first is None or last is None else last - first

    def took(self, phase: str) -> int | None:
        """Nanoseconds of a phase, None where a boundary is unknown; waits inside the copy are none of it."""
        between = self.between(*PHASE_SPANS[phase])
        inside = self.waited_inside() if phase == "copy" else 0
        return None if between is None else between - inside

    def waited_inside(self) -> int:
        """Nanoseconds of the copy in which the thread waited for more."""
        waits = self.operation.get("waits_inside") or []
        return sum(wait["to_ns"] - wait["from_ns"] for wait in waits)

    def is_estimated(self, begin: str, end: str) -> bool:
        """Whether one of the two boundaries is estimated."""
        return bool({begin, end} & self.estimated)

    def is_helper(self, tid: int | None) -> bool:
        """Whether a step of this thread is drawn at the right edge."""
        return self.helper is not None and tid is not None and tid != self.asker

    def insert(self, index: int, phase: str) -> None:
        """A row with no event before position `index`, for a bracket that needs room."""
        sign = " ·" if phase in ("wait", "notice") else " ↓"
        self.rows.insert(index, Row(None, kernel=sign, kernel_style="dim"))

    def settle(self) -> None:
        """Fills the time column, once all rows are there."""
        previous = None
        for row in self.rows:
            if row.time_ns is None:
                row.bound = previous
                continue
            row.when = "0" if previous is None else "+" + duration(row.time_ns - previous)
            previous = row.time_ns
