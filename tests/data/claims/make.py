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


def trial(name: str) -> tuple[str, ...]:
    return twin(f"trials/{name}")


def counter(name: str) -> tuple[str, ...]:
    source = HERE / "counter" / f"{name}.c"
    if source.exists():
        return (str(built(source)),)
    return sys.executable, "-m", f"tests.data.claims.counter.{name}"


RUNS = {
    "threads": (twin("threads"), Options(10, 1 * MS, sockets=10)),
    "epoll-lt-10": (twin("epoll_lt"), Options(10, 1 * MS, sockets=10)),
    **{
        name.replace("_", "-"): (trial(name), Options(3, proto="none"))
        for name in (
            *("crowd_threads", "crowd_threads_batch", "crowd_epoll", "crowd_epoll_batch"),
            *("crowd_select", "crowd_poll"),
        )
    },
    "neighbour": (module("trials.neighbour"), Options(5, 5 * MS)),
    "nonblocking-long": (module("nonblocking"), Options(5, 1 * MS)),
    "polite": (counter("polite"), Options(5, 1 * MS)),
    **{
        f"{name}-4": (module(name.replace("-", "_")), Options(8, 1 * MS, sockets=4))
        for name in ("select", "poll", "epoll-lt")
    },
    "watching": (counter("fewer"), Options(2, proto="none")),
    "all-readable": (counter("all_readable"), Options(2, proto="none")),
    "watching-cold": (counter("fewer_cold"), Options(2, proto="none")),
    "ignored": (counter("ignored"), Options(2, proto="none")),
    "one-bit": (counter("one_bit"), Options(2, proto="none")),
    "stopped": (counter("stopped"), Options(5, 5 * MS)),
    "shortlived": (trial("shortlived"), Options(10, proto="none")),
    "longlived": (counter("longlived"), Options(10, proto="none")),
    "sigsuspend": (trial("sigsuspend"), Options(10, 1 * MS)),
    "early": (counter("early"), Options(5, 1 * MS)),
    "modified": (module("trials.modified"), Options(2, proto="none")),
    "write-space": (module("trials.write_space"), Options(2, proto="none")),
    "writable": (counter("writable"), Options(2, proto="none")),
    "oneshot": (counter("oneshot"), Options(2, proto="none")),
    "levels": (module("trials.levels"), Options(2, proto="none")),
    "edges": (module("trials.edges"), Options(2, proto="none")),
    "concurrent": (module("concurrent"), Options(4, 2 * MS, proto="none")),
    "parallel": (module("parallel"), Options(10, 2 * MS, proto="none")),
    **{name: (twin(name), Options(5, 1 * MS, proto="none")) for name in ("lock", "condition")},
    **{
        name.replace("_", "-"): (trial(name), Options(8, 1 * MS, proto="none"))
        for name in ("mutex", "lock_pi", "condvar", "barrier")
    },
    **{
        name: (counter(name), Options(5, 1 * MS, proto="none"))
        for name in ("impatient", "forsaken")
    },
    "silent": (counter("silent"), Options(1, proto="none")),
    "outstanding": (trial("outstanding"), Options(2, proto="none")),
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
