"""`iotrace lab`: iotrace's commands in virtual machines with other kernels."""

from __future__ import annotations

import json
import os
import signal
import sys
import tempfile
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import click

import scenarios
from tracer.cli import completion, epilog, paper, progress, show
from tracer.cli.errors import Command
from tracer.cli.params import Scenario, Seconds, gathered, output_options
from tracer.cli.show import Wanted
from tracer.cli.verify import Claims
from tracer.errors import CANNOT, FAILED, USAGE, IotraceError
from tracer.lab import HOST
from tracer.output.format import Kind

if TYPE_CHECKING:
    from tracer.claims.claim import Claim
    from tracer.lab import machine, pins
    from tracer.lab.lab import Lab
    from tracer.lab.store import Store

ORDER = 9
_EXAMPLES = {
    "lab": ("iotrace lab list", "iotrace lab run 6.1 -- run epoll-lt", "iotrace lab matrix signal"),
    "list": ("iotrace lab list",),
    "fetch": ("iotrace lab fetch", "iotrace lab fetch 5.10 6.1"),
    "run": (
        "iotrace lab run 6.1 -- run epoll-lt",
        "iotrace lab run newest --cpus 2 -- verify polling",
        "iotrace lab run ./arch/x86/boot/bzImage -- doctor",
    ),
    "matrix": (
        "iotrace lab matrix blocking signal",
        "iotrace lab matrix --kernel 5.10 --kernel 6.1 signal -- --messages 23",
        "iotrace lab matrix --claim polling --markdown",
    ),
    "update": ("iotrace lab update",),
    "clean": ("iotrace lab clean",),
}
_MOST_S = 86400


class _Command(Command):
    """A command of the lab's: what it started goes with it."""

    interrupted = "interrupted; the machines are ended"


def _say(line: str) -> None:
    click.echo(f"iotrace: {line}", err=True)


def _store() -> Store:
    from tracer.lab import identity, store

    # TERM is asked to be an end like Ctrl-C, so that machines and temporary directories go with us
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    identity.act_as_invoking_user()
    return store.Store(store.default_root(), _say)


def _pins(path: str | None) -> pins.Pins:
    from tracer.lab import pins

    return pins.read(Path(path) if path else pins.DEFAULT)


lock_file_option = click.option(
    "--lock-file", type=click.Path(dir_okay=False), help="Another lock file than iotrace's own."
)


@dataclass(frozen=True)
class Machine:
    """What is asked of machines. memory: MiB; timeout: seconds that one command may take."""

    accel: str
    icount: bool
    host_root: bool
    cpus: int
    memory: int
    timeout: float
    nics: bool
    lock_file: str | None

    def lab(self) -> Lab:
        """The lab that has them; raises LabError, and IotraceError for what does not go together."""
        from tracer.lab import lab

        if self.icount and (self.cpus > 1 or self.accel == "kvm"):
            why = "--icount is for one emulated CPU: leave out --cpus and --accel kvm"
            raise IotraceError(why, USAGE)
        options = lab.MachineOptions(
            self.accel,
            self.icount,
            self.host_root,
            self.cpus,
            self.memory,
            self.timeout,
            self.nics,
        )
        return lab.Lab(_store(), _pins(self.lock_file), options)


machine_options = gathered(
    "machine",
    Machine,
    (
        lock_file_option,
        click.option(
            "--timeout",
            type=Seconds(1, _MOST_S),
            default=300.0,
            show_default=True,
            help="Seconds that one command may take.",
        ),
        click.option(
            "--memory",
            type=click.IntRange(512, 1 << 20),
            default=1024,
            show_default=True,
            help="In MiB.",
        ),
        click.option(
            "--cpus",
            type=click.IntRange(1, 64),
            default=1,
            show_default=True,
            help="Of each machine.",
        ),
        click.option(
            "--nics",
            is_flag=True,
            help="Two virtio network cards joined by a wire, for `run --net eth0,eth1`.",
        ),
        click.option(
            "--host-root",
            is_flag=True,
            help="Use this machine's root file system, read-only (needs root).",
        ),
        click.option(
            "--icount",
            is_flag=True,
            help="Emulate with a clock that counts instructions: times repeat.",
        ),
        click.option(
            "--accel",
            type=click.Choice(["auto", "kvm", "tcg"]),
            default="auto",
            show_default=True,
            help="KVM where it works, or software emulation (tcg).",
        ),
    ),
)


