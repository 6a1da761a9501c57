"""The direction of the architecture (docs/internals.md): which folder may reach which; read from the source."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import scenarios
import tracer

TOP = Path(tracer.__file__).parents[1]
TREES = ("tracer", "scenarios", "probes")
SOURCES = {
    path.relative_to(TOP)
    .with_suffix("")
    .as_posix()
    .replace("/", ".")
    .removesuffix(".__init__"): ast.parse(path.read_text())
    for tree in TREES
    for path in (TOP / tree).rglob("*.py")
}
# probes/ holds only C: who imports it looks for the files
SOURCES.setdefault("probes", ast.parse(""))
PACKAGES = {name for name in SOURCES if (TOP / name.replace(".", "/")).is_dir()}
OURS = {name for name in SOURCES if name.split(".")[0] == "tracer"}

# What the modules of a folder may reach, directly or through others; a new folder has to be put here. Everybody may
# reach the small modules at tracer's top, which reach nothing: errors, places, quantities, terms and text.
MAKES_RECORDINGS = ("tracer.run", "tracer.capture", "tracer.bpf", "scenarios")
READS_RECORDINGS = ("tracer.report", "tracer.analysis", "tracer.statistics")
BOTH = ("tracer.recording", "tracer.kernel")
MAY = {
    "probes": (),
    "scenarios": (),
    "tracer.errors": (),
    "tracer.places": (),
    "tracer.quantities": (),
    "tracer.terms": (),
    "tracer.text": (),
    "tracer.kernel": (),
    "tracer.recording": ("tracer.kernel",),
    "tracer.analysis": BOTH,
    "tracer.statistics": (),
    "tracer.report": ("tracer.analysis", "tracer.statistics", *BOTH),
    "tracer.output": ("tracer.report", "tracer.statistics"),
    "tracer.bpf": BOTH,
    "tracer.capture": ("tracer.bpf", *BOTH),
    "tracer.run": ("tracer.capture", "tracer.bpf", "scenarios", *BOTH),
    "tracer.bench": (*MAKES_RECORDINGS, *BOTH),
    "tracer.claims": (*MAKES_RECORDINGS, *READS_RECORDINGS, *BOTH),
    "tracer.lab": ("tracer.capture", "tracer.bpf", "tracer.statistics", *BOTH),
    "tracer.tables": ("tracer.output", *READS_RECORDINGS, *BOTH),
    "tracer.cli": (
        *("tracer.output", "tracer.tables", "tracer.bench", "tracer.claims", "tracer.lab"),
        *(*MAKES_RECORDINGS, *READS_RECORDINGS, *BOTH),
    ),
    "tracer.__main__": TREES,
}
COMMON = (
    *("tracer.errors", "tracer.places", "tracer.quantities"),
    *("tracer.terms", "tracer.text"),
)
TRACES = (
    *("tracer.bpf", "tracer.capture", "tracer.run", "tracer.bench"),
    *("tracer.claims", "tracer.lab", "tracer.cli"),
)
# Who may reach what is not ours: each with the folders that may.
ONLY = {
    "bcc": TRACES,
    "click": ("tracer.cli",),
    "rich": ("tracer.output", "tracer.tables", "tracer.cli"),
    "subprocess": ("scenarios", *TRACES),
}
# Of analysis, from the ground up: each reaches only those before it.
FLOORS = (
    "tables",
    "steps",
    "threads",
    "identity",
    "operations",
    "counts",
    "listing",
    "verdict",
    "passes",
)
PRINTS = (
    "tracer.cli",
    "tracer.capture.exec_gate",
    "tracer.capture.spinner",  # to whom started it
    "tracer.bpf.bcc_compiler",
    "tracer.lab.roundtrip",
    "tracer.recording.trial",  # its child's end
    "tracer.run.twin",
)


def imported(tree: ast.Module) -> Iterator[str]:
    """The dotted names that a module imports, wherever in it; `from a import b` gives a, and a.b too."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            assert node.module
            yield from (node.module, *(f"{node.module}.{alias.name}" for alias in node.names))


def arrows(name: str) -> set[str]:
    """What a module imports: our modules by their names, others by their first part. A package that looks for its
    modules itself (pkgutil) imports them all. What runs as a program of its own is not imported."""
    found = set(imported(SOURCES[name]))
    ours = {its for its in found if its in SOURCES}
    if "pkgutil" in {its.split(".")[0] for its in found}:
        package = name if name in PACKAGES else name.rpartition(".")[0]
        ours |= {its for its in SOURCES if its.rpartition(".")[0] == package} - {name}
    ours |= {
        parent for its in ours for parent in parents(its)
    }  # a package's own file runs before its modules
    return (ours - {name}) | {its.split(".")[0] for its in found} - set(TREES)


def parents(name: str) -> Iterator[str]:
    while "." in name:
        name = name.rpartition(".")[0]
        yield name


def folders() -> set[str]:
    """Folders of tracer, its modules at the top, and the other trees."""
    return {".".join(name.split(".")[:2]) for name in OURS - {"tracer"}} | {*TREES} - {"tracer"}


