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
PACKAGES = {name for name in SOURCES if (TOP / name.replace(".", "/")).is_dir()}
OURS = {name for name in SOURCES if name.split(".")[0] == "tracer"}

# A folder reaches nothing of these, directly or through others.
NEVER = {
    "tracer.kernel": (
        "tracer.recording",
        "tracer.analysis",
        "tracer.capture",
        "tracer.bpf",
        "rich",
    ),
    "tracer.recording": (
        "tracer.analysis",
        "tracer.capture",
        "tracer.bpf",
        "tracer.run",
        "tracer.cli",
        "bcc",
        "rich",
    ),
    "tracer.analysis": (
        "tracer.capture",
        "tracer.bpf",
        "tracer.run",
        "tracer.report",
        "tracer.output",
        "tracer.claims",
        "tracer.lab",
        "tracer.cli",
        "scenarios",
        "probes",
        "bcc",
        "click",
        "subprocess",
        "rich",
    ),
    "tracer.report": (
        "tracer.capture",
        "tracer.bpf",
        "tracer.run",
        "tracer.output",
        "tracer.claims",
        "tracer.lab",
        "tracer.cli",
        "scenarios",
        "probes",
        "bcc",
        "click",
        "subprocess",
        "rich",
    ),
    "tracer.output": (
        "tracer.capture",
        "tracer.bpf",
        "tracer.run",
        "tracer.analysis",
        "tracer.recording",
        "tracer.kernel",
        "tracer.claims",
        "tracer.lab",
        "tracer.cli",
        "scenarios",
        "probes",
        "bcc",
        "click",
        "subprocess",
    ),
    "tracer.bpf": (
        "tracer.capture",
        "tracer.run",
        "tracer.analysis",
        "tracer.report",
        "tracer.output",
        "tracer.cli",
    ),
    "tracer.capture": (
        "tracer.run",
        "tracer.analysis",
        "tracer.report",
        "tracer.output",
        "tracer.cli",
        "rich",
    ),
    "tracer.run": ("tracer.output", "tracer.cli", "tracer.lab", "rich"),
    "scenarios": ("tracer", "probes", "bcc"),
}
# Of analysis, from the ground up: each reaches only those before it.
FLOORS = ("tables", "threads", "identity", "operations", "counts", "listing", "verdict")
PRINTS = (
    "tracer.cli",
    "tracer.capture.exec_gate",
    "tracer.bpf.bcc_compiler",
    "tracer.lab.roundtrip",
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


@pytest.mark.parametrize("place", NEVER)
def test_a_folder_reaches_nothing_above_it(place):
    found = reached(place)
    wrong = {
        f"{found[name]} imports {name}"
        for name in found
        for never in NEVER[place]
        if within(name, never) and not within(name, place)
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


def test_output_imports_the_reports_contract_and_itself():  # and text.py, which is about any text
    wrong = {
        f"{user} imports {name}"
        for user in OURS
        if within(user, "tracer.output")
        for name in arrows(user)
        if within(name, "tracer")
        and name not in ("tracer", "tracer.report", "tracer.report.contract", "tracer.text")
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
    assert not builtins(SOURCES[name]) & {"open", "print"}
    assert not calls(SOURCES[name]) & {"read_text", "write_text", "echo"}


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
