"""The scenarios: one readable program per I/O model, found by looking in this directory (nothing to register)."""

from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules


@dataclass(frozen=True)
class Scenario:
    """What a scenario module says of itself; `module` is its dotted name, as in `python -m scenarios.blocking`."""

    name: str
    summary: str
    protocols: tuple[str, ...]
    aliases: tuple[str, ...]
    figure: str  # in Stevens, UNIX Network Programming, vol. 1, chapter 6
    module: str
    sockets: int  # the most that it can watch
    sockets_why: str
    watched: int  # how many sockets it has if nothing is said

    @property
    def twin(self) -> Path | None:
        """The file of its C twin (epoll_lt.py → c/epoll_lt.c), None where there is none."""
        path = Path(__file__).with_name("c") / f"{self.module.rpartition('.')[2]}.c"
        return path if path.is_file() else None

    @property
    def languages(self) -> tuple[str, ...]:
        """What it is written in: "python" always, "c" where it has a twin."""
        return ("python", "c") if self.twin else ("python",)


def scenarios() -> list[Scenario]:
    """Every scenario in the order of the textbook's figures; a module without NAME (workload, sender) is none."""
    modules = [
        import_module(f"{__name__}.{found.name}")
        for found in iter_modules(__path__)
        if not found.ispkg
    ]
    return sorted(
        (
            Scenario(
                m.NAME,
                m.SUMMARY,
                m.PROTOCOLS,
                m.ALIASES,
                m.FIGURE,
                m.__name__,
                getattr(m, "SOCKETS", 1),
                getattr(
                    m, "SOCKETS_WHY", "it has one socket; select, poll and epoll can watch many"
                ),
                getattr(m, "SOCKETS_DEFAULT", 1),
            )
            for m in modules
            if hasattr(m, "NAME")
        ),
        key=lambda scenario: (scenario.figure, scenario.name),
    )


def names() -> list[str]:
    """The scenarios' names as the command line spells them."""
    return [scenario.name for scenario in scenarios()]


def find(name: str) -> Scenario:
    """The scenario called `name`, or that has it as an alias; raises LookupError when there is none."""
    wanted = name.lower().replace("_", "-")
    for scenario in scenarios():
        if wanted == scenario.name or wanted in scenario.aliases:
            return scenario
    raise LookupError(f"no scenario {name!r}; there are {', '.join(names())}")