def within(name: str, place: str) -> bool:
    return name == place or name.startswith(f"{place}.")


def reached(place: str) -> dict[str, str]:
    """Everything that the modules of a folder import, directly or through others, each with who imports it."""
    found, todo = {}, [name for name in SOURCES if within(name, place)]
    while todo:
        name = todo.pop()
        for its in arrows(name) - found.keys():
            found[its] = name
            if its in SOURCES:
                todo.append(its)
    return found


def calls(tree: ast.Module) -> set[str]:
    """The names of what is called: print, sleep in time.sleep(…)."""
    named = (node.func for node in ast.walk(tree) if isinstance(node, ast.Call))
    return {getattr(func, "id", getattr(func, "attr", "")) for func in named}


def builtins(tree: ast.Module) -> set[str]:
    """The names that are called as they stand: print(…), not console.print(…)."""
    return {
        node.func.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    }


def streams(tree: ast.Module) -> set[str]:
    """The standard streams that are named: sys.stdout."""
    named = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    return named & {"stdin", "stdout", "stderr"}


def test_there_is_something_to_look_at():
    assert {
        "tracer.cli.main",
        "tracer.capture.collector",
        "tracer.output.terminal",
    } <= SOURCES.keys()
    assert "tracer.analysis.operations.receives" in reached("tracer.report")
    assert "tracer.cli.run" in arrows("tracer.cli")  # by discovery
    assert "bcc" in reached("tracer.bpf.bcc_compiler") and "rich" in reached("tracer.output")
    assert "echo" in calls(SOURCES["tracer.cli.show"])


def test_each_folder_says_what_it_may_reach():
    assert folders() == MAY.keys()


@pytest.mark.parametrize("place", MAY)
def test_a_folder_reaches_only_what_it_may(place):
    found = reached(place)
    wrong = {
        f"{found[name]} imports {name}"
        for name in found
        if name.split(".")[0] in TREES and name != "tracer"
        if not any(within(name, may) for may in (place, *MAY[place], *COMMON))
    }
    assert not wrong


@pytest.mark.parametrize("package", ONLY)
def test_a_package_is_reached_only_by_those_who_may(package):
    may = (*ONLY[package], "tracer.__main__")
    wrong = {
        f"{found[package]} imports {package}"
        for place in folders()
        if place not in may and package in (found := reached(place))
    }
    assert not wrong


@pytest.mark.parametrize(
    ("floor", "above"), [(floor, FLOORS[i + 1 :]) for i, floor in enumerate(FLOORS[:-1])]
)
def test_the_floors_of_the_analysis(floor, above):
    found = reached(f"tracer.analysis.{floor}")
    assert not {
        f"{found[name]} imports {name}"
        for name in found
        for its in above
        if within(name, f"tracer.analysis.{its}")
    }


def test_output_imports_the_reports_contract_and_itself():  # and what everybody may reach
    wrong = {
        f"{user} imports {name}"
        for user in OURS
        if within(user, "tracer.output")
        for name in arrows(user)
        if within(name, "tracer")
        and name not in ("tracer", "tracer.report", "tracer.report.contract", *COMMON)
        and not within(name, "tracer.output")
    }
    assert not wrong


def test_rich_is_the_terminals_alone():
    users = {name for name in OURS if "rich" in arrows(name)}
    assert all(within(name, "tracer.output.terminal") for name in users), users


def test_only_one_module_speaks_to_bcc():
    assert {name for name in SOURCES if "bcc" in arrows(name)} == {"tracer.bpf.bcc_compiler"}


@pytest.mark.parametrize("name", sorted(name for name in OURS if within(name, "tracer.output")))
def test_outputs_open_and_print_nothing(name):
    assert not builtins(SOURCES[name]) & {"print"}
    assert not calls(SOURCES[name]) & {"open", "read_text", "read_bytes", "write_text", "echo"}
    assert not streams(SOURCES[name])


@pytest.mark.parametrize("name", sorted(name for name in OURS if within(name, "tracer.analysis")))
def test_the_scenarios_name_is_unknown_to_the_analysis(name):
    assert "scenario" not in {
        node.value for node in ast.walk(SOURCES[name]) if isinstance(node, ast.Constant)
    }


@pytest.mark.parametrize("name", sorted(OURS))
def test_only_the_command_line_prints(name):
    if not any(within(name, its) for its in PRINTS):
        assert not builtins(SOURCES[name]) & {"print", "input", "exit"}
        assert not calls(SOURCES[name]) & {"echo", "exit", "_exit"}


@pytest.mark.parametrize("name", sorted(OURS))
def test_nothing_sleeps(name):
    assert "sleep" not in calls(SOURCES[name])


@pytest.mark.parametrize(
    "path", sorted(Path(scenarios.__file__).parent.glob("*.py")), ids=lambda path: path.name
)
def test_scenarios_do_not_sleep_to_wait(path):
    assert "sleep" not in calls(ast.parse(path.read_text()))


@pytest.mark.parametrize("name", sorted(SOURCES))
def test_a_file_says_what_it_is(name):
    assert ast.get_docstring(SOURCES[name]) or not SOURCES[name].body
