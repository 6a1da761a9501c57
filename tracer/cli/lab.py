"""`iotrace lab`: iotrace's commands in virtual machines with other kernels."""

from __future__ import annotations

import contextlib
import json
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path

import click

from tracer.cli.common import Failure, Seconds
from tracer.cli.verify import Claims
from tracer.errors import CANNOT, FAILED, USAGE
from tracer.lab import HOST

ORDER = 9
_MOST_S = 86400


@contextlib.contextmanager
def _failures():
    """The lab's exceptions as one line and an exit status."""
    from tracer import lab

    try:
        yield
    except lab.UnknownKernel as error:
        raise Failure(str(error), USAGE) from None
    except lab.CannotLab as error:
        raise Failure(str(error), CANNOT) from None
    except (lab.LabError, OSError) as error:
        raise Failure(str(error), FAILED) from None
    except KeyboardInterrupt:
        raise Failure("interrupted; the machines are ended", FAILED) from None


def _say(line: str) -> None:
    click.echo(f"iotrace: {line}", err=True)


def _store():
    from tracer.lab import identity, store

    # TERM is asked to be an end like Ctrl-C, so that machines and temporary directories go with us
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    identity.act_as_invoking_user()
    return store.Store(store.default_root(), _say)


def _pins(path: str | None):
    from tracer.lab import pins

    return pins.read(Path(path) if path else pins.DEFAULT)


def machine_options(command):
    """The options of every command that runs machines."""
    for option in (
        click.option(
            "--accel",
            type=click.Choice(["auto", "kvm", "tcg"]),
            default="auto",
            show_default=True,
            help="KVM where it works, or software emulation (tcg).",
        ),
        click.option(
            "--icount",
            is_flag=True,
            help="Emulate with a clock that counts instructions: times repeat.",
        ),
        click.option(
            "--host-root",
            is_flag=True,
            help="Use this machine's root file system, read-only (needs root).",
        ),
        click.option(
            "--cpus",
            type=click.IntRange(1, 64),
            default=1,
            show_default=True,
            help="Of each machine.",
        ),
        click.option(
            "--memory",
            type=click.IntRange(512, 1 << 20),
            default=1024,
            show_default=True,
            help="In MiB.",
        ),
        click.option(
            "--timeout",
            type=Seconds(1, _MOST_S),
            default=300.0,
            show_default=True,
            help="Seconds that one command may take.",
        ),
        click.option(
            "--lock-file",
            type=click.Path(dir_okay=False),
            help="Another lock file than iotrace's own.",
        ),
    ):
        command = option(command)
    return command


def _lab(accel, icount, host_root, cpus, memory, timeout, lock_file):
    from tracer.lab import lab

    if icount and (cpus > 1 or accel == "kvm"):
        raise Failure("--icount is for one emulated CPU: leave out --cpus and --accel kvm", USAGE)
    return lab.Lab(
        _store(),
        _pins(lock_file),
        lab.MachineOptions(accel, icount, host_root, cpus, memory, timeout),
    )


