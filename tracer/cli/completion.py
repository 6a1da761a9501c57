"""What a shell offers on Tab: click's own scripts for bash, zsh and fish, and the words that only iotrace knows."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import click
from click.shell_completion import (
    BashComplete,
    CompletionItem,
    FishComplete,
    ShellComplete,
    ZshComplete,
)

import scenarios

# Set by the scripts when they ask for words: then iotrace prints them and nothing else.
VARIABLE = "_IOTRACE_COMPLETE"
_PLACES: tuple[tuple[type[ShellComplete], str], ...] = (
    (BashComplete, "bash-completion/completions/iotrace"),
    (ZshComplete, "zsh/site-functions/_iotrace"),
    (FishComplete, "fish/vendor_completions.d/iotrace.fish"),
)
_RECORDING = ".parquet"

Items = list[CompletionItem[str]]


def scripts(command: click.Command) -> dict[str, str]:
    """The script of each shell, by the place below share/ at which that shell looks for it."""
    made = ((shell(command, {}, "iotrace", VARIABLE), place) for shell, place in _PLACES)
    # not source(), which starts bash to see its version
    return {place: shell.source_template % shell.source_vars() for shell, place in made}


def is_asked() -> bool:
    """Whether it is a shell's script that calls us."""
    return VARIABLE in os.environ


def of_scenarios(begun: str) -> Items:
    """Names of scenarios; where none begins so, their other names."""
    known = scenarios.scenarios()
    names = [(scenario.name, scenario) for scenario in known]
    others = [(alias, scenario) for scenario in known for alias in scenario.aliases]
    for offered in (names, others):
        items = [
            CompletionItem(name, help=scenario.summary)
            for name, scenario in offered
            if name.startswith(begun)
        ]
        if items:
            return items
    return []


def of_recordings(_ctx: click.Context, _param: click.Parameter, begun: str) -> Items:
    """Recordings by their usual ending; any file where there is none, or a directory that begins so."""
    directory, slash, name = begun.rpartition("/")
    try:
        entries = [
            entry for entry in os.scandir(directory + slash or ".") if entry.name.startswith(name)
        ]
    except OSError:
        entries = []
    found = sorted(entry.name for entry in entries if entry.name.endswith(_RECORDING))
    if not found or any(entry.is_dir() for entry in entries):
        return [CompletionItem(begun, type="file")]
    return [CompletionItem(f"{directory}{slash}{entry}") for entry in found]


def of_processes(begun: str) -> Items:
    """Process IDs, each with its program's name; not those of the kernel's threads."""
    return [CompletionItem(pid, help=name) for pid, name in _processes() if pid.startswith(begun)]


def _processes() -> Iterator[tuple[str, str]]:
    for place in Path("/proc").glob("[1-9]*"):
        try:
            words = (place / "cmdline").read_bytes().split(b"\0")
            if words[0] and int(place.name) != os.getpid():
                yield place.name, (place / "comm").read_text(errors="replace").strip()
        except OSError:  # it has ended
            continue


def of_command(ctx: click.Context, param: click.Parameter, begun: str) -> Items:
    """The program of a command line, and then files."""
    if ctx.params.get(param.name or "") or "/" in begun or not begun:
        return [CompletionItem(begun, type="file")]
    return [CompletionItem(name) for name in sorted(set(_programs(begun)))]


def _programs(begun: str) -> Iterator[str]:
    for directory in os.environ.get("PATH", "").split(":"):
        try:
            entries = list(os.scandir(directory))
        except OSError:
            continue
        yield from (
            entry.name
            for entry in entries
            if entry.name.startswith(begun) and os.access(entry.path, os.X_OK)
        )


def of_claims(begun: str) -> Items:
    """Names of claims, or their numbers."""
    from tracer import claims

    known = claims.claims()
    words = [(claim.name, claim) for claim in known] + [
        (str(claim.number), claim) for claim in known if begun.isdigit()
    ]
    return [
        CompletionItem(word, help=claim.sentence) for word, claim in words if word.startswith(begun)
    ]


def of_kernels(_ctx: click.Context, _param: click.Parameter, begun: str) -> Items:
    """Kernels of the lab's lock file; a path is a file."""
    from tracer.lab import HOST, pins

    if "/" in begun or begun.startswith("."):
        return [CompletionItem(begun, type="file")]
    names = [*(pin.name for pin in pins.read(pins.DEFAULT).kernels), pins.NEWEST, HOST]
    return [CompletionItem(name) for name in names if name.startswith(begun)]
