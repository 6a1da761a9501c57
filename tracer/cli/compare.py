"""`iotrace compare`: several scenarios under one message schedule, each run several times, in turns, side by side."""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import click

from tracer.cli.common import (
    MOST_TIMEOUT,
    Duration,
    Failure,
    Scenario,
    Seconds,
    drawing,
    put,
    recorded,
)
from tracer.errors import CANNOT, FAILED, LOST, USAGE

ORDER = 2.5
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


@click.command("compare")
@click.argument("chosen", metavar="[SCENARIO]...", type=Scenario(), nargs=-1)
@click.option(
    "--lang",
    "langs",
    type=click.Choice(["python", "c"]),
    multiple=True,
    help="The programs in Python (the default), or their twins in C; give both to see them side by side.",
)
@click.option(
    "--rounds",
    type=click.IntRange(3, 100),
    default=5,
    show_default=True,
    help="How often each is run.",
)
@click.option(
    "--messages",
    type=click.IntRange(1, 10**6),
    default=20,
    show_default=True,
    help="How many to send.",
)
@click.option(
    "--interval", type=Duration(), default="10ms", show_default=True, help="One every so long."
)
@click.option(
    "--size",
    type=click.IntRange(1, 1 << 20),
    default=64,
    show_default=True,
    help="Bytes in a message.",
)
@click.option(
    "--proto",
    type=click.Choice(["udp", "tcp", "unix", "pipe"]),
    default="udp",
    show_default=True,
    help="What the messages travel through.",
)
@click.option(
    "--sockets",
    type=click.IntRange(1),
    help="How many each is to watch; for select, poll, epoll-lt, threads.",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(file_okay=False),
    help="Keep the recordings in this directory.",
)
@click.option(
    "--timeout",
    type=Seconds(0, MOST_TIMEOUT, min_open=True),
    help="End a run after so many seconds.",
)
@click.option(
    "--as-root", is_flag=True, help="Run the scenarios as root, not as the user who called sudo."
)
@click.option(
    "--json", "as_json", is_flag=True, help="One JSON object on stdout, and nothing else."
)
@click.option("--ascii", "plain", is_flag=True, help="Draw with ASCII alone.")
@click.option("--strict", is_flag=True, help="Exit with status 4 if any event was lost.")
def command(
    chosen,
    langs,
    rounds,
    messages,
    interval,
    size,
    proto,
    sockets,
    output,
    timeout,
    as_root,
    as_json,
    plain,
    strict,
) -> None:
    """Run each SCENARIO several times under one message schedule, in turns, and compare what they cost.

    By default one for each model: blocking, nonblocking, select, poll, epoll-lt, signal, posix-aio and io-uring.
    linux-aio is not among them: it reads a file, and not what the others receive.
    """
    import scenarios
    from scenarios.kit import transport
    from scenarios.kit.twin import CannotBuild
    from scenarios.kit.options import Options
    from tracer.capture import spawn
    from tracer.capture.interrupts import interrupting
    from tracer.kernel import features
    from tracer.run import interleave as runner
    from tracer.run import scenario as experiment

    contenders, unavailable = _contenders(
        chosen or [scenarios.find(name) for name in DEFAULT], langs or ("python",), proto, sockets
    )
    if size > transport.MOST_SIZE.get(proto, size):
        raise Failure(
            f"a datagram ({proto}) holds at most {transport.MOST_SIZE[proto]} bytes", USAGE
        )
    try:
        found = features.find()
        user = None if as_root else spawn.invoking_user()
        kept = _directory(output, user)
        limit = timeout or 30 + 3 * messages * interval / 1e9
        plans, able = [], []
        for scenario, lang in contenders:
            watched = sockets or scenario.sockets_default
            if not transport.make_room(transport.descriptors_of(proto, watched)):
                raise Failure(
                    f"{watched} sockets are more than a process may have open here (ulimit -H -n)",
                    CANNOT,
                )
            options = Options(messages, interval, size, proto, False, watched)
            try:
                program = experiment.program(scenario, lang, user)
            except CannotBuild as error:
                unavailable.append(((scenario.name, lang), str(error)))
                continue
            plans.append(
                experiment.Plan(scenario.name, lang, program, options, limit, user, 16 << 20, False)
            )
            able.append((scenario.name, lang))

        def place(plan, number):
            name = f"{plan.scenario}-{plan.lang}-{number + 1}.parquet"
            return recorded(str(kept / name) if kept else None, user)

        with interrupting(), _progress(len(plans) * rounds) as say:
            measured = _measured(
                runner.run(plans, rounds, found, place, say), able, kept, unavailable
            )
    except (features.CannotTrace, experiment.NothingSeen) as error:
        raise Failure(str(error), CANNOT) from None
    except (experiment.RunFailed, OSError) as error:
        raise Failure(str(error), FAILED) from None
    except KeyboardInterrupt:
        raise Failure("interrupted", FAILED) from None
    _show(
        measured,
        able,
        unavailable,
        {
            "messages": messages,
            "interval_ns": interval,
            "size": size,
            "proto": proto,
            "sockets": sockets,
            "rounds": rounds,
        },
        as_json,
        plain,
    )
    lost = sum(its["lost"] for _, its, _ in measured)
    if strict and lost:
        raise Failure(f"{lost} events were lost", LOST)