class _Group(epilog.Group):
    """Whose commands are of that kind, if they say nothing else."""

    command_class = _Command


class _WithCommand(_Command):
    """What follows `--` is kept apart, as `rest`: it is iotrace's own command line, or options of it."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if "--" in args:
            separator = args.index("--")
            ctx.meta["rest"] = args[separator + 1 :]
            args = args[:separator]
        return super().parse_args(ctx, args)


@click.group("lab", cls=_Group, epilog=epilog.epilog(epilog.LAB, _EXAMPLES["lab"]))
def command() -> None:
    """Run iotrace in virtual machines with other kernels."""


@command.command("list", epilog=epilog.epilog(epilog.PLAIN, _EXAMPLES["list"]))
@lock_file_option
def _list(lock_file: str | None) -> None:
    """The kernels known, fetched and running."""
    from tracer.lab import kernels, pins, rootfs

    store, locked = _store(), _pins(lock_file)
    machines = store.machines()
    show.line(f"{'kernel':<8} {'Debian package version':<24} {'suite':<13} {'fetched':<8} running")
    for pin, fetched in kernels.known(store, locked):
        running = ", ".join(
            f"pid {machine['pid']}" for machine in machines if machine["kernel"] == pin.name
        )
        newest = f" ({pins.NEWEST})" if pin is locked.kernels[-1] else ""
        show.line(
            f"{pin.name:<8} {pin.version:<24} {pin.suite:<13} {_yes(fetched):<8} "
            f"{running or 'no'}{newest}"
        )
    root, packages = locked.root, f"{len(locked.root.packages)} packages"
    show.line(f"{'root':<8} {packages:<24} {root.suite:<13} {_yes(rootfs.has(store, root))}")
    for machine in machines:
        minutes = (time.time() - machine["since"]) / 60
        show.line(
            f"running  {machine['kernel']} ({machine['accel']}), pid {machine['pid']}, "
            f"{minutes:.0f} min: {machine['jobs'][-1][:60]}"
        )
    show.line(f"cache    {store.root}")


def _yes(is_so: bool) -> str:
    return "yes" if is_so else "no"


@command.command("fetch", epilog=epilog.epilog(epilog.LAB, _EXAMPLES["fetch"]))
@click.argument("names", nargs=-1, metavar="[KERNEL]...", shell_complete=completion.of_kernels)
@lock_file_option
def _fetch(names: tuple[str, ...], lock_file: str | None) -> None:
    """Fetch and build all that machines need, so that they run offline afterwards; says where it is."""
    from tracer.lab import kernels, rootfs

    store, locked = _store(), _pins(lock_file)
    with store.in_use():
        for name in names or [pin.name for pin in locked.kernels]:
            kernel = kernels.get(store, locked, name)
            show.line(f"{kernel.name:<8} {kernel.release:<28} {kernel.image.parent}")
        show.line(f"{'root':<8} {locked.root.suite:<28} {rootfs.get(store, locked.root).parent}")


@command.command("run", cls=_WithCommand, epilog=epilog.epilog(epilog.IN_MACHINE, _EXAMPLES["run"]))
@click.argument("kernel", shell_complete=completion.of_kernels)
@machine_options
@click.pass_context
def _run(ctx: click.Context, kernel: str, machine: Machine) -> None:
    """Run `iotrace COMMAND…` on KERNEL: iotrace lab run 6.1 -- run epoll-lt.

    KERNEL is a name from `iotrace lab list`, `newest`, `host` (the running one, without a machine), or the path of a
    bzImage or of a kernel's build tree. Files that the command leaves in its working directory (-o NAME) come to this
    one.
    """
    arguments: list[str] = ctx.meta.get("rest") or []
    if not arguments:
        raise IotraceError("what is to be run? iotrace lab run 6.1 -- run epoll-lt", USAGE)
    if kernel == HOST:
        root = ctx.find_root()
        root.command.main(args=arguments, prog_name=root.info_name)
    lab = machine.lab()
    with lab.store.in_use(), tempfile.TemporaryFile() as files:
        outcome = _outcome(lab, kernel, arguments, files)
        _keep(files)
    _refuse_early_end(outcome, machine.timeout)
    ctx.exit(outcome.statuses.get(0, FAILED))


def _outcome(lab: Lab, kernel: str, arguments: list[str], files: BinaryIO) -> machine.Outcome:
    """The machine's, whose command has our streams and leaves its files in `files`."""
    from tracer.lab import machine

    accelerator, why = lab.prepare([kernel])
    streams: dict[str, BinaryIO] = {
        "out": sys.stdout.buffer,
        "err": sys.stderr.buffer,
        "files": files,
    }

    def take(port: str, data: bytes) -> None:
        streams[port].write(data)
        streams[port].flush()

    _say(f"Linux {lab.kernel(kernel).release} by {why}")
    job = machine.Job(lab.iotrace(*arguments))
    return lab.run(kernel, accelerator, (job,), take, columns=paper.columns())


