"""The direction of the architecture (docs/internals.md): who may import, print and sleep; read from the source."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import scenarios
import tracer

TRACER = Path(tracer.__file__).parent
SOURCES = {str(path.relative_to(TRACER)): ast.parse(path.read_text()) for path in TRACER.rglob("*.py")}
ANALYSIS = ("records", "columns", "timeline", "asof", "descriptors", "signals", "aio", "readiness", "operations",
            "models", "stats", "states", "tallies", "example", "report", "sums", "activity", "usage", "scans", "wakers",
            "filenames", "processes", "advice", "overview", "filters", "decode", "events", "boundaries", "nearest",
            "completions", "lanes", "futexes", "wakeups", "waiting", "comparison",
            *(name.removesuffix(".py").replace("/", ".") for name in SOURCES if name.startswith("claims/")))
COMMANDS = tuple(name for name in SOURCES if name.startswith("commands/"))
MAY_PRINT = ("cli.py", "gate.py", *COMMANDS)


def imports(tree: ast.Module) -> set[str]:
    """Dotted names that a module imports, wherever in it; `from a import b` counts as a and a.b."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


def source(module: str) -> str:
    """The file of a module of tracer."""
    return f"{module.replace('.', '/')}.py"


def rooms(name: str) -> set[str]:
    """The modules of tracer that one imports."""
    modules = {path.removesuffix(".py").replace("/", ".") for path in SOURCES}
    return {found.removeprefix("tracer.") for found in imports(SOURCES[name])} & modules


def calls(tree: ast.Module) -> set[str]:
    """The names of what is called: print, sleep in time.sleep(…)."""
    named = (node.func for node in ast.walk(tree) if isinstance(node, ast.Call))
    return {getattr(func, "id", getattr(func, "attr", "")) for func in named}


def builtins(tree: ast.Module) -> set[str]:
    """The names that are called as they stand: print(…), not console.print(…)."""
    return {node.func.id for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)}


def test_there_is_something_to_look_at():
    assert {"cli.py", "session.py", "render/terminal.py"} <= SOURCES.keys()
    assert "operations" in rooms("report.py") and "echo" in calls(SOURCES["commands/common.py"])


def test_only_the_compiling_speaks_to_bcc():
    users = {name for name, tree in SOURCES.items() if any(found.split(".")[0] == "bcc" for found in imports(tree))}
    assert users == {"bcc_compiler.py"}


@pytest.mark.parametrize("name", sorted(name for name in SOURCES if name.startswith("render/")))
def test_renderers_know_the_report_alone(name):
    ours = {found for found in imports(SOURCES[name]) if found.split(".")[0] in ("tracer", "scenarios", "probes")}
    assert all(found.startswith("tracer.render") for found in ours)
    assert not builtins(SOURCES[name]) & {"open", "print"}
    assert not calls(SOURCES[name]) & {"read_text", "write_text", "echo"}


@pytest.mark.parametrize("name", ANALYSIS)
def test_analysis_needs_no_kernel_and_no_terminal(name):
    reached, todo = set(), [name]
    while todo:
        module = todo.pop()
        if module not in reached:
            reached.add(module)
            todo += rooms(source(module))
    assert not reached & {"session", "attachment", "cli", "experiment", "target", "features", "ring", "recording", "gate"}
    for module in reached:
        outside = {found.split(".")[0] for found in imports(SOURCES[source(module)])}
        assert not outside & {"bcc", "click", "rich", "subprocess", "scenarios", "probes"}
        assert not any(found.startswith("tracer.render") for found in imports(SOURCES[source(module)]))


def test_the_scenarios_name_is_unknown_to_the_analysis():
    for name in set(ANALYSIS) - {"report"}:
        assert "scenario" not in {node.value for node in ast.walk(SOURCES[source(name)])
                                  if isinstance(node, ast.Constant)}


@pytest.mark.parametrize(("room", "allowed"), [("records", set()), ("target", {"gate"}), ("ring", {"columns", "records"}),
                                               ("recording", {"records", "columns", "syscalls", "memory"}),
                                               ("columns", {"records"}), ("stats", set()), ("asof", set()),
                                               ("readiness", set()), ("timeline", {"columns", "records", "syscalls"})])
def test_rooms_import_no_more_than_they_may(room, allowed):
    assert rooms(f"{room}.py") <= allowed


@pytest.mark.parametrize("name", sorted(SOURCES))
def test_only_the_command_line_prints(name):
    if name not in MAY_PRINT:
        assert not builtins(SOURCES[name]) & {"print", "input", "exit"}
        assert not calls(SOURCES[name]) & {"echo", "exit", "_exit"}


@pytest.mark.parametrize("name", sorted(SOURCES))
def test_nothing_sleeps(name):
    assert "sleep" not in calls(SOURCES[name])


@pytest.mark.parametrize("path", sorted(Path(scenarios.__file__).parent.glob("*.py")), ids=lambda path: path.name)
def test_scenarios_know_nothing_of_the_tracer(path):
    tree = ast.parse(path.read_text())
    assert not {found.split(".")[0] for found in imports(tree)} & {"tracer", "probes", "bcc"}
    assert "sleep" not in calls(tree)


@pytest.mark.parametrize("name", sorted(SOURCES))
def test_a_file_says_what_it_is(name):
    assert ast.get_docstring(SOURCES[name]) or not SOURCES[name].body
