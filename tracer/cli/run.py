"""`iotrace run`: one scenario under the probes, and its report."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from scenarios import Scenario as Program
from scenarios.kit.options import TASKRUNS
from tracer.cli import epilog, files, progress, show
from tracer.cli.errors import Command
from tracer.cli.params import (
    Duration,
    Net,
    Percent,
    Rate,
    Scenario,
    gathered,
    mode_option,
    output_options,
    redact_option,
    refuse_ring,
    ring_option,
)
from tracer.cli.show import Wanted
from tracer.cli.workload import CPUS, LIMITS, SCHEDULE, Workload
from tracer.errors import CANNOT, USAGE, IotraceError
from tracer.output.format import Kind

if TYPE_CHECKING:
    from scenarios.kit.options import Options
    from tracer.run import scenario as experiment

ORDER = 2
_EPILOG = epilog.epilog(
    epilog.TRACES,
    (
        "iotrace run blocking",
        "iotrace run epoll-lt --proto tcp --messages 100 -o run.parquet",
        "iotrace run signal --lang c --svg signal.svg",
    ),
)
_LONG_NS = 3 * 10**9  # from this length on a run shows its progress


@dataclass(frozen=True)
class Asked(Workload):
    """What a run is to be, beside what is sent: rate in bit/s, delay in ns, loss in percent."""

    proto: str | None
    lang: str
    taskrun: str | None
    net: str | tuple[str, str]
    rate: int | None
    delay: int
    loss: float
    open_loop: bool
    output: str | None
    mode: int
    no_cost: bool
    ring_size: int
    redact: bool

    @property
    def link(self) -> dict[str, Any] | None:
        """The link between two network namespaces; None where there is no such."""
        if self.net == "loopback":
            return None
        link: dict[str, Any] = {"rate": self.rate, "delay": self.delay, "loss": self.loss / 100}
        return link if self.net == "veth" else link | {"nics": list(self.net)}


run_options = gathered(
    "asked",
    Asked,
    (
        *SCHEDULE,
        click.option(
            "--proto",
            help="udp, tcp, unix (datagrams), pipe or file, where the model allows it; by default the "
            "scenario's first.",
        ),
        click.option(
            "--lang",
            type=click.Choice(["python", "c"]),
            default="python",
            show_default=True,
            help="The program as it is in Python, or its twin in C.",
        ),
        click.option(
            "--taskrun",
            type=click.Choice(TASKRUNS),
            help="When io_uring copies what it had to wait for: at once, at the next entry into the kernel, or when "
            "asked for completions.",
        ),
        click.option(
            "--net",
            type=Net(),
            metavar="loopback|veth|NIC,NIC",
            default="loopback",
            show_default=True,
            help="veth: sender and receiver in two network namespaces joined by a link. NIC,NIC: by two network cards "
            "of this machine that a wire joins, the receiver's first.",
        ),
        click.option(
            "--rate",
            type=Rate(),
            help="The most that the link carries, such as 1mbit or 500kbit a second.",
        ),
        click.option(
            "--delay",
            type=Duration(),
            default="0",
            help="How long the link takes to carry a packet.",
        ),
        click.option(
            "--loss", type=Percent(), default=0, help="Percent of the packets that the link loses."
        ),
        click.option(
            "--open-loop", is_flag=True, help="Send on schedule, whatever the receiver does."
        ),
        *CPUS,
        click.option(
            "-o",
            "--output",
            type=click.Path(dir_okay=False),
            help="Keep the recording in this file.",
        ),
        mode_option,
        *LIMITS,
        click.option(
            "--no-cost",
            is_flag=True,
            help="Leave out the untraced run that the cost is compared with.",
        ),
        ring_option,
        redact_option,
    ),
)


@click.command("run", cls=Command, epilog=_EPILOG)
@click.argument("scenario", type=Scenario())
@run_options
@output_options(Kind.REPORT, backwards=True)
def command(scenario: Program, asked: Asked, wanted: Wanted) -> None:
    """Run SCENARIO under the probes and show its phases."""
    from tracer.capture import spawn
    from tracer.kernel import features
    from tracer.run import scenario as experiment

    options = options_of(scenario, asked)
    files.refuse_unwritable(asked.output)
    kernel = features.find()
    refuse_descriptors(options.proto, options.sockets)
    user = None if asked.as_root else spawn.invoking_user()
    plan = plan_of(scenario, asked, options, user)
    with files.recorded(asked.output, user, asked.mode) as (path, keep):
        with progress.of_events(asked.messages * asked.interval > _LONG_NS) as say:
            ended = experiment.traced(plan, kernel, path, say)
        keep()
        if ended == "timeout":
            raise IotraceError(f"{scenario.name} had not ended after {asked.limit:g} s (--timeout)")
        with files.rescuing(asked.output, keep):
            show.recording(asked.output or path, wanted, mode=asked.mode)
        if ended == "failed":
            why = experiment.failure_of(asked.output or path)
            raise IotraceError(f"tracing ended early: {why}")


def options_of(scenario: Program, asked: Asked) -> Options:
    """What sender and receiver are told; raises IotraceError for what the scenario cannot do or makes no sense."""
    from scenarios.kit import transport
    from scenarios.kit.options import Options
    from tracer.run import scenario as experiment

    proto, sockets = asked.proto or scenario.protocols[0], asked.sockets or scenario.sockets_default
    refuse_unable(scenario, proto, asked)
    refuse_sockets(scenario, sockets)
    refuse_link(proto, asked)
    refuse_ring(asked.ring_size)
    address = experiment.LINK_ADDRESS if asked.net != "loopback" else transport.LOOPBACK
    return Options(
        asked.messages,
        asked.interval,
        asked.size,
        proto,
        asked.open_loop,
        sockets,
        address,
        asked.taskrun,
    )


def refuse_unable(scenario: Program, proto: str, asked: Asked) -> None:
    """Raises IotraceError where the scenario has no such protocol or language."""
    refuse_protocol(scenario, proto)
    if asked.lang not in scenario.languages:
        raise IotraceError(f"{scenario.name} has no twin in C", USAGE)
    if asked.taskrun and not scenario.taskrun:
        raise IotraceError(f"--taskrun is io_uring's: {scenario.name} has none", USAGE)
    refuse_size(proto, asked.size)


def refuse_protocol(scenario: Program, proto: str) -> None:
    """Raises IotraceError where the scenario's messages cannot go through it."""
    if proto not in scenario.protocols:
        offered = ", ".join(scenario.protocols)
        raise IotraceError(f"{scenario.name} runs over {offered}, not over {proto}", USAGE)


