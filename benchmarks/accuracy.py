"""Figures of accuracy: how far a trace's boundaries lie from a program's own clock, and what tracing does to the time
that a message takes from its sender to its receiver.

The receivers are C programs of each I/O model (stamps.c), the sender is never traced (paced.c).
"""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import contenders as field
import numpy as np
import stamped
from calls import Setting
from rounds import Failed, Noisy, interleave, median
from table import goal, render

from tracer.recording import parquet
from tracer.report import build

MODELS = ("blocking", "nonblocking", "select", "poll", "epoll", "signal", "posix-aio", "io-uring")
PROGRAMS = tuple(
    f"tracepoint_{name}"
    for name in (
        "sys_enter",
        "sys_exit",
        "sk_data_ready",
        "sched_waking",
        "sched_switch",
        "signal_generate",
    )
)
_INTERVAL_NS = 2_000_000
_DISTANCES = {"done": "user − done", "ask": "ask − user", "ready": "ready − arrival"}
_SURE = 0.95
_MOST_DELAYED_NS = 100_000  # a message, while others had the receiver's CPU: or the run is repeated
_RESAMPLES = 9999
_WITHOUT = "untraced"


def accuracy(setting: Setting) -> dict[str, Any]:
    """The distances of the boundaries from the receiver's own stamps and from the kernel's (SO_TIMESTAMPNS)."""
    tracer = field.Iotrace(setting.room, setting.tracer_cpu)
    models = {}
    for model in _models(setting):
        setting.say(f"{model}:")
        runs = interleave(
            [tracer], partial(traced_distances, setting, model), _rounds(setting), setting.say
        ).get(tracer.name)
        if runs:
            models[model] = _figure(runs)
    rows = [
        [model, f"{its['messages']:,}", *(_with_interval(its[key]) for key in _DISTANCES)]
        for model, its in models.items()
    ]
    early = sum(its["early"] for its in models.values())
    return {
        "models": models,
        "goals": [goal("accuracy: boundaries on the wrong side of a clock", early, 0)],
        "table": render(
            "Boundaries and independent clocks (ns; medians, 95 % intervals over runs)",
            ["", "messages", *_DISTANCES.values()],
            rows,
        ),
    }


def perturbation(setting: Setting) -> dict[str, Any]:
    """From just before a send to just after the receive, traced and untraced in turns."""
    contenders = [
        kind(setting.room, setting.tracer_cpu) for kind in (field.Contender, field.Iotrace)
    ]
    models = {}
    for model in _models(setting):
        setting.say(f"{model}:")
        runs = interleave(
            contenders, partial(_median_latency, setting, model), _rounds(setting), setting.say
        )
        if len(runs) == len(contenders):
            models[model] = compared(runs[_WITHOUT], runs[field.Iotrace.name])
    rows = [
        [
            model,
            *(f"{its[key]:,.0f}" for key in ("untraced_ns", "traced_ns")),
            _with_interval(its["added_ns"]),
            _with_interval(its["ratio"], "{:.2f}"),
        ]
        for model, its in models.items()
    ]
    return {
        "models": models,
        "goals": [],
        "table": render(
            f"Sent to received ({_rounds(setting)} runs each, in turns; ns, medians; 95 % intervals over pairs)",
            ["", "untraced", "traced", "added", "ratio"],
            rows,
        ),
    }


def programs(setting: Setting) -> dict[str, Any]:
    """How long each BPF program runs, as the kernel counts it, in runs of each model. Those of calls and of the
    scheduler run for every thread of the machine; only readiness is the receiver's alone."""
    tracer = field.IotraceCounted(setting.room, setting.tracer_cpu)

    def measure(model: str, tracer: field.Contender) -> dict[str, float]:
        _run(setting, model, tracer)
        return {name: ns / runs for name, (ns, runs) in tracer.facts()["programs"].items()}

    models: dict[str, dict[str, dict[str, float]]] = {}
    for model in _models(setting):
        setting.say(f"{model}:")
        runs = interleave([tracer], partial(measure, model), 3, setting.say)
        for name in PROGRAMS if runs else ():
            having = [run[name] for run in runs[tracer.name] if name in run]
            models.setdefault(model, {})[name] = median(having) if having else {}
    rows = [
        [model, *(f"{its['median']:,.0f}" if its else "–" for its in figures.values())]
        for model, figures in models.items()
    ]
    return {
        "models": models,
        "goals": [],
        "table": render(
            "One run of a BPF program (ns, the kernel's own count; medians of runs)",
            ["", *(name.removeprefix("tracepoint_") for name in PROGRAMS)],
            rows,
        ),
    }