def _keep(files: BinaryIO) -> None:
    """What the command left in the machine, into the working directory."""
    from tracer.lab import left_files
    from tracer.lab.store import write_atomically

    files.seek(0)
    for name, data in left_files.by_job(files).get(0, {}).items():
        write_atomically(Path(Path(name).name), data)
        _say(f"kept {Path(name).name}")


def _refuse_early_end(outcome: machine.Outcome, timeout: float) -> None:
    """Raises IotraceError, with the console's last lines before it, for a machine that did not come to its end."""
    if outcome.ended == "done":
        return
    _quote(outcome.last_lines)
    endings = {
        "panic": "the guest's kernel panicked",
        "died": "the machine ended early",
        "hung": "the machine did not come up and was ended",
        "timeout": f"the command had not ended after {timeout:g} s (--timeout); the machine was ended",
    }
    console = (
        "its console's last lines are above" if outcome.last_lines else "its console said nothing"
    )
    raise IotraceError(f"{endings[outcome.ended]}; {console}")


def _quote(lines: Iterable[str]) -> None:
    """Lines of a machine's console, on stderr."""
    for line in lines:
        click.echo(f"  | {line}", err=True)


@dataclass(frozen=True)
class Wish:
    """What a matrix is to be of. chosen: kernels; output: a directory; jobs: machines beside each other."""

    chosen: tuple[str, ...]
    output: str | None
    jobs: int | None
    verify: bool
    claims: tuple[Claim, ...]

    def tested(self) -> list[str]:
        """The names of the claims that are put to the test."""
        from tracer.claims import claims

        chosen = self.claims or (claims() if self.verify else ())
        return [claim.name for claim in chosen]


matrix_options = gathered(
    "wish",
    Wish,
    (
        click.option(
            "--kernel",
            "chosen",
            multiple=True,
            shell_complete=completion.of_kernels,
            help="One of them: a name, a path, `host`; may be given again. "
            "Without it, all that are known, and the host's where this is root.",
        ),
        click.option(
            "-o",
            "--output",
            type=click.Path(file_okay=False),
            help="Keep recordings and reports in this directory.",
        ),
        click.option(
            "--jobs",
            type=click.IntRange(1, 64),
            help="Machines beside each other; by default half the CPUs.",
        ),
        click.option(
            "--verify",
            is_flag=True,
            help="Put the textbook's claims to the test on each (iotrace verify).",
        ),
        click.option(
            "--claim",
            "claims",
            multiple=True,
            type=Claims(),
            help="Of the claims put only this one to the test; may be given again.",
        ),
    ),
)


