"""What the commands take: kinds of values, options that several of them have, and those that formats of output add."""

from __future__ import annotations

import difflib
import functools
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar, cast

import click

import scenarios
from tracer import output, text
from tracer.bpf import RING_BYTES
from tracer.cli import completion
from tracer.cli.files import PRIVATE, User, partial_of, refuse_unwritable
from tracer.cli.show import Wanted
from tracer.errors import USAGE, IotraceError
from tracer.kernel import cpus
from tracer.output.format import Format, Kind, Switch

if TYPE_CHECKING:
    from tracer.run import program

MOST_TIMEOUT = 10**6  # s
_MOST_NS = 10**13
_UNITS = {"ns": 1, "us": 10**3, "µs": 10**3, "ms": 10**6, "s": 10**9}

Function = TypeVar("Function", bound=Callable[..., Any])
Option: TypeAlias = Callable[[Function], Function]
_Param: TypeAlias = click.Parameter | None
_Ctx: TypeAlias = click.Context | None


# kinds of values


class Value(click.ParamType):  # type: ignore[type-arg]  # older versions of click take no argument there
    """A kind of value."""


class Duration(Value):
    """A time such as 10ms, 2s or 500us → ns; a bare number is milliseconds."""

    name = "time"

    def convert(self, value: object, param: _Param, ctx: _Ctx) -> int:
        if isinstance(value, int):
            return value
        match = re.fullmatch(r"(\d+(?:\.\d+)?)(ns|us|µs|ms|s)?", str(value))
        if not match:
            self.fail(f"{text.quoted(value)} is not a time such as 10ms, 2s or 500us", param, ctx)
        ns = float(match[1]) * _UNITS[match[2] or "ms"]
        if ns > _MOST_NS:
            self.fail(f"{text.quoted(value)} is longer than {_MOST_NS // 10**9} s", param, ctx)
        return round(ns)


class Rate(Value):
    """Bits a second as tc(8) spells them: 1mbit, 500kbit, 1gbit; a bare number is bit → bit/s."""

    name = "rate"

    def convert(self, value: object, param: _Param, ctx: _Ctx) -> int:
        match = re.fullmatch(r"(\d+(?:\.\d+)?)([kmg]?)(?:bit)?", str(value).lower())
        scale = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9}
        rate = round(float(match[1]) * scale[match[2]]) if match else 0
        if not 8000 <= rate <= 30 * 10**9:
            self.fail(f"{text.quoted(value)} is not a rate from 8kbit to 30gbit", param, ctx)
        return rate


class Mode(Value):
    """The permissions of a file as chmod(1) takes them, in octal."""

    name = "mode"

    def convert(self, value: object, param: _Param, ctx: _Ctx) -> int:
        if isinstance(value, int):
            return value
        if not re.fullmatch("0?[0-7]{3}", str(value)):
            self.fail(f"{text.quoted(value)} is no mode such as 600, 640 or 0644", param, ctx)
        return int(str(value), 8)


class Percent(click.FloatRange):
    """0 to 100, with the sign as tc(8) writes it or without."""

    name = "percent"

    def __init__(self) -> None:
        super().__init__(0, 100)

    def convert(self, value: Any, param: _Param, ctx: _Ctx) -> float:
        bare: Any = value.removesuffix("%") if isinstance(value, str) else value
        percent: float = super().convert(bare, param, ctx)
        if percent != percent:
            self.fail(f"{text.quoted(value)} is not a percentage", param, ctx)
        return percent


class Seconds(click.FloatRange):
    """A number of seconds that one can wait; no range refuses NaN by itself."""

    def convert(self, value: Any, param: _Param, ctx: _Ctx) -> float:
        seconds: float = super().convert(value, param, ctx)
        if seconds != seconds:
            self.fail(f"{text.quoted(value)} is not a number of seconds", param, ctx)
        return seconds