class _WithCommand(click.Command):
    """What follows `--` is kept apart, as `rest`: it is iotrace's own command line, or options of it."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if "--" in args:
            at = args.index("--")
            ctx.meta["rest"] = args[at + 1 :]
            args = args[:at]
        return super().parse_args(ctx, args)


@click.group("lab")
def command() -> None:
    """Run iotrace in virtual machines with other kernels."""


@command.command("list")
@click.option(
    "--lock-file", type=click.Path(dir_okay=False), help="Another lock file than iotrace's own."
)
def _list(lock_file) -> None:
    """The kernels known, fetched and running."""
    with _failures():
        from tracer.lab import kernels, pins, rootfs

        store, locked = _store(), _pins(lock_file)
        machines = store.machines()
        click.echo(
            f"{'kernel':<8} {'Debian package version':<24} {'suite':<13} {'fetched':<8} running"
        )
        for pin, fetched in kernels.known(store, locked):
            running = ", ".join(
                f"pid {its['pid']}" for its in machines if its["kernel"] == pin.name
            )
            newest = f" ({pins.NEWEST})" if pin is locked.kernels[-1] else ""
            click.echo(
                f"{pin.name:<8} {pin.version:<24} {pin.suite:<13} {'yes' if fetched else 'no':<8} "
                f"{running or 'no'}{newest}"
            )
        root = locked.root
        click.echo(
            f"{'root':<8} {f'{len(root.packages)} packages':<24} {root.suite:<13} "
            f"{'yes' if rootfs.has(store, root) else 'no'}"
        )
        for its in machines:
            minutes = (time.time() - its["since"]) / 60
            click.echo(
                f"running  {its['kernel']} ({its['accel']}), pid {its['pid']}, {minutes:.0f} min: "
                f"{its['jobs'][-1][:60]}"
            )
        click.echo(f"cache    {store.root}")


@command.command("fetch")
@click.argument("names", nargs=-1, metavar="[KERNEL]...")
@click.option(
    "--lock-file", type=click.Path(dir_okay=False), help="Another lock file than iotrace's own."
)
def _fetch(names, lock_file) -> None:
    """Fetch and build all that machines need, so that they run offline afterwards; says where it is."""
    with _failures():
        from tracer.lab import kernels, rootfs

        store, locked = _store(), _pins(lock_file)
        with store.in_use():
            for name in names or [pin.name for pin in locked.kernels]:
                kernel = kernels.get(store, locked, name)
                click.echo(f"{kernel.name:<8} {kernel.release:<28} {kernel.image.parent}")
            click.echo(
                f"{'root':<8} {locked.root.suite:<28} {rootfs.get(store, locked.root).parent}"
            )


@command.command("run", cls=_WithCommand)
@click.argument("kernel")
@machine_options
@click.pass_context
def _run(ctx, kernel, **how) -> None:
    """Run `iotrace COMMAND…` on KERNEL: iotrace lab run 6.1 -- run epoll-lt.

    KERNEL is a name from `iotrace lab list`, `newest`, `host` (the running one, without a machine), or the path of a
    bzImage or of a kernel's build tree. Files that the command leaves in its working directory (-o NAME) come to this
    one.
    """
    arguments = ctx.meta.get("rest")
    if not arguments:
        raise Failure("what is to be run? iotrace lab run 6.1 -- run epoll-lt", USAGE)
    if kernel == HOST:
        ctx.find_root().command.main(args=arguments, prog_name=ctx.find_root().info_name)
    with _failures():
        from tracer.lab import machine

        lab = _lab(**how)
        with lab.store.in_use():
            accelerator, why = lab.prepare([kernel])
            columns = max(80, min(shutil.get_terminal_size().columns, 120))
            with tempfile.TemporaryFile() as files:
                streams = {"out": sys.stdout.buffer, "err": sys.stderr.buffer, "files": files}

                def take(port: str, data: bytes) -> None:
                    streams[port].write(data)
                    streams[port].flush()

                _say(f"Linux {lab.kernel(kernel).release} by {why}")
                outcome = lab.run(
                    kernel,
                    accelerator,
                    (machine.Job(lab.iotrace(*arguments)),),
                    take,
                    columns=columns,
                )
                _keep(files)
    _ended(outcome, how["timeout"])
    ctx.exit(outcome.statuses.get(0, FAILED))


def _keep(files) -> None:
    """What the command left in the machine, into the working directory."""
    from tracer.lab import left_files
    from tracer.lab.store import write_atomically

    files.seek(0)
    for name, data in left_files.by_job(files).get(0, {}).items():
        write_atomically(Path(Path(name).name), data)
        _say(f"kept {Path(name).name}")


def _ended(outcome, timeout: float) -> None:
    """Raises Failure, with the console's last lines before it, for a machine that did not come to its end."""
    if outcome.ended == "done":
        return
    for line in outcome.last_lines:
        click.echo(f"  | {line}", err=True)
    what = {
        "panic": "the guest's kernel panicked",
        "died": "the machine ended early",
        "hung": "the machine did not come up and was ended",
        "timeout": f"the command had not ended after {timeout:g} s (--timeout); the machine was ended",
    }
    console = (
        "its console's last lines are above" if outcome.last_lines else "its console said nothing"
    )
    raise Failure(f"{what[outcome.ended]}; {console}", FAILED)


