"""The manual as the command line itself states it: one page a command, for man(1) (tracer/cli/roff.py) and for the
documentation's reference; `python -m tracer.cli.manual DIRECTORY` writes what an installation has of it."""

from __future__ import annotations

import inspect
import os
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import click

from tracer.errors import CANNOT, FAILED, LOST, USAGE

STATUSES = {
    0: "Done. Ctrl-C ends a run and shows what there is: that is done, too.",
    FAILED: "The run failed or timed out.",
    USAGE: "Wrong usage.",
    CANNOT: "This machine cannot: what is missing is said, and what to do.",
    LOST: "Events were lost, under --strict.",
}
AS_ENV = {
    125: "iotrace itself failed, wrong usage included.",
    126: "COMMAND is not executable.",
    127: "COMMAND was not found.",
    LOST: "Events were lost, under --strict.",
}


@dataclass(frozen=True)
class Entry:
    """A term and what is said of it: an option, a command, a status."""

    term: str
    text: str


@dataclass(frozen=True)
class Block:
    """A paragraph; verbatim: one whose lines and spaces stand as they are."""

    text: str
    verbatim: bool = False


@dataclass(frozen=True)
class Page:
    """One command. path: ("iotrace", "lab", "run"); epilog: what stands below the options in --help."""

    path: tuple[str, ...]
    usage: str
    description: tuple[Block, ...]
    options: tuple[Entry, ...]
    commands: tuple[Entry, ...]
    statuses: tuple[Entry, ...]
    epilog: tuple[Block, ...]

    @property
    def name(self) -> str:
        """What its page is called: iotrace-lab-run."""
        return "-".join(self.path)

    @property
    def summary(self) -> str:
        """What the command does, on one line and without a full stop."""
        first = " ".join(self.description[0].text.split()) if self.description else ""
        return first.removesuffix(".")


def pages(command: click.Command, prog: str = "iotrace") -> Iterator[Page]:
    """The page of a command, and those of the commands below it."""
    yield from _pages(command, prog, None)


def _pages(command: click.Command, name: str, parent: click.Context | None) -> Iterator[Page]:
    context = command.context_class(
        command, info_name=name, parent=parent, **command.context_settings
    )
    children = _children(command, context)
    path = tuple(context.command_path.split())
    yield Page(
        path,
        " ".join(command.collect_usage_pieces(context)),
        tuple(blocks(command.help)),
        tuple(_options(command, context)),
        tuple(Entry(child.name or "", _sentence(child)) for child in children),
        tuple(Entry(str(status), text) for status, text in _statuses(command).items()),
        tuple(blocks(command.epilog)),
    )
    for child in children:
        yield from _pages(child, child.name or "", context)


def _children(command: click.Command, context: click.Context) -> list[click.Command]:
    if not isinstance(command, click.Group):
        return []
    found = (command.get_command(context, name) for name in command.list_commands(context))
    return [child for child in found if child and not child.hidden]


def _sentence(command: click.Command) -> str:
    """The first paragraph of what is said of it, on one line."""
    return next((" ".join(block.text.split()) for block in blocks(command.help)), "")


def _options(command: click.Command, context: click.Context) -> Iterator[Entry]:
    for param in command.get_params(context):
        record = param.get_help_record(context)
        if record and record[1]:  # an argument has a text where something is to be said of it
            yield Entry(record[0].strip(), " ".join(record[1].split()))


def _statuses(command: click.Command) -> dict[int, str]:
    """The exit statuses; a command that has another's as its own says so by `own_status`."""
    if getattr(command, "own_status", None):
        return {0: "COMMAND's own status, 128 + n where signal n ended it.", **AS_ENV}
    return STATUSES


def blocks(text: str | None) -> Iterator[Block]:
    r"""The paragraphs of a help text; one that begins with \b, click's sign, keeps its lines."""
    for paragraph in inspect.cleandoc(text or "").split("\n\n"):
        lines = paragraph.strip("\n").splitlines()
        verbatim = bool(lines) and lines[0].strip() == "\b"
        kept = lines[1:] if verbatim else lines
        if any(line.strip() for line in kept):
            yield Block("\n".join(kept), verbatim)


def write(directory: Path) -> None:
    """What an installation has below its share/: man pages, and completions for bash, zsh and fish; raises OSError."""
    from tracer import __version__
    from tracer.cli import completion, roff
    from tracer.cli.main import main

    files = {f"man/man1/{page.name}.1": page for page in pages(main)}
    names = [page.name for page in files.values()]
    day = time.gmtime(int(os.environ.get("SOURCE_DATE_EPOCH", time.time())))
    head = f'"{time.strftime("%Y-%m-%d", day)}" "iotrace {__version__}" "User Commands"'
    texts = {path: roff.page(page, names, head) for path, page in files.items()}
    for path, text in {**texts, **completion.scripts(main)}.items():
        target = directory / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    write(Path(sys.argv[1]))
