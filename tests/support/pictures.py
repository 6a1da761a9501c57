"""Pictures of the recordings in tests/data, and the golden files that they are compared with.

python -m support.pictures        (from tests/) makes the golden files anew: look at them before they are kept.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

from tracer.output import svg
from tracer.output.format import Options
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


def picture_of(name: str) -> str:
    """The SVG of a recording in tests/data."""
    path = str(DATA / f"{name}.parquet")
    report = build.build(partial(parquet.columns, path), parquet.read_facts(path))
    return "".join(svg.render(report, Options()))


if __name__ == "__main__":
    GOLDEN.mkdir(exist_ok=True)
    for kept in KEPT:
        (GOLDEN / f"{kept}.svg").write_text(picture_of(kept))
