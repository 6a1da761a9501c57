"""A page of the manual in the language of man(7), as man-db, mandoc and groff read it."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Iterator

from tracer.cli.manual import Block, Entry, Page

_WIDTH = (
    72  # of a line of the source, whose bytes are more; what is shown is as wide as the terminal
)
_OTHERS = ("strace(1)", "perf(1)", "bpftrace(8)", "epoll(7)", "aio(7)", "io_uring(7)")
_FILES = (
    Entry("/var/cache/iotrace", "Probes compiled for this kernel."),
    Entry("~/.cache/iotrace", "Compiled twins of scenarios (--lang c); kernels of iotrace lab."),
)


def page(page_: Page, names: Iterable[str], head: str) -> str:
    """The page. names: of all pages, for those that are related; head: what follows name and section in .TH."""
    lines = [
        f'.TH "{_text(page_.name.upper())}" "1" {head}',
        *_section("NAME", _filled(f"{page_.name} - {page_.summary}")),
        *_section("SYNOPSIS", [f".B {_text(' '.join(page_.path))}", _text(page_.usage)]),
        *_section("DESCRIPTION", _blocks(page_.description)),
        *_section("COMMANDS", _entries(page_.commands)),
        *_section("OPTIONS", _entries(page_.options)),
        *_epilog(page_.epilog),
    ]
    if not any("exit status" in block.text.lower() for block in page_.epilog):
        lines += _section("EXIT STATUS", _entries(page_.statuses))
    lines += _section("FILES", _entries(_FILES))
    lines += _section("SEE ALSO", _filled(", ".join([*_related(page_, names), *_OTHERS])))
    return "\n".join(lines) + "\n"


def _related(page_: Page, names: Iterable[str]) -> list[str]:
    """The pages above, beside and below."""
    above = "-".join(page_.path[:-1]) or page_.name
    near = (
        name for name in names if name == above or name.rpartition("-")[0] in (above, page_.name)
    )
    return [f"{name}(1)" for name in near if name != page_.name]


def _section(head: str, lines: Iterable[str]) -> list[str]:
    """Nothing where it would be empty."""
    content = list(lines)
    return [f".SH {head}", *content] if content else []


def _blocks(blocks: Iterable[Block]) -> Iterator[str]:
    for number, block in enumerate(blocks):
        if number:
            yield ".PP"
        if block.verbatim:
            yield from (".nf", *map(_text, block.text.splitlines()), ".fi")
        else:
            yield from _filled(block.text)


def _epilog(blocks: Iterable[Block]) -> Iterator[str]:
    """A block whose first line ends with a colon is a section of that name: `Examples:`."""
    for block in blocks:
        head, _, rest = block.text.partition("\n")
        if head.endswith(":") and rest:
            lines = textwrap.dedent(rest)
            yield from _section(head[:-1].upper(), _blocks([Block(lines, block.verbatim)]))
        else:
            yield from (".PP", *_blocks([block]))


def _entries(entries: Iterable[Entry]) -> Iterator[str]:
    for entry in entries:
        yield from (".TP", f".B {_text(entry.term)}", *_filled(entry.text))


def _filled(text: str) -> Iterator[str]:
    """Prose, a line of the source at most so wide; `code` is bold."""
    escaped = re.sub(r"`([^`]*)`", r"\\fB\1\\fR", _text(" ".join(text.split())))
    for line in textwrap.wrap(escaped, _WIDTH, break_on_hyphens=False, break_long_words=False):
        yield _begun(line)


def _text(text: str) -> str:
    """As it is: no backslash, hyphen or first character of a line is a command's."""
    return _begun(text.replace("\\", "\\e").replace("-", "\\-"))


def _begun(line: str) -> str:
    """A line of text that is no request, whatever it begins with."""
    return f"\\&{line}" if line.startswith((".", "'")) else line
