"""--help of every command has its exit statuses and examples, and each example is a command line that parses."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator

import click
import pytest

from tracer.cli.main import main


def commands(command: click.Command, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The path of every command below this one, and its own."""
    yield path
    for name, its in getattr(command, "commands", {}).items():
        yield from commands(its, (*path, name))


def help_of(path: tuple[str, ...]) -> str:
    command: click.Command = main
    context = click.Context(main, info_name="iotrace")
    for name in path:
        command = command.commands[name]  # type: ignore[attr-defined]  # a group's
        context = click.Context(command, info_name=name, parent=context)
    return command.get_help(context)


@pytest.mark.parametrize("path", [*commands(main)], ids=" ".join)
def test_every_command_has_statuses_and_examples(path: tuple[str, ...]) -> None:
    text = help_of(path)
    assert all(len(line) <= 80 for line in text.splitlines())
    statuses = text.partition("Exit status:\n")[2].partition("\n\n")[0].splitlines()
    assert len(statuses) >= 2 and all(re.match(r"    (\d+|N) +\S", line) for line in statuses)
    assert "--color [auto|always|never]" in text and "--debug" in text
    examples = [line.strip() for line in text.partition("Examples:\n")[2].splitlines() if line]
    assert examples
    for example in examples:
        assert example.startswith(" ".join(("iotrace", *path[:1]))), example
        parsed(re.sub(r"\$\([^)]*\)", "4711", example))


def test_the_sentence_of_each_command_is_whole() -> None:
    for path in ((), ("lab",)):
        listed = help_of(path).partition("Commands:\n")[2].partition("Exit status:")[0]
        assert listed.count("\n") > 5 and "..." not in listed
    assert "Trace running processes, without stopping them, until Ctrl-C, -d" in help_of(())


def parsed(line: str) -> None:
    """Parses a command line, and runs nothing; raises click.ClickException."""
    words = shlex.split(line)[1:]
    if words[:1] == ["COMMAND"]:
        return
    command: click.Command = main
    context = click.Context(main, info_name="iotrace")
    while isinstance(command, click.Group):
        name, *words = words
        command = command.commands[name]
        if words and not isinstance(command, click.Group):
            context = command.make_context(name, words, parent=context)
    assert "--help" not in words


def test_an_example_that_does_not_parse_is_found() -> None:
    for line in ("iotrace run blokking", "iotrace attach -d soon 1", "iotrace list --jsn"):
        with pytest.raises(click.ClickException):
            parsed(line)