@command.command("matrix", cls=_WithCommand, epilog=epilog.epilog(epilog.LAB, _EXAMPLES["matrix"]))
@click.argument(
    "names",
    nargs=-1,
    metavar="[SCENARIO]...",
    shell_complete=lambda ctx, param, begun: completion.of_scenarios(begun),
)
@matrix_options
@output_options(Kind.MATRIX, strict=False)
@click.option(
    "--strict",
    is_flag=True,
    help="Exit with status 1 unless all ran as the workload says and lost nothing.",
)
@machine_options
@click.pass_context
def _matrix(
    ctx: click.Context,
    names: tuple[str, ...],
    wish: Wish,
    strict: bool,
    machine: Machine,
    wanted: Wanted,
) -> None:
    """Run SCENARIOs on every kernel and show what differs.

    Options of `iotrace run` follow --: iotrace lab matrix nonblocking signal -- --messages 23.
    """
    from tracer.lab import matrix, store
    from tracer.lab.one_kernel import MatrixPlan

    tested = wish.tested()
    run = [Scenario().convert(name, None, None).name for name in names]
    if not run and not tested:
        run = scenarios.names()
    lab = machine.lab()
    kernels = _kernels(lab, wish.chosen)
    directory = _directory(lab, wish.output)
    with lab.store.in_use():
        plan = MatrixPlan(run, ctx.meta.get("rest", []), tested, directory)
        jobs = wish.jobs or max(1, (os.cpu_count() or 1) // (2 * machine.cpus))
        with progress.of_runs(len(kernels) * len(plan.commands)) as told:
            result = matrix.run(lab, kernels, plan, jobs, told.note)
        store.write_atomically(directory / "matrix.json", json.dumps(result).encode())
    show.show(Kind.MATRIX, lambda: result, wanted)
    _say(f"recordings and reports: {directory}")
    for kernel in result["kernels"]:
        if kernel["ended"] != "done":
            _quote(kernel["last_lines"])
            problem = f"the machine with {kernel['name']} ended early ({kernel['ended']})"
            raise IotraceError(problem)
    if strict and not matrix.complete(result):
        raise IotraceError("not every run was complete and as the workload says")


def _kernels(lab: Lab, chosen: tuple[str, ...]) -> list[str]:
    """The names of those to run on; raises IotraceError where that needs root."""
    default = [pin.name for pin in lab.locked.kernels] + [HOST] * (os.getuid() == 0)
    kernels = list(dict.fromkeys(chosen or default))
    if HOST in kernels and os.getuid() != 0:
        raise IotraceError(
            "tracing the host's own kernel needs root: run it with sudo, or leave out --kernel host",
            CANNOT,
        )
    return kernels


def _directory(lab: Lab, output: str | None) -> Path:
    """Where recordings and reports are kept: by default among the lab's results."""
    if output:
        return Path(output).absolute()
    return lab.store.root / "results" / f"{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}"


@command.command("update", epilog=epilog.epilog(epilog.LAB, _EXAMPLES["update"]))
@lock_file_option
def _update(lock_file: str | None) -> None:
    """Move the lock file to what Debian's archive and PyPI have now."""
    from tracer.lab import pins

    store = _store()
    path = Path(lock_file) if lock_file else pins.DEFAULT
    before = {pin.name: pin.version for pin in _pins(lock_file).kernels} if path.exists() else {}
    with store.in_use(), store.locked("update"):
        newest = pins.resolve(store.root / "apt", _say)
    pins.write(path, newest)
    for pin in newest.kernels:
        was = before.get(pin.name)
        change = "as before" if was == pin.version else f"was {was}" if was else "new"
        show.line(f"{pin.name:<8} {pin.version:<24} {change}")
    show.line(f"wrote {path}")


@command.command("clean", epilog=epilog.epilog(epilog.PLAIN, _EXAMPLES["clean"]))
def _clean() -> None:
    """Remove all that was fetched, built and recorded."""
    store = _store()
    freed = store.clean()
    show.line(f"removed {freed >> 20} MiB from {store.root}")
