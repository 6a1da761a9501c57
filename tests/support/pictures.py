"""Reports and pictures of the recordings in tests/data, and the golden files that they are compared with.

python -m support.pictures        (from tests/) makes the golden files anew: look at them before they are kept.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from json import dumps, loads
from pathlib import Path
from typing import Any

from tracer.output import json, svg, terminal
from tracer.output.format import Format, Kind, Options
from tracer.recording import parquet
from tracer.report import build

DATA = Path(__file__).parents[1] / "data"
GOLDEN = DATA / "pictures"
RECORDINGS = sorted(path.stem for path in DATA.glob("*.parquet"))
KEPT = (
    "blocking",
    "nonblocking",
    "epoll-lt",
    "epoll-et-stuck",
    "signal",
    "posix-aio",
    "io-uring-worker",
    "linux-aio",
)


@cache
def report_of(name: str) -> Any:
    """The report on a recording in tests/data."""
    path = str(DATA / f"{name}.parquet")
    return build.build(partial(parquet.columns, path), parquet.read_facts(path))


def _made(format_: Format, options: Options, name: str) -> str:
    return "".join(map(str, format_.renders[Kind.REPORT](report_of(name), options)))


def picture_of(name: str) -> str:
    """The SVG of a recording in tests/data."""
    return _made(svg.FORMAT, Options(), name)


def text_of(name: str, width: int = 80) -> str:
    """What the terminal shows of it by default."""
    return _made(terminal.FORMAT, Options(width=width), name)


def json_of(name: str) -> str:
    """The same as JSON, a key a line."""
    return dumps(loads(_made(json.FORMAT, Options(), name)), indent=1) + "\n"


MAKERS: dict[str, tuple[Callable[[str], str], tuple[str, ...]]] = {
    "svg": (picture_of, KEPT),
    "txt": (text_of, ("blocking", "signal", "posix-aio")),
    "narrow.txt": (partial(text_of, width=50), ("epoll-lt", "io-uring-worker")),
    "json": (json_of, ("blocking",)),
}
"""Of each kind of golden file what makes it, and of which recordings it is kept."""


if __name__ == "__main__":
    GOLDEN.mkdir(exist_ok=True)
    for ending, (make, names) in MAKERS.items():
        for kept in names:
            (GOLDEN / f"{kept}.{ending}").write_text(make(kept))
