"""Tests of claims on this kernel: the runs that they need are made in interleaved rounds, recorded and judged."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, partial
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Literal, cast

from scenarios.kit import transport
from scenarios.kit.options import Options
from tracer import __version__, text
from tracer.bpf import RING_BYTES
from tracer.capture.host import host
from tracer.claims.claim import Claim, Judgement, Verdict, Wanted
from tracer.claims.trace_view import TraceView
from tracer.kernel.features import Features
from tracer.recording import parquet
from tracer.report.contract import Host, JudgedClaim, Ledger, LedgerSum, Verification
from tracer.run import interleave, twin
from tracer.run import scenario as experiment
from tracer.run.interleave import Run, Turn

SCHEMA: Literal[1] = 1
ROUNDS = (
    5  # of fewer, two runs of the same thing part by chance more often than once in a hundred times
)
_TIMEOUT_S = 120  # an emulated machine takes long to start an interpreter


@dataclass
class RunResults:
    """The results of runs. recorded: one recording for each round; cannot: what this machine lacks for a run; failed:
    how a run failed; interrupted: whether the user ended it, with these runs made."""

    recorded: dict[Wanted, list[Path]] = field(default_factory=dict)
    cannot: dict[Wanted, str] = field(default_factory=dict)
    failed: dict[Wanted, str] = field(default_factory=dict)
    interrupted: bool = False

    def lang(self, wanted: Wanted) -> str:
        """The language of the program that ran."""
        paths = self.recorded[wanted]
        if not paths:
            return "python" if _is_python(wanted) else "c"
        return str(parquet.read_facts(str(paths[0]))["options"].get("lang", "python"))

    def reason(self, wanted: Wanted) -> str | None:
        """Why a run is of no use; None if it is."""
        missed = "interrupted before it was made" if not self.recorded[wanted] else None
        return self.failed.get(wanted) or self.cannot.get(wanted) or missed


def runs_of(claims: Iterable[Claim]) -> list[Wanted]:
    """All runs that the claims need, each once."""
    return list(dict.fromkeys(wanted for claim in claims for wanted in claim.runs.values()))


def rounds_of(wanted: Wanted) -> int:
    """How often a run is made."""
    return ROUNDS if wanted.compared else 1


def run(
    wanted_runs: Sequence[Wanted],
    features: Features,
    directory: Path,
    user: tuple[int, int] | None,
    progress: Callable[[int, str], None],
) -> RunResults:
    """Makes every run, recorded into `directory` as `user` (uid, gid). Rounds are interleaved, so that other load on
    the machine affects all runs that are compared. progress: called before each run with the number of runs made and
    the program. Ctrl-C, and any signal that ends iotrace, ends it with the runs that were made.

    Raises CannotTrace, OSError.
    """
    made = RunResults({wanted: [] for wanted in wanted_runs})
    plans = _plans(wanted_runs, user, made)
    able, left_out = list(plans), set[int]()

    @contextlib.contextmanager
    def place(turn: Turn) -> Iterator[tuple[str, Callable[[], None]]]:
        path = directory / f"{_stem(able[turn.plan])}-{turn.round + 1}.parquet"
        try:
            yield str(path), lambda: None
        finally:
            if path not in made.recorded[able[turn.plan]]:
                path.unlink(missing_ok=True)

    def say(turn: Turn) -> None:
        progress(turn.number, able[turn.plan].program)

    counts = [rounds_of(wanted) for wanted in able]
    runs = interleave.run(list(plans.values()), counts, features, place, say, left_out)
    try:
        for result in runs:
            _note(able[result.turn.plan], result, made)
            if made.reason(able[result.turn.plan]):
                left_out.add(result.turn.plan)
    except KeyboardInterrupt:
        made.interrupted = True
    return made


def _plans(
    wanted_runs: Iterable[Wanted], user: tuple[int, int] | None, made: RunResults
) -> dict[Wanted, experiment.ScenarioPlan]:
    """The plans of all runs that can be made here; why the others cannot goes into `made`."""
    plans = {}
    for wanted in wanted_runs:
        if not _has_room(wanted):
            made.cannot[wanted] = (
                f"no process may have {wanted.sockets} sockets open here (ulimit -H -n)"
            )
            continue
        try:
            plans[wanted] = _plan(wanted, user)
        except twin.CannotBuild as error:
            made.cannot[wanted] = str(error)
    return plans


def _note(wanted: Wanted, result: Run, made: RunResults) -> None:
    """Adds the result of one run to `made`."""
    if isinstance(result.error, experiment.CannotRun):
        made.cannot[wanted] = str(result.error)
    elif result.path is None:
        made.failed[wanted] = str(result.error)
    else:
        ledger = parquet.read_facts(result.path)["ledger"]
        if ledger["lost"] or not ledger["balanced"]:
            made.failed[wanted] = f"of {wanted.program} {ledger['lost']} events were lost"
        else:
            made.recorded[wanted].append(Path(result.path))


def _has_room(wanted: Wanted) -> bool:
    """Whether a process may have as many descriptors open as the run needs."""
    return transport.make_room(transport.descriptors_of(wanted.proto, wanted.sockets))


def _plan(wanted: Wanted, user: tuple[int, int] | None) -> experiment.ScenarioPlan:
    lang, program = _program(wanted, user)
    return experiment.ScenarioPlan(
        wanted.program,
        lang,
        program,
        _options(wanted),
        _TIMEOUT_S,
        user,
        RING_BYTES,
        measure_cost=False,
    )


def _program(wanted: Wanted, user: tuple[int, int] | None) -> tuple[str, tuple[str, ...]]:
    """(language, command) of the program to run; raises CannotBuild where it is there in C alone."""
    source = _twin(wanted)
    if source.exists():
        try:
            return "c", (str(twin.built_as(source, user)),)
        except twin.CannotBuild:
            if not _is_python(wanted):
                raise
    return "python", (sys.executable, "-m", f"scenarios.{wanted.program}")


def _twin(wanted: Wanted) -> Path:
    """Where the program is in C, if it is."""
    return twin.SOURCES / f"{wanted.program.replace('.', '/')}.c"


@cache
def _is_python(wanted: Wanted) -> bool:
    """Whether the program is there in Python."""
    return find_spec(f"scenarios.{wanted.program}") is not None


def report(
    claims: Sequence[Claim], made: RunResults, features: dict[str, str], kept: str | None = None
) -> Verification:
    """The verdicts as in docs/json.md. features: where the evidence for each boundary comes from; kept: the directory
    in which the recordings stay, None if they are deleted."""
    seen = {
        wanted: [_seen(path) for path in paths]
        for wanted, paths in made.recorded.items()
        if not made.reason(wanted)
    }
    judged = [_judged(claim, seen, made, kept) for claim in claims]
    if made.interrupted:
        judged = [claim for claim in judged if claim["evidence"]]
    return {
        "schema": SCHEMA,
        "version": __version__,
        "host": cast("Host", host()),
        "rounds": ROUNDS,
        "features": features,
        "claims": judged,
        "verdicts": {
            verdict.value: sum(entry["verdict"] == verdict for entry in judged)
            for verdict in Verdict
        },
        "failed": sorted(set(made.failed.values())),
        "ledger": _ledger(path for paths in made.recorded.values() for path in paths),
        "interrupted": made.interrupted,
    }


def _ledger(paths: Iterable[Path]) -> LedgerSum:
    """The sums of the ledgers of all recordings; missed: None if one recording does not know it."""
    ledgers: list[Ledger] = [parquet.read_facts(str(path))["ledger"] for path in paths]
    missed = [ledger["missed"] for ledger in ledgers]
    return {
        "counted": sum(ledger["counted"] or 0 for ledger in ledgers),
        "delivered": sum(ledger["delivered"] for ledger in ledgers),
        "lost": sum(ledger["lost"] or 0 for ledger in ledgers),
        "missed": None if None in missed else sum(filter(None, missed)),
    }


def _judged(
    claim: Claim, seen: dict[Wanted, list[TraceView]], made: RunResults, kept: str | None
) -> JudgedClaim:
    lacking = {name: why for name, wanted in claim.runs.items() if (why := made.reason(wanted))}
    needed = [why for name, why in lacking.items() if name not in claim.optional]
    if needed:
        judgement = Judgement(Verdict.UNTESTED, "", "; ".join(dict.fromkeys(needed)))
    else:
        judgement = claim.verdict(
            {name: seen[wanted] for name, wanted in claim.runs.items() if wanted in seen}
        )
    return {
        "number": claim.number,
        "name": claim.name,
        "claim": claim.sentence,
        "source": claim.source,
        "verdict": judgement.verdict.value,
        "evidence": judgement.evidence,
        "qualification": judgement.qualification or None,
        "without": lacking,
        "runs": [
            {
                "name": name,
                "program": wanted.program,
                "command": command(wanted, made.lang(wanted)),
                "rounds": len(made.recorded[wanted]),
                "recordings": [
                    text.shown(str(Path(kept, path.name))) for path in made.recorded[wanted] if kept
                ],
            }
            for name, wanted in claim.runs.items()
        ],
    }


def judge(claim: Claim, recordings: Mapping[str, Sequence[str]]) -> Judgement:
    """The verdict on a claim from recordings (paths) by the names of its runs; raises RecordingError."""
    seen = {path: _seen(path) for paths in recordings.values() for path in paths}
    return claim.verdict(
        {name: [seen[path] for path in paths] for name, paths in recordings.items()}
    )


def _seen(path: str | Path) -> TraceView:
    return TraceView(partial(parquet.columns, str(path)), parquet.read_facts(str(path)))


def command(wanted: Wanted, lang: str) -> str:
    """The command line that makes this run alone; options at their default are left out."""
    options, default = _options(wanted), Options()
    messages = [f"--messages {options.messages}"] * (options.messages != default.messages)
    if wanted.is_trial:
        pace = [f"--interval-ns {options.interval_ns}"] * (
            options.interval_ns != default.interval_ns
        )
        program = f"{sys.executable} -m scenarios.{wanted.program}"
        if lang == "c":
            place = wanted.program.replace(".", "/")
            program = f"$({sys.executable} -m tracer.run.twin {place})"
        return " ".join(["iotrace trace --", program, *messages, *pace])
    module = _module(wanted)
    words = [f"iotrace run {module.NAME}", *messages]
    words += [f"--interval {options.interval_ns / 1e6:g}ms"] * (
        options.interval_ns != default.interval_ns
    )
    words += [f"--proto {options.proto}"] * (options.proto != module.PROTOCOLS[0])
    words += [f"--sockets {options.sockets}"] * (
        options.sockets != getattr(module, "SOCKETS_DEFAULT", default.sockets)
    )
    return " ".join(words + ["--open-loop"] * options.open_loop + ["--lang c"] * (lang == "c"))


def _module(wanted: Wanted) -> ModuleType:
    return import_module(f"scenarios.{wanted.program}")


def _options(wanted: Wanted) -> Options:
    return Options(
        wanted.messages,
        wanted.interval_ns,
        wanted.size,
        wanted.proto,
        wanted.open_loop,
        wanted.sockets,
    )


def _stem(wanted: Wanted) -> str:
    """The name of a file, different for different runs."""
    words = [
        wanted.program.removeprefix("trials.").replace("_", "-"),
        f"{wanted.interval_ns / 1e6:g}ms",
    ]
    words += [f"{wanted.sockets}-sockets"] * (wanted.sockets > 1) + ["open"] * wanted.open_loop
    return "-".join(words)