def _contenders(chosen, langs, proto: str, sockets: int | None):
    """(scenario and language of each that can be compared, [((name, lang), why not)]); raises Failure."""
    from tracer.output.terminal.units import plural

    able, unavailable = [], []
    for scenario in dict.fromkeys(chosen):
        if proto not in scenario.protocols:
            raise Failure(
                f"{scenario.name} runs over {', '.join(scenario.protocols)}, not over {proto}",
                USAGE,
            )
        if sockets and sockets > scenario.sockets:
            raise Failure(
                f"{scenario.name} watches at most {plural(scenario.sockets, 'socket')}: "
                f"{scenario.sockets_why}",
                USAGE,
            )
        for lang in dict.fromkeys(langs):
            if lang in scenario.languages:
                able.append((scenario, lang))
            else:
                unavailable.append(((scenario.name, lang), "it has no twin in C"))
    if not able:
        raise Failure("none of these has a twin in C", USAGE)
    return able, unavailable


def _directory(output: str | None, user: tuple[int, int] | None) -> Path | None:
    """Where recordings are kept, made if need be, and `user`'s; raises OSError."""
    if output is None:
        return None
    path = Path(output)
    if not path.is_dir():
        path.mkdir()
        if user:
            os.chown(path, *user, follow_symlinks=False)
    return path


def _measured(runs, able, kept, unavailable) -> list[tuple[int, dict, str | None]]:
    """What each run's recording says; those that this machine cannot run go to `unavailable`. Raises Failure."""
    from tracer.recording import parquet
    from tracer.report import build as reports
    from tracer.report import comparison

    measured = []
    for run in runs:
        if run.path is None:
            unavailable.append((able[run.plan], run.why))
            continue
        name = "-".join(able[run.plan])
        try:
            report = reports.build(partial(parquet.columns, run.path), parquet.read_facts(run.path))
            its = comparison.measured(report)
        except (parquet.RecordingError, comparison.NothingReceived) as error:
            raise Failure(f"{name}: {error}", FAILED) from None
        measured.append(
            (run.plan, its, str(kept / f"{name}-{run.round + 1}.parquet") if kept else None)
        )
    if not measured:
        raise Failure("; ".join(why for _, why in unavailable), CANNOT)
    return measured


def _show(measured, able, unavailable, options: dict, as_json: bool, plain: bool) -> None:
    """The comparison on stdout."""
    import json

    from tracer.capture.host import host
    from tracer.output.terminal.compare import render
    from tracer.report import comparison

    everyone = able + [which for which, _ in unavailable if which not in able]
    result = comparison.comparison(
        everyone,
        measured,
        [(everyone.index(which), why) for which, why in unavailable],
        {"host": host(), "options": options},
    )
    if as_json:
        put(json.dumps(result) + "\n")
    elif sys.stdout:  # None where it was closed before we began
        put(render(result, **drawing(sys.stdout, plain)))


@contextmanager
def _progress(total: int):
    """Says on stderr which run of how many it is: on a terminal in one line, else one line a round."""
    terminal, done = sys.stderr.isatty(), [0, -1]

    def say(plan, number: int) -> None:
        done[0] += 1
        if terminal:
            click.echo(
                f"\r\033[Krun {done[0]} of {total}: {plan.scenario} ({plan.lang}), round {number + 1}",
                nl=False,
                err=True,
            )
        elif number != done[1]:
            click.echo(f"round {number + 1}, run {done[0]} of {total}", err=True)
        done[1] = number

    try:
        yield say
    finally:
        if terminal:
            click.echo("\r\033[K", nl=False, err=True)
