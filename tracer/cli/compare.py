"""`iotrace compare`: several scenarios under one message schedule, each run several times, in turns, side by side."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from contextlib import AbstractContextManager, closing
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias, cast

import click

import scenarios
from tracer.bpf import RING_BYTES
from tracer.cli import epilog, files, progress, show
from tracer.cli.errors import Command
from tracer.cli.params import Scenario, gathered, output_options
from tracer.cli.run import refuse_descriptors, refuse_protocol, refuse_size, refuse_sockets
from tracer.cli.show import Wanted
from tracer.cli.workload import CPUS, LIMITS, SCHEDULE, Workload
from tracer.errors import CANNOT, USAGE, IotraceError
from tracer.output.format import Kind

if TYPE_CHECKING:
    from tracer.kernel.features import Features
    from tracer.report import contract
    from tracer.run.interleave import Run, Turn
    from tracer.run.scenario import ScenarioPlan

ORDER = 2.5
_EPILOG = epilog.epilog(
    epilog.COMPARES,
    (
        "iotrace compare",
        "iotrace compare select poll epoll-lt --sockets 100",
        "iotrace compare blocking io-uring --rounds 10 --svg models.svg",
    ),
)
DEFAULT = (
    "blocking",
    "nonblocking",
    "select",
    "poll",
    "epoll-lt",
    "signal",
    "posix-aio",
    "io-uring",
)
Lang: TypeAlias = Literal["python", "c"]
Name: TypeAlias = tuple[str, Lang]  # (scenario, language)
_LANGS: dict[str, tuple[Lang, ...]] = {"c": ("c",), "python": ("python",), "both": ("c", "python")}
Unavailable: TypeAlias = list[tuple[Name, str]]  # (program that cannot be compared, reason)


@dataclass(frozen=True)
class Asked(Workload):
    """What each run is to be, beside what is sent, and how many there are."""

    langs: tuple[Literal["python", "c", "both"], ...]
    rounds: int
    proto: Literal["udp", "tcp", "unix", "pipe"]
    output: str | None

    @property
    def languages(self) -> tuple[Lang, ...]:
        """Those that were asked for, each once; none: the default."""
        said = (lang for word in self.langs for lang in _LANGS[word])
        return tuple(dict.fromkeys(said))

    def options(self) -> contract.CompareOptions:
        """What was asked, for the report."""
        return {
            "messages": self.messages,
            "interval_ns": self.interval,
            "size": self.size,
            "proto": self.proto,
            "sockets": self.sockets,
            "rounds": self.rounds,
            "pin": list(self.pin) if self.pin else None,
            "keep_awake": self.keep_awake,
        }


@dataclass
class Field:
    """Who is compared: the plans of those that can be run, their names, and those that cannot."""

    plans: list[ScenarioPlan]
    able: list[Name]
    unavailable: Unavailable


@dataclass
class Measured:
    """The runs' measures: (place in the field, what tracer.report.comparison says of it, where it is kept), in their
    order. interrupted: whether the user ended them before all were made."""

    runs: list[tuple[int, contract.Measured, str | None]] = dataclass_field(default_factory=list)
    interrupted: bool = False

    @property
    def lost(self) -> int:
        return sum(measures["lost"] for _, measures, _ in self.runs)

    def whole_rounds(self, able: Iterable[int]) -> None:
        """Leaves the runs of the rounds in which each that was able (its place in the field) has run: only they met
        the same disturbances."""
        made = Counter(place for place, _, _ in self.runs)
        whole = min((made[place] for place in able), default=0)
        seen: Counter[int] = Counter()
        for run in list(self.runs):
            seen[run[0]] += 1
            if seen[run[0]] > whole:
                self.runs.remove(run)


compare_options = gathered(
    "asked",
    Asked,
    (
        click.option(
            "--lang",
            "langs",
            type=click.Choice(["python", "c", "both"]),
            multiple=True,
            help="The programs' twins in C, the programs in Python, or both side by side. C is the default, where "
            "there is a compiler.",
        ),
        click.option(
            "--rounds",
            type=click.IntRange(3, 100),
            default=8,
            show_default=True,
            help="How often each is run.",
        ),
        *SCHEDULE,
        click.option(
            "--proto",
            type=click.Choice(["udp", "tcp", "unix", "pipe"]),
            default="udp",
            show_default=True,
            help="What the messages travel through.",
        ),
        *CPUS,
        click.option(
            "-o",
            "--output",
            type=click.Path(file_okay=False),
            help="Keep the recordings in this directory.",
        ),
        *LIMITS,
    ),
)


@click.command("compare", cls=Command, epilog=_EPILOG)
@click.argument("chosen", metavar="[SCENARIO]...", type=Scenario(), nargs=-1)
@compare_options
@output_options(Kind.COMPARISON)
def command(chosen: tuple[scenarios.Scenario, ...], asked: Asked, wanted: Wanted) -> None:
    """Run each SCENARIO several times under one message schedule, in turns, and compare what they cost.

    By default one for each model: blocking, nonblocking, select, poll, epoll-lt, signal, posix-aio and io-uring, as
    their twins in C, so that no interpreter's time is in what is compared.
    linux-aio is not among them: it reads a file, and not what the others receive.
    Ctrl-C ends the runs; the rounds that are whole by then are compared and shown, and the status is 1.
    """
    from tracer.capture import spawn
    from tracer.kernel import features

    able, unavailable = _contenders(chosen or [scenarios.find(name) for name in DEFAULT], asked)
    refuse_size(asked.proto, asked.size)
    kernel = features.find()
    user = None if asked.as_root else spawn.invoking_user()
    kept = files.directory(asked.output, user)
    field = _field(able, unavailable, asked, user)
    measured = _measured(field, asked, kernel, kept, user)
    result = _comparison(measured, field, asked)
    show.show(Kind.COMPARISON, lambda: result, wanted)
    if measured.interrupted:
        raise KeyboardInterrupt
    wanted.refuse_lost(measured.lost)


def _contenders(
    chosen: Iterable[scenarios.Scenario], asked: Asked
) -> tuple[list[tuple[scenarios.Scenario, Lang]], Unavailable]:
    """(scenario and language of each that can be compared, the others); raises IotraceError."""
    able: list[tuple[scenarios.Scenario, Lang]] = []
    unavailable: Unavailable = []
    default = _default_lang()
    for scenario in dict.fromkeys(chosen):
        refuse_protocol(scenario, asked.proto)
        refuse_sockets(scenario, asked.sockets or 0)
        for lang in asked.languages or (default if scenario.twin else "python",):
            if lang in scenario.languages:
                able.append((scenario, lang))
            else:
                unavailable.append(((scenario.name, lang), "it has no twin in C"))
    if not able:
        raise IotraceError("none of these has a twin in C", USAGE)
    return able, unavailable


def _default_lang() -> Lang:
    """C, in which no interpreter's time is in what is compared; Python where nothing can be compiled."""
    from tracer.run import twin

    return "c" if twin.compiler() else "python"