def compared(untraced: Sequence[float], traced: Sequence[float]) -> dict[str, Any]:
    """Medians of pairs of runs (ns), with what tracing added and the ratio, each {median, low, high}."""
    without, under = np.array(untraced), np.array(traced)
    return {
        "untraced_ns": float(np.median(without)),
        "traced_ns": float(np.median(under)),
        "added_ns": interval(under - without),
        "ratio": interval(under / without),
        "rounds": [[*pair] for pair in zip(untraced, traced, strict=True)],
    }


def interval(values: np.ndarray) -> dict[str, float]:
    """{median, low, high}: the median of what was measured in each run, or pair of runs, and where it lies by the
    bootstrap (scipy.stats.bootstrap, percentiles: of few values the accelerated kind gives no answer). Of one value, or
    of equal ones, there is no interval but that value."""
    from scipy.stats import bootstrap  # takes long to import

    middle = float(np.median(values))
    if len(values) < 2 or np.ptp(values) == 0:
        return {"median": middle, "low": middle, "high": middle}
    found = bootstrap(
        (values,),
        np.median,
        confidence_level=_SURE,
        n_resamples=_RESAMPLES,
        method="percentile",
        rng=np.random.default_rng(1),
    ).confidence_interval
    return {"median": middle, "low": float(found.low), "high": float(found.high)}


def _models(setting: Setting) -> tuple[str, ...]:
    return ("blocking", "epoll", "posix-aio") if setting.quick else MODELS


def _rounds(setting: Setting) -> int:
    return 3 if setting.quick else max(11, setting.rounds)


def messages(setting: Setting) -> int:
    """How many are sent in each run; the first ones (stamped.WARM_UP) are left out."""
    return stamped.WARM_UP + (50 if setting.quick else 200)


def _figure(runs: list[dict[str, np.ndarray]]) -> dict[str, Any]:
    """Each distance's {median, low, high} over the runs' medians, and its least; None where no run has it. early: how
    many values were negative. messages: how many had a stamp."""
    figure: dict[str, Any] = {}
    for key in _DISTANCES:
        having = [run[key] for run in runs if len(run[key])]
        figure[key] = having and interval(np.array([np.median(its) for its in having])) | {
            "least": int(min(its.min() for its in having)),
            "messages": sum(map(len, having)),
        }
    figure["early"] = int(sum((its < 0).sum() for run in runs for its in run.values()))
    figure["messages"] = sum(len(run["done"]) for run in runs)
    return figure


def _with_interval(figure: dict[str, float] | None, form: str = "{:,.0f}") -> str:
    if not figure:
        return "–"
    return "{} ({} to {})".format(*(form.format(figure[key]) for key in ("median", "low", "high")))


def traced_distances(
    setting: Setting, model: str, tracer: field.Contender
) -> dict[str, np.ndarray]:
    """What stamped.distances gives of one run of a model's receiver; raises Failed."""
    run = _run(setting, model, tracer)
    assert isinstance(tracer, field.Iotrace)
    path = str(tracer.recording)
    report = build.build(partial(parquet.columns, path), parquet.read_facts(path))
    try:
        return stamped.distances(
            run, report["operations"], report["base_ns"], asks=model != "signal"
        )
    except ValueError as error:
        raise Failed(f"{model}: {error}") from None


def _median_latency(setting: Setting, model: str, contender: field.Contender) -> float:
    run = _run(setting, model, contender)
    latency = float(np.median((run.received - run.sent)[stamped.WARM_UP :]))
    if run.delayed > _MOST_DELAYED_NS * len(run.sent):
        raise Noisy(latency)
    return latency


def _run(setting: Setting, model: str, contender: field.Contender) -> stamped.Stamped:
    """One run of the receiver under a contender, with its sender on the tracer's CPU; raises Failed."""
    count = messages(setting)
    with _page() as page:
        receive = [str(setting.room / "stamps"), str(setting.load_cpu), page, str(count), model]
        send = [str(setting.room / "paced"), str(setting.tracer_cpu), page]
        with subprocess.Popen([*send, str(count), str(_INTERVAL_NS)]) as sender:
            try:
                with contender.running(receive) as process:
                    assert process.stdout, "it has a pipe"
                    lines = process.stdout.read().splitlines()
            finally:
                sender.kill()  # has sent all, or its receiver is gone
    try:
        run = stamped.Stamped.parse(lines)
    except (ValueError, TypeError):
        raise Failed(f"{model} did not run under it") from None
    if len(run.sent) != count:
        raise Failed(f"{model}: {len(run.sent)} of {count} messages")
    return run


@contextlib.contextmanager
def _page() -> Iterator[str]:
    """The name of a page of zeros in memory, which lasts as long as the context."""
    fd = os.memfd_create("page")
    try:
        os.ftruncate(fd, os.sysconf("SC_PAGESIZE"))
        yield f"/proc/{os.getpid()}/fd/{fd}"
    finally:
        os.close(fd)
