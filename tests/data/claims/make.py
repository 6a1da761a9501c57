"""Make the recordings that tests/recordings/test_claims.py judges: real runs on this machine's kernel, as root.

Some are of programs that do otherwise than a claim says (counter/).

    python3 tests/data/claims/make.py [NAME…]     from the clone's directory
"""

import sys
from pathlib import Path

from scenarios.kit.options import Options
from tracer.kernel import features
from tracer.run import scenario
from tracer.run.twin import SOURCES, built

HERE = Path(__file__).parent
MOST_BYTES = 100_000
MS = 1_000_000


def module(name: str) -> tuple[str, ...]:
    return sys.executable, "-m", f"scenarios.{name}"


def twin(name: str) -> tuple[str, ...]:
    return (str(built(SOURCES / f"{name}.c")),)


def counter(name: str) -> tuple[str, ...]:
    return sys.executable, "-m", f"tests.data.claims.counter.{name}"


RUNS = {
    "threads": (twin("threads"), Options(10, 1 * MS, sockets=10)),
    "epoll-lt-10": (twin("epoll_lt"), Options(10, 1 * MS, sockets=10)),
    "crowdthreads": (module("trials.crowdthreads"), Options(3, proto="none")),
    "crowdprocess": (module("trials.crowdprocess"), Options(3, proto="none")),
    "neighbour": (module("trials.neighbour"), Options(5, 5 * MS)),
    "nonblocking-long": (module("nonblocking"), Options(5, 1 * MS)),
    "polite": (counter("polite"), Options(5, 1 * MS)),
    **{
        f"{name}-4": (module(name.replace("-", "_")), Options(8, 1 * MS, sockets=4))
        for name in ("select", "poll", "epoll-lt")
    },
    "watching": (counter("fewer"), Options(3, proto="none")),
    "all-readable": (counter("all_readable"), Options(3, proto="none")),
    "shortlived": (module("trials.shortlived"), Options(10, proto="none")),
    "levels": (module("trials.levels"), Options(2, proto="none")),
    "edges": (module("trials.edges"), Options(2, proto="none")),
    "concurrent": (module("concurrent"), Options(4, 2 * MS, proto="none")),
    "parallel": (module("parallel"), Options(10, 2 * MS, proto="none")),
    "lock": (module("lock"), Options(5, 1 * MS, proto="none")),
    "condition": (module("condition"), Options(5, 1 * MS, proto="none")),
    "outstanding": (twin("trials/outstanding"), Options(2, proto="none")),
    "awaited": (counter("awaited"), Options(2, proto="none")),
    "told-early": (counter("told_early"), Options(5, 1 * MS)),
    **{
        f"io-uring-{taskrun}": (twin("io_uring"), Options(5, 1 * MS, taskrun=taskrun))
        for taskrun in ("coop", "defer")
    },
    "beyond": (module("trials.beyond"), Options(1, proto="none")),
    "unchecked": (counter("unchecked"), Options(1, proto="none")),
}


def main() -> None:
    found = features.find()
    for name in sys.argv[1:] or RUNS:
        program, options = RUNS[name]
        plan = scenario.ScenarioPlan(
            name, "python", program, options, 30, None, 16 << 20, measure_cost=False
        )
        path = HERE / f"{name}.parquet"
        scenario.traced(plan, found, str(path), lambda count: None)
        size = path.stat().st_size
        print(f"{name}: {size} bytes" + (", TOO MANY" if size > MOST_BYTES else ""))


if __name__ == "__main__":
    main()