@command.command("matrix", cls=_WithCommand)
@click.argument("names", nargs=-1, metavar="[SCENARIO]...")
@click.option(
    "--kernel",
    "chosen",
    multiple=True,
    help="One of them: a name, a path, `host`; may be given again. "
    "Without it, all that are known, and the host's where this is root.",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(file_okay=False),
    help="Keep recordings and reports in this directory.",
)
@click.option(
    "--jobs",
    type=click.IntRange(1, 64),
    help="Machines beside each other; by default half the CPUs.",
)
@click.option(
    "--verify", is_flag=True, help="Put the textbook's claims to the test on each (iotrace verify)."
)
@click.option(
    "--claim",
    "claims",
    multiple=True,
    type=Claims(),
    help="Of the claims put only this one to the test; may be given again.",
)
@click.option(
    "--json", "as_json", is_flag=True, help="One JSON object on stdout, and nothing else."
)
@click.option("--markdown", is_flag=True, help="The tables as Markdown.")
@click.option(
    "--strict",
    is_flag=True,
    help="Exit with status 1 unless all ran as the workload says and lost nothing.",
)
@machine_options
@click.pass_context
def _matrix(
    ctx, names, chosen, output, jobs, verify, claims, as_json, markdown, strict, **how
) -> None:
    """Run SCENARIOs on every kernel and show what differs.

    Options of `iotrace run` follow --: iotrace lab matrix nonblocking signal -- --messages 23.
    """
    import os

    import scenarios
    from tracer.cli.common import Scenario

    wanted = [Scenario().convert(name, None, None).name for name in names]
    if verify and not claims:
        from tracer.claims import claims as every

        claims = every()
    if not wanted and not claims:
        wanted = scenarios.names()
    with _failures():
        from tracer.lab import matrix, store

        lab = _lab(**how)
        default = [pin.name for pin in lab.locked.kernels] + [HOST] * (os.getuid() == 0)
        kernels = list(dict.fromkeys(chosen or default))
        if HOST in kernels and os.getuid() != 0:
            raise Failure(
                "tracing the host's own kernel needs root: run it with sudo, or leave out --kernel host",
                CANNOT,
            )
        stamp = time.strftime("%Y%m%d-%H%M%S")
        directory = (
            Path(output).absolute()
            if output
            else lab.store.root / "results" / f"{stamp}-{os.getpid()}"
        )
        with lab.store.in_use():
            plan = matrix.MatrixPlan(
                wanted, ctx.meta.get("rest", []), [claim.name for claim in claims], directory
            )
            found = matrix.run(
                lab, kernels, plan, jobs or max(1, (os.cpu_count() or 1) // (2 * how["cpus"])), _say
            )
            store.write_atomically(directory / "matrix.json", json.dumps(found).encode())
    click.echo(_shown(found, as_json, markdown))
    _say(f"recordings and reports: {directory}")
    for kernel in found["kernels"]:
        if kernel["ended"] != "done":
            click.echo(
                "".join(f"  | {line}\n" for line in kernel["last_lines"]), nl=False, err=True
            )
            raise Failure(
                f"the machine with {kernel['name']} ended early ({kernel['ended']})", FAILED
            )
    if strict and not matrix.complete(found):
        raise Failure("not every run was complete and as the workload says", FAILED)


def _shown(found: dict, as_json: bool, markdown: bool) -> str:
    from tracer.output import markdown as matrix_markdown
    from tracer.output.terminal import matrix

    if as_json:
        return json.dumps(found)
    if markdown:
        return matrix_markdown.render(found)
    return matrix.render(found, max(80, min(shutil.get_terminal_size().columns, 120)))


@command.command("update")
@click.option(
    "--lock-file", type=click.Path(dir_okay=False), help="Another lock file than iotrace's own."
)
def _update(lock_file) -> None:
    """Move the lock file to what Debian's archive and PyPI have now."""
    with _failures():
        from tracer.lab import pins

        store = _store()
        path = Path(lock_file) if lock_file else pins.DEFAULT
        before = (
            {pin.name: pin.version for pin in _pins(lock_file).kernels} if path.exists() else {}
        )
        with store.in_use(), store.locked("update"):
            found = pins.resolve(store.root / "apt", _say)
        pins.write(path, found)
        for pin in found.kernels:
            was = before.get(pin.name)
            change = "as before" if was == pin.version else f"was {was}" if was else "new"
            click.echo(f"{pin.name:<8} {pin.version:<24} {change}")
        click.echo(f"wrote {path}")


@command.command("clean")
def _clean() -> None:
    """Remove all that was fetched, built and recorded."""
    with _failures():
        store = _store()
        freed = store.clean()
        click.echo(f"removed {freed >> 20} MiB from {store.root}")
