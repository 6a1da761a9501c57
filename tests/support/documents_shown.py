"""The commands that README.md and the pages of docs/ show: where, and whether iotrace's own command line takes them."""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path

import click
from support.running import ROOT

from tracer.cli.main import main

sys.path.insert(0, str(ROOT / "docs" / "tools"))
import check_site  # noqa: F401 # of docs/tools, as the next two; tests have them from here
import examples  # noqa: F401 # the same
import shown

# Words that stand for the reader's own, by one that has the same form.
PLACEHOLDERS = {"PID": "1", "N": "1", "SECONDS": "1", "NAME": "blocking", "COMMAND": "run"}
# One command of a line of the shell's.
PIPED = re.compile(r"(?:'[^']*'|\"[^\"]*\"|[^'\"|;&])+")
# What is no whole command line: a synopsis, or one that goes on elsewhere.
OPEN = re.compile(r"\[[A-Z-]|…|\.\.\.")
INLINE = re.compile(r"`((?:sudo )?(?:iotrace|make) [^`]+)`")
MAKE_VARIABLE = re.compile(r"[A-Z]+=")


def pages() -> list[Path]:
    """README and the pages, in every language."""
    return shown.pages()


def lines(page: Path) -> Iterator[tuple[str, str]]:
    """(docs/faq.md:12, the command line) of each command of iotrace, make or python3 -m that a page shows."""
    where = page.relative_to(ROOT)
    fenced, continued = False, ""
    for number, line in enumerate(page.read_text().splitlines(), 1):
        fenced ^= line.startswith("```")
        code = line.strip() if line.startswith("    ") or fenced else ""
        if continued or code.endswith("\\"):
            continued, code = (
                (continued + code.rstrip("\\"), "")
                if code.endswith("\\")
                else ("", continued + code)
            )
        texts = [code] if code else INLINE.findall(line)
        if match := shown.COMMENT.fullmatch(line.strip()):
            texts = [shown.STATUS.sub("", match["command"])]
        for text in texts:
            for command in commands(text):
                yield f"{where}:{number}", command


def commands(text: str) -> Iterator[str]:
    """The command lines in a line of a page that are to be checked."""
    text = re.sub(r"\s+#.*", "", text.removeprefix("$ "))
    text = re.sub(r"\$\([^)]*\)", "1", text)
    for part in PIPED.findall(text):
        bare = re.sub(r"^\s*(?:sudo |chrt -r 1 )*", "", part).strip()
        if re.match(r"(?:iotrace|make|python3 -m) \S", bare) and not OPEN.search(bare):
            yield bare


def fault(command: str) -> str:
    """Why a command line would not be taken; "" where it is."""
    words = shlex.split(command, comments=True)
    words = [PLACEHOLDERS.get(word, word) for word in words]
    if words[0] == "make":
        return make_fault(words[1:])
    if words[0] == "python3":
        path = ROOT / words[2].replace(".", "/")
        return "" if path.with_suffix(".py").exists() or path.is_dir() else f"no module {words[2]}"
    return iotrace_fault(words[1:])


def make_fault(words: list[str]) -> str:
    targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.M))
    wrong = [word for word in words if word not in targets and not MAKE_VARIABLE.match(word)]
    return f"no target {wrong[0]}" if wrong else ""


def iotrace_fault(words: list[str]) -> str:
    """Parses it as the command line does, and runs nothing. A command's name alone is its name, not a line to type."""
    command: click.Command = main
    context = None
    name = "iotrace"
    if {"--help", "-h", "--version"} & set(words):  # these print, as soon as they are read
        words = [word for word in words if word not in ("--help", "-h", "--version")]
        return iotrace_fault(words) if len(words) > 1 else ""
    try:
        while True:
            context = command.make_context(name, list(words), parent=context)
            with context:
                if not isinstance(command, click.Group):
                    return below(context)
                rest = [*context._protected_args, *context.args]
                if not rest:
                    return ""
                found_name, found, words = command.resolve_command(context, rest)
                assert found and found_name
                name, command = found_name, found
    except click.exceptions.Exit:  # --help, --version
        return ""
    except click.ClickException as error:
        return "" if not words and name == command.name else error.format_message()


def below(context: click.Context) -> str:
    """What follows `--` of the lab's commands is a command line, or options of `run`."""
    rest: list[str] = context.meta.get("rest") or []
    if context.command_path == "iotrace lab matrix":
        return iotrace_fault(["run", "blocking", *rest])
    return iotrace_fault(rest) if rest else ""