def _field(
    contenders: list[tuple[scenarios.Scenario, Lang]],
    unavailable: Unavailable,
    asked: Asked,
    user: files.User | None,
) -> Field:
    """Plans of those whose programs can be had; raises IotraceError."""
    from scenarios.kit.options import Options
    from tracer.run import scenario as experiment
    from tracer.run.twin import CannotBuild

    field = Field([], [], unavailable)
    for scenario, lang in contenders:
        watched = asked.sockets or scenario.sockets_default
        refuse_descriptors(asked.proto, watched)
        options = Options(asked.messages, asked.interval, asked.size, asked.proto, False, watched)
        try:
            program = experiment.program(scenario, lang, user)
        except CannotBuild as error:
            field.unavailable.append(((scenario.name, lang), str(error)))
            if asked.languages:
                continue
            lang = "python"  # C was not asked for
            program = experiment.program(scenario, lang, user)
        name = (scenario.name, lang)
        field.plans.append(
            experiment.ScenarioPlan(
                *name,
                program,
                options,
                asked.limit,
                user,
                RING_BYTES,
                measure_cost=False,
                cpus=experiment.Cpus(asked.pin, asked.keep_awake),
            )
        )
        field.able.append(name)
    return field


def _measured(
    field: Field, asked: Asked, kernel: Features, kept: Path | None, user: files.User | None
) -> Measured:
    """All runs made, in turns, and measured; those that this machine cannot run go to the field's unavailable. Ctrl-C
    ends it with the whole rounds that were made; raises KeyboardInterrupt where none was."""
    from tracer.capture.interrupts import interrupting
    from tracer.run import interleave

    def place(turn: Turn) -> AbstractContextManager[tuple[str, files.Keep]]:
        name = f"{'-'.join(field.able[turn.plan])}-{turn.round + 1}.parquet"
        return files.recorded(str(kept / name) if kept else None, user)

    made = Measured()
    counts = [asked.rounds] * len(field.plans)
    with interrupting(), progress.of_runs(sum(counts)) as told:

        def say(turn: Turn) -> None:
            name, lang = field.able[turn.plan]
            told(turn.number, f"{name} ({lang}), round {turn.round + 1}")

        try:
            with closing(interleave.run(field.plans, counts, kernel, place, say)) as runs:
                _measure_each(runs, field, kept, made)
        except KeyboardInterrupt:
            made.interrupted = True
            unable = {name for name, _ in field.unavailable}
            made.whole_rounds(at for at, name in enumerate(field.able) if name not in unable)
            if not made.runs:
                raise
    if not made.runs:
        raise IotraceError("; ".join(why for _, why in field.unavailable), CANNOT)
    return made


