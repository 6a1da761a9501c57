"""Claims put to the test on this kernel: what they want is run in interleaved rounds, recorded and judged."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Literal, cast

import scenarios
from scenarios.kit import transport
from scenarios.kit.options import Options
from tracer import __version__
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
ROUNDS = 3
_TIMEOUT_S = 120  # an emulated machine takes long to start an interpreter


@dataclass
class RunResults:
    """What came of the runs: recordings, a round each; what this machine lacks for one; how one failed."""

    recorded: dict[Wanted, list[Path]] = field(default_factory=dict)
    cannot: dict[Wanted, str] = field(default_factory=dict)
    failed: dict[Wanted, str] = field(default_factory=dict)

    def lang(self, wanted: Wanted) -> str:
        """The language of the program that ran."""
        paths = self.recorded[wanted]
        return (
            parquet.read_facts(str(paths[0]))["options"].get("lang", "python")
            if paths
            else "python"
        )

    def reason(self, wanted: Wanted) -> str | None:
        """Why a run says nothing; None where it does."""
        return self.failed.get(wanted) or self.cannot.get(wanted)


def runs_of(claims: Iterable[Claim]) -> list[Wanted]:
    """All that they want, each once."""
    return list(dict.fromkeys(its for claim in claims for its in claim.runs.values()))


def rounds_of(wanted: Wanted) -> int:
    """How often a run is made."""
    return ROUNDS if wanted.compared else 1


def run(
    wanted: Sequence[Wanted],
    features: Features,
    directory: Path,
    user: tuple[int, int] | None,
    progress: Callable[[int, str], None],
) -> RunResults:
    """Every run, recorded into `directory` as `user` (uid, gid), in turns, so that what comes over the machine for a
    while meets all that are compared. progress: called before each with how many were made and its program.

    Raises KeyboardInterrupt (for any signal that ends iotrace), CannotTrace, OSError.
    """
    made = RunResults({its: [] for its in wanted})
    plans = [_plan(its, user) for its in wanted]
    left_out = set()
    for index, its in enumerate(wanted):
        if not _has_room(its):
            made.cannot[its] = f"no process may have {its.sockets} sockets open here (ulimit -H -n)"
            left_out.add(index)

    @contextlib.contextmanager
    def place(turn: Turn) -> Iterator[tuple[str, Callable[[], None]]]:
        stem = _stem(wanted[turn.plan])
        yield str(directory / f"{stem}-{turn.round + 1}.parquet"), lambda: None

    def say(turn: Turn) -> None:
        progress(turn.number, wanted[turn.plan].program)

    counts = [rounds_of(its) for its in wanted]
    for result in interleave.run(plans, counts, features, place, say, left_out):
        _note(wanted[result.turn.plan], result, made)
        if made.reason(wanted[result.turn.plan]):
            left_out.add(result.turn.plan)
    return made


def _note(wanted: Wanted, result: Run, made: RunResults) -> None:
    """What came of one run goes to `made`."""
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
    """(language, command) of what is to run."""
    scenario = None if wanted.is_trial else scenarios.find(_module(wanted).NAME)
    if scenario and wanted.native and scenario.twin:
        with contextlib.suppress(twin.CannotBuild):
            return "c", experiment.program(scenario, "c", user)
    return "python", (sys.executable, "-m", f"scenarios.{wanted.program}")


def report(
    claims: Sequence[Claim], made: RunResults, features: dict[str, str], kept: str | None = None
) -> Verification:
    """The verdicts as docs/json.md has them; features: where each boundary's evidence comes from; kept: the directory
    in which the recordings will be found, None if they go away."""
    seen = {
        wanted: [_seen(path) for path in paths]
        for wanted, paths in made.recorded.items()
        if not made.reason(wanted)
    }
    judged = [_judged(claim, seen, made, kept) for claim in claims]
    return {
        "schema": SCHEMA,
        "version": __version__,
        "host": cast("Host", host()),
        "rounds": ROUNDS,
        "features": features,
        "claims": judged,
        "verdicts": {
            verdict.value: sum(its["verdict"] == verdict for its in judged) for verdict in Verdict
        },
        "failed": sorted(set(made.failed.values())),
        "ledger": _ledger(path for paths in made.recorded.values() for path in paths),
    }


def _ledger(paths: Iterable[Path]) -> LedgerSum:
    """The ledgers of the recordings, summed; missed: None where one does not know."""
    ledgers: list[Ledger] = [parquet.read_facts(str(path))["ledger"] for path in paths]
    missed = [ledger["missed"] for ledger in ledgers]
    return {
        "counted": sum(ledger["counted"] for ledger in ledgers),
        "delivered": sum(ledger["delivered"] for ledger in ledgers),
        "lost": sum(ledger["lost"] for ledger in ledgers),
        "missed": None if None in missed else sum(filter(None, missed)),
    }


def _judged(
    claim: Claim, seen: dict[Wanted, list[TraceView]], made: RunResults, kept: str | None
) -> JudgedClaim:
    lacking = {name: why for name, wanted in claim.runs.items() if (why := made.reason(wanted))}
    needed = [why for name, why in lacking.items() if name not in claim.optional]
    if needed:
        its = Judgement(Verdict.UNTESTED, "", "; ".join(dict.fromkeys(needed)))
    else:
        its = claim.verdict(
            {name: seen[wanted] for name, wanted in claim.runs.items() if wanted in seen}
        )
    return {
        "number": claim.number,
        "name": claim.name,
        "claim": claim.sentence,
        "source": claim.source,
        "verdict": its.verdict.value,
        "evidence": its.evidence,
        "qualification": its.qualification or None,
        "without": lacking,
        "runs": [
            {
                "name": name,
                "program": wanted.program,
                "command": command(wanted, made.lang(wanted)),
                "rounds": rounds_of(wanted),
                "recordings": [
                    str(Path(kept, path.name)) for path in made.recorded[wanted] if kept
                ],
            }
            for name, wanted in claim.runs.items()
        ],
    }


def judge(claim: Claim, recordings: Mapping[str, Sequence[str]]) -> Judgement:
    """The verdict on a claim from recordings (paths) by the names of its runs; raises RecordingError."""
    return claim.verdict(
        {name: [_seen(path) for path in paths] for name, paths in recordings.items()}
    )


def _seen(path: str | Path) -> TraceView:
    return TraceView(partial(parquet.columns, str(path)), parquet.read_facts(str(path)))


def command(wanted: Wanted, lang: str) -> str:
    """What to type to have this run alone; what is left out has the default that it should have."""
    options, default = _options(wanted), Options()
    messages = [f"--messages {options.messages}"] * (options.messages != default.messages)
    if wanted.is_trial:
        pace = [f"--interval-ns {options.interval_ns}"] * (
            options.interval_ns != default.interval_ns
        )
        return " ".join(
            ["iotrace trace --", sys.executable, f"-m scenarios.{wanted.program}", *messages, *pace]
        )
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
    """A file's name, another one for each run that differs."""
    words = [
        wanted.program.removeprefix("trials.").replace("_", "-"),
        f"{wanted.interval_ns / 1e6:g}ms",
    ]
    words += [f"{wanted.sockets}-sockets"] * (wanted.sockets > 1) + ["open"] * wanted.open_loop
    return "-".join(words)
