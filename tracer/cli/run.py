"""`iotrace run`: one scenario under the probes, and its report."""

from __future__ import annotations

import click

from tracer import text
from tracer.cli.common import (
    MOST_TIMEOUT,
    Duration,
    Failure,
    Percent,
    Rate,
    Scenario,
    Seconds,
    check_writable,
    mode_option,
    progress,
    recorded,
    rescuing,
    show,
    shown,
)
from tracer.errors import CANNOT, FAILED, USAGE

ORDER = 2


@click.command("run")
@click.argument("scenario", type=Scenario())
@click.option(
    "--messages",
    type=click.IntRange(1, 10**7),
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
    help="udp, tcp, unix (datagrams), pipe or file, where the model allows it; by default the "
    "scenario's first.",
)
@click.option(
    "--sockets",
    type=click.IntRange(1),
    help="How many to watch; the messages go round them. For select, poll and epoll-lt (1), and threads (4).",
)
@click.option(
    "--lang",
    type=click.Choice(["python", "c"]),
    default="python",
    show_default=True,
    help="The program as it is in Python, or its twin in C.",
)
@click.option(
    "--net",
    type=click.Choice(["loopback", "veth"]),
    default="loopback",
    show_default=True,
    help="veth: sender and receiver in two network namespaces joined by a link.",
)
@click.option(
    "--rate", type=Rate(), help="The most that the link carries, such as 1mbit or 500kbit a second."
)
@click.option(
    "--delay", type=Duration(), default="0", help="How long the link takes to carry a packet."
)
@click.option(
    "--loss", type=Percent(), default=0, help="Percent of the packets that the link loses."
)
@click.option("--open-loop", is_flag=True, help="Send on schedule, whatever the receiver does.")
@click.option(
    "-o", "--output", type=click.Path(dir_okay=False), help="Keep the recording in this file."
)
@mode_option
@click.option(
    "--timeout",
    type=Seconds(0, MOST_TIMEOUT, min_open=True),
    help="End the run after so many seconds.",
)
@click.option(
    "--as-root", is_flag=True, help="Run the scenario as root, not as the user who called sudo."
)
@click.option(
    "--no-cost", is_flag=True, help="Leave out the untraced run that the cost is compared with."
)
@click.option(
    "--ring-size",
    type=click.IntRange(4096, 1 << 30),
    default=16 << 20,
    show_default=True,
    help="Bytes of the ring buffer, a power of two.",
)
@shown
def command(
    scenario,
    messages,
    interval,
    size,
    proto,
    sockets,
    lang,
    net,
    rate,
    delay,
    loss,
    open_loop,
    output,
    mode,
    timeout,
    as_root,
    no_cost,
    ring_size,
    as_json,
    hist,
    plain,
    strict,
) -> None:
    """Run SCENARIO under the probes and show its phases."""
    from scenarios.kit import transport
    from scenarios.kit.twin import CannotBuild
    from scenarios.kit.options import Options
    from tracer.capture import spawn
    from tracer.kernel import features
    from tracer.output.terminal.units import plural
    from tracer.run import scenario as experiment

    proto, sockets = proto or scenario.protocols[0], sockets or scenario.sockets_default
    if proto not in scenario.protocols:
        raise Failure(
            f"{scenario.name} runs over {', '.join(scenario.protocols)}, not over {proto}", USAGE
        )
    if lang not in scenario.languages:
        raise Failure(f"{scenario.name} has no twin in C", USAGE)
    if size > transport.MOST_SIZE.get(proto, size):
        raise Failure(
            f"a datagram ({proto}) holds at most {transport.MOST_SIZE[proto]} bytes", USAGE
        )
    if sockets > scenario.sockets:
        raise Failure(
            f"{scenario.name} watches at most {plural(scenario.sockets, 'socket')}: {scenario.sockets_why}",
            USAGE,
        )
    if net == "loopback" and (rate or delay or loss):
        raise Failure("--rate, --delay and --loss are a veth link's: they need --net veth", USAGE)
    if net == "veth" and proto not in ("udp", "tcp"):
        raise Failure(
            f"--net veth joins network namespaces, and {proto} does not go through a network", USAGE
        )
    if loss and proto == "udp" and not open_loop:
        raise Failure(
            "--loss over udp needs --open-loop: a closed loop waits for each message, and a lost one never "
            "comes",
            USAGE,
        )
    if ring_size & (ring_size - 1):
        raise Failure(f"--ring-size {ring_size} is not a power of two", USAGE)
    if output and (problem := check_writable(output)):
        raise Failure(problem, FAILED)
    limit = timeout or 30 + 3 * messages * interval / 1e9
    try:
        found = features.find()
        address = experiment.VETH_ADDRESS if net == "veth" else transport.LOOPBACK
        link = {"rate": rate, "delay": delay, "loss": loss / 100} if net == "veth" else None
        options = Options(messages, interval, size, proto, open_loop, sockets, address)
        if not transport.make_room(
            transport.descriptors_of(proto, sockets)
        ):  # children have the same limit
            raise Failure(
                f"{sockets} sockets are more than a process may have open here (ulimit -H -n)",
                CANNOT,
            )
        user = None if as_root else spawn.invoking_user()
        program = experiment.program(scenario, lang, user)
        plan = experiment.Plan(
            scenario.name, lang, program, options, limit, user, ring_size, not no_cost, link
        )
        with recorded(output, user, mode) as (path, keep):
            with progress(messages * interval > 3 * 10**9) as say:
                ended = experiment.traced(plan, found, path, say)
            keep()
            if ended == "timeout":
                raise Failure(
                    f"{scenario.name} had not ended after {limit:g} s (--timeout)", FAILED
                )
            with rescuing(output, keep, FAILED):
                show(output or path, as_json, hist, plain, strict)
            if ended == "failed":
                raise Failure(
                    f"tracing ended early: {experiment.failure_of(output or path)}", FAILED
                )
    except (
        features.CannotTrace,
        experiment.CannotRun,
        experiment.NothingSeen,
        CannotBuild,
    ) as error:
        raise Failure(str(error), CANNOT) from None
    except experiment.RunFailed as error:
        raise Failure(str(error), FAILED) from None
    except OSError as error:
        raise Failure(text.failure(error), FAILED) from error
    except KeyboardInterrupt:
        raise Failure("interrupted", FAILED) from None