def refuse_size(proto: str, size: int) -> None:
    """Raises IotraceError where a message does not fit into a datagram."""
    from scenarios.kit import transport

    most = transport.MOST_SIZE.get(proto, size)
    if size > most:
        raise IotraceError(f"a datagram ({proto}) holds at most {most} bytes", USAGE)


def refuse_sockets(scenario: Program, sockets: int) -> None:
    """Raises IotraceError where the scenario's call cannot watch so many."""
    from tracer.output.units import plural

    if sockets > scenario.sockets:
        most = plural(scenario.sockets, "socket")
        why = f"{scenario.name} watches at most {most}: {scenario.sockets_why}"
        raise IotraceError(why, USAGE)


def refuse_link(proto: str, asked: Asked) -> None:
    """Raises IotraceError where a link is asked for that there is not, or that would never end the run."""
    if asked.net == "loopback" and (asked.rate or asked.delay or asked.loss):
        why = "--rate, --delay and --loss are a link's: they need --net veth or network cards"
        raise IotraceError(why, USAGE)
    if asked.net != "loopback" and proto not in ("udp", "tcp"):
        why = f"--net {_spelt(asked.net)} joins network namespaces, and {proto} does not go through a network"
        raise IotraceError(why, USAGE)
    if asked.loss and proto == "udp" and not asked.open_loop:
        raise IotraceError(
            "--loss over udp needs --open-loop: a closed loop waits for each message, and a lost one never "
            "comes",
            USAGE,
        )


def _spelt(net: str | tuple[str, str]) -> str:
    return net if isinstance(net, str) else ",".join(net)


def refuse_descriptors(proto: str, sockets: int) -> None:
    """Raises IotraceError where no process may have so many open; children have our limit."""
    from scenarios.kit import transport

    if not transport.make_room(transport.descriptors_of(proto, sockets)):
        why = f"{sockets} sockets are more than a process may have open here (ulimit -H -n)"
        raise IotraceError(why, CANNOT)


def plan_of(
    scenario: Program, asked: Asked, options: Options, user: files.User | None
) -> experiment.ScenarioPlan:
    """How the scenario is run; raises IotraceError where its twin cannot be built."""
    from tracer.run import scenario as experiment

    return experiment.ScenarioPlan(
        scenario.name,
        asked.lang,
        experiment.program(scenario, asked.lang, user),
        options,
        asked.limit,
        user,
        asked.ring_size,
        not asked.no_cost,
        asked.link,
        experiment.Cpus(asked.pin, asked.keep_awake),
        files.partial_of(asked.output),
        asked.redact,
    )
