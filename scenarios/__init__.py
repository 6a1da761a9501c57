"""The scenarios: one readable program per I/O model, found by looking in this directory (nothing to register)."""

from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from types import ModuleType


@dataclass(frozen=True)
class Scenario:
    """What a scenario module says of itself; what has a default here, a module need not say.

    model, instead, synchronous, completes and steady are what the textbook or the manual says of it: the tests hold the
    verdict against them. The analysis never reads them.
    """

    module: str  # dotted, as in `python -m scenarios.blocking`
    name: str
    summary: str
    protocols: tuple[str, ...]
    figure: str  # in Stevens, UNIX Network Programming, vol. 1, chapter 6
    model: str  # the verdict, as docs/json.md has it; "none" where nothing is sent
    aliases: tuple[str, ...] = ()
    instead: str | None = None  # what it does where nothing is sent, as docs/json.md has it
    synchronous: bool = True  # as POSIX has the word
    completes: bool = False  # a call or a signal tells of the data after the copy
    steady: bool = True  # how often it makes which call does not depend on who is quicker
    sockets: int = 1  # the most that it can watch
    sockets_why: str = "it has one socket; select, poll and epoll can watch many"
    sockets_default: int = 1  # how many sockets it has if nothing is said
    taskrun: bool = False  # it has the option --taskrun

    @property
    def twin(self) -> Path | None:
        """The file of its C twin (epoll_lt.py → c/epoll_lt.c), None where there is none."""
        path = Path(__file__).with_name("c") / f"{self.module.rpartition('.')[2]}.c"
        return path if path.is_file() else None

    @property
    def languages(self) -> tuple[str, ...]:
        """What it is written in: "python" always, "c" where it has a twin."""
        return ("python", "c") if self.twin else ("python",)


def described(module: ModuleType) -> Scenario:
    """The scenario that a module describes: its NAME, SUMMARY …, each a field of Scenario; raises TypeError where one
    is missing."""
    fields = set(Scenario.__dataclass_fields__) - {"module"}
    stated = {
        name: getattr(module, name.upper()) for name in fields if hasattr(module, name.upper())
    }
    return Scenario(module=module.__name__, **stated)


def scenarios() -> list[Scenario]:
    """Every scenario in the order of the textbook's figures."""
    modules = [
        import_module(f"{__name__}.{info.name}")
        for info in iter_modules(__path__)
        if not info.ispkg
    ]
    return sorted(map(described, modules), key=lambda scenario: (scenario.figure, scenario.name))


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