class Net(Value):
    """What joins sender and receiver → "loopback", "veth", or the names of two network cards."""

    name = "net"

    def convert(self, value: object, param: _Param, ctx: _Ctx) -> str | tuple[str, str]:
        if isinstance(value, tuple) or value in ("loopback", "veth"):
            return cast("str | tuple[str, str]", value)
        # IFNAMSIZ - 1 bytes, without / and white space: dev_valid_name() of net/core/dev.c
        match = re.fullmatch(r"([^\s/,]{1,15}),([^\s/,]{1,15})", str(value))
        if not match or match[1] == match[2]:
            self.fail(
                f"{text.quoted(value)} is not loopback, veth, nor two network cards such as eth0,eth1",
                param,
                ctx,
            )
        return match[1], match[2]


class Pin(Value):
    """The CPUs of receiver and sender, as 0,1; one number is both. Both are there, and this process may use them."""

    name = "cpus"

    def convert(self, value: object, param: _Param, ctx: _Ctx) -> tuple[int, int]:
        if isinstance(value, tuple):
            return value
        match = re.fullmatch(r"([0-9]{1,6})(?:,([0-9]{1,6}))?", str(value))
        if not match:
            self.fail(f"{text.quoted(value)} is no CPU's number, nor two such as 0,1", param, ctx)
        receiver, sender = int(match[1]), int(match[2] or match[1])
        for cpu in (receiver, sender):
            if why := cpus.refused(cpu):
                self.fail(why, param, ctx)
        return receiver, sender


class Scenario(Value):
    """A scenario's name or alias."""

    name = "scenario"

    def convert(self, value: object, param: _Param, ctx: _Ctx) -> scenarios.Scenario:
        try:
            return scenarios.find(str(value))
        except LookupError:
            known = [name for s in scenarios.scenarios() for name in (s.name, *s.aliases)]
            near = difflib.get_close_matches(str(value).lower(), known, 1)
            hint = f"did you mean {near[0]}?" if near else "`iotrace list` shows them all"
            self.fail(f"no scenario {text.quoted(value)}: {hint}", param, ctx)

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> completion.Items:
        return completion.of_scenarios(incomplete)


# options