def _measure_each(runs: Iterable[Run], field: Field, kept: Path | None, made: Measured) -> None:
    """Adds what each run says to `made`, as it is made."""
    for run in runs:
        name = field.able[run.turn.plan]
        if run.path is None:
            field.unavailable.append((name, _unable(run, name)))
            continue
        file = f"{'-'.join(name)}-{run.turn.round + 1}.parquet"
        made.runs.append((run.turn.plan, _measures(run, name), str(kept / file) if kept else None))


def _unable(run: Run, name: Name) -> str:
    """Why this machine cannot run a plan; raises what the run failed with otherwise."""
    from tracer.run.interleave import TracingFailed
    from tracer.run.scenario import CannotRun

    assert run.error is not None
    if isinstance(run.error, TracingFailed):
        raise IotraceError(f"{name[0]}: {run.error}") from run.error
    if not isinstance(run.error, CannotRun):
        raise run.error
    return str(run.error)


def _measures(run: Run, name: Name) -> contract.Measured:
    """What a run's recording says; raises IotraceError."""
    from tracer.recording import parquet
    from tracer.report import build, comparison

    assert run.path is not None
    try:
        facts = parquet.read_facts(run.path)
        report = build.build(partial(parquet.columns, run.path), facts)
        return comparison.measured(report)
    except (parquet.RecordingError, comparison.NothingReceived) as error:
        raise IotraceError(f"{'-'.join(name)}: {error}") from error


def _comparison(measured: Measured, field: Field, asked: Asked) -> contract.Comparison:
    """The comparison as docs/json.md has it."""
    from tracer.capture.host import host
    from tracer.report import comparison

    everyone = field.able + [name for name, _ in field.unavailable if name not in field.able]
    return comparison.comparison(
        everyone,
        measured.runs,
        [(everyone.index(name), why) for name, why in field.unavailable],
        {
            "host": cast("contract.Host", host()),
            "options": asked.options(),
            "interrupted": measured.interrupted,
        },
    )