def gathered(
    name: str, make: Callable[..., object], options: Sequence[Callable[[Any], Any]]
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Options, in the order of --help, whose values come to the command as one argument: name=make(**values)."""

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def command(*arguments: Any, **values: Any) -> Any:
            gathered_values = {key: values.pop(key) for key in names}
            return function(*arguments, **values, **{name: make(**gathered_values)})

        params: list[click.Parameter] = command.__dict__.setdefault("__click_params__", [])
        before = len(params)
        for option in reversed(options):
            option(command)
        names = [param.name for param in params[before:]]
        return command

    return decorate


def mode_option(command: Function) -> Function:
    """Who may read what -o keeps."""
    return click.option(
        "--mode",
        type=Mode(),
        default=PRIVATE,
        show_default="600",
        help="With -o: who may read and write the file, as chmod(1) has it.",
    )(command)


def redact_option(command: Function) -> Function:
    """What is left out of a recording."""
    return click.option(
        "--redact",
        is_flag=True,
        help="Leave addresses, paths and commands' arguments out of the recording and of all that is shown.",
    )(command)


def ring_option(command: Function) -> Function:
    """How much room there is for events that are not drained yet."""
    return click.option(
        "--ring-size",
        type=click.IntRange(4096, 1 << 30),
        default=RING_BYTES,
        show_default=True,
        help="Bytes of the ring buffer, a power of two.",
    )(command)


def refuse_ring(ring_size: int) -> None:
    """Raises IotraceError where the kernel would not take such a ring."""
    if ring_size & (ring_size - 1):
        raise IotraceError(f"--ring-size {ring_size} is not a power of two", USAGE)


OWN_PROCESS = (
    "own process"  # the context's object where nothing but this command runs in the process
)


@dataclass(frozen=True)
class Tracing:
    """What is asked of the commands that trace any program. duration: s; output: where the recording is kept."""

    duration: float | None
    output: str | None
    mode: int
    expressions: tuple[str, ...]
    no_follow: bool
    no_cost: bool
    ring_size: int
    redact: bool

    def plan(self, user: User | None) -> program.TracePlan:
        """How to trace, a command as `user`; raises IotraceError for what makes no sense."""
        from tracer.run import program

        refuse_ring(self.ring_size)
        calls = selected(self.expressions)
        refuse_unwritable(self.output)
        return program.TracePlan(
            self.duration,
            not self.no_follow,
            self.ring_size,
            calls,
            self.expressions,
            user,
            not self.no_cost,
            partial_of(self.output),
            self.redact,
            click.get_current_context().find_object(str) == OWN_PROCESS,
        )


def selected(expressions: tuple[str, ...]) -> frozenset[int] | None:
    """The numbers of the calls that -e chooses, None where it is not given; raises FilterError."""
    from tracer.kernel import syscall_filter

    if not expressions:
        return None
    calls: frozenset[int] = frozenset().union(*map(syscall_filter.parse, expressions))
    return calls


tracing_options = gathered(
    "tracing",
    Tracing,
    (
        click.option(
            "-d",
            "--duration",
            type=Seconds(0, MOST_TIMEOUT, min_open=True),
            metavar="SECONDS",
            help="End after so long.",
        ),
        click.option("-o", "--output", type=click.Path(), help="Keep the recording in this file."),
        mode_option,
        click.option(
            "-e",
            "--trace",
            "expressions",
            multiple=True,
            metavar="EXPR",
            help="Record these calls alone, as strace: trace=network, trace=!read,%file.",
        ),
        click.option(
            "--no-follow",
            is_flag=True,
            help="Do not trace the threads and children that it creates.",
        ),
        click.option("--no-cost", is_flag=True, help="Do not calibrate what an event costs."),
        ring_option,
        redact_option,
    ),
)


# options that formats of output add


def output_options(
    kind: Kind, *, strict: bool = True, backwards: bool = False
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """The options of every format that applies to such a result, and --strict; they come as one argument, `wanted`.
    backwards: in --help the common ones come first, those of single formats last."""
    formats = [format_ for format_ in output.formats() if kind in format_.renders and format_.flag]
    switches = [
        switch
        for format_ in output.formats()
        for switch in format_.switches
        if kind in switch.kinds
    ]
    offered: list[Format | Switch] = [*formats, *switches]
    ordered = sorted(offered, key=lambda format_: format_.order)
    options = [_option(format_) for format_ in ordered] + [_strict] * strict
    make = functools.partial(_wanted, formats, switches)
    return gathered("wanted", make, options[::-1] if backwards else options)


def _option(offered: Format | Switch) -> Callable[[Any], Any]:
    if isinstance(offered, Switch):
        names = filter(None, (offered.short, offered.flag, f"switch_{offered.name}"))
        return click.option(*names, is_flag=True, help=offered.help)
    name = f"format_{offered.name}"
    if offered.metavar:
        return click.option(
            offered.flag or "", name, type=click.Path(), metavar=offered.metavar, help=offered.help
        )
    return click.option(offered.flag or "", name, is_flag=True, help=offered.help)


_strict = click.option("--strict", is_flag=True, help="Exit with status 4 if any event was lost.")


def _wanted(
    formats: list[Format], switches: list[Switch], strict: bool = False, **values: Any
) -> Wanted:
    """From the options' values; raises IotraceError where a file cannot be written."""
    asked = [(format_, values[f"format_{format_.name}"]) for format_ in formats]
    files = tuple((format_, path) for format_, path in asked if format_.metavar and path)
    for _, path in files:
        refuse_unwritable(path)
    return Wanted(
        formats=tuple(format_ for format_, is_wanted in asked if is_wanted and not format_.metavar),
        files=files,
        switches=frozenset(
            format_.name for format_ in switches if values[f"switch_{format_.name}"]
        ),
        strict=strict,
    )
