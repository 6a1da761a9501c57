"""tracer/run/twin.py: C twins compiled once, with the libraries that they need, kept where nobody else can write."""

from __future__ import annotations

import os
import re
import shutil
import stat
import subprocess
from pathlib import Path

import pytest
from support.running import NOBODY, PYTHON, ROOT

from scenarios import scenarios
from tracer.run import twin

pytestmark = pytest.mark.skipif(not shutil.which("cc"), reason="no C compiler (cc)")

TWINS = [scenario for scenario in scenarios() if scenario.twin]


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty cache of this user's."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "iotrace"


@pytest.fixture
def compilations(tmp_path, monkeypatch):
    """How often cc was called to compile: a cc before it in PATH writes a line each time."""
    log, real = tmp_path / "log", shutil.which("cc")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "cc").write_text(
        f'#!/bin/sh\n[ "$1" = --version ] || echo >>{log}\nexec {real} "$@"\n'
    )
    (tmp_path / "bin" / "cc").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    return lambda: len(log.read_text().splitlines()) if log.exists() else 0


# libraries


def test_a_twin_links_what_it_and_its_headers_include():
    linked = {its.name: [one.flag for one in twin.libraries(its.twin)] for its in TWINS}
    assert linked["io-uring"] == ["-luring"] and linked["linux-aio-poll"] == ["-laio"]
    assert linked["blocking"] == linked["posix-aio"] == []


def test_a_library_that_is_not_here_is_named_with_its_package(cache, monkeypatch, tmp_path):
    copied = shutil.copytree(twin.SOURCES, tmp_path / "c")
    monkeypatch.setattr(twin, "SOURCES", copied)
    (copied / "odd.c").write_text("#include <libodd.h>\nint main(void) { return odd(); }\n")
    odd = twin.Library("libodd.h", "-lodd", "libodd-dev")
    monkeypatch.setattr(twin, "LIBRARIES", (odd,))
    expected = r"^odd\.c needs libodd, which is not here: apt-get install libodd-dev$"
    with pytest.raises(twin.CannotBuild, match=expected):
        twin.built(copied / "odd.c")
    (copied / "odd.c").write_text('#include "own.h"\nint main(void) { return 0; }\n')
    (copied / "own.h").write_text("#if 0\n#include <libodd.h>\n#endif\n")
    with pytest.raises(twin.CannotBuild, match=expected):  # the header is there, the library not
        twin.built(copied / "odd.c")
    assert os.listdir(cache) == []


# the cache


def test_compiled_once(cache, compilations):
    first = twin.built(TWINS[0].twin)
    assert compilations() == 1
    assert twin.built(TWINS[0].twin) == first and compilations() == 1
    assert twin.built(TWINS[1].twin) != first and compilations() == 2


def test_compiled_anew_when_a_source_changes(cache, compilations, monkeypatch, tmp_path):
    copied = shutil.copytree(twin.SOURCES, tmp_path / "c")
    monkeypatch.setattr(twin, "SOURCES", copied)
    first = twin.built(copied / "blocking.c")
    for name in ("blocking.c", "workload.h", "workload.c"):
        with open(copied / name, "a") as file:
            file.write("\n/* changed */\n")
        assert twin.built(copied / "blocking.c") != first
    assert compilations() == 4


def test_compiled_anew_for_another_compiler(cache, compilations):
    first = twin.built(TWINS[0].twin)
    other = Path(shutil.which("cc"))
    other.write_text(other.read_text().replace("|| echo", "|| true; echo another; echo"))
    assert twin.built(TWINS[0].twin) != first


def test_compiled_anew_where_as_and_ld_may_be_others(cache, compilations, monkeypatch, tmp_path):
    first = twin.built(TWINS[0].twin)
    monkeypatch.setenv("PATH", f"{os.environ['PATH']}:{tmp_path}")
    assert twin.built(TWINS[0].twin) != first and compilations() == 2


@pytest.fixture
def planted(tmp_path, monkeypatch):
    """The working directory, with files that fail whoever reads or runs one of them."""
    directory = tmp_path / "planted"
    directory.mkdir()
    for name in ("cc", "gcc", "as", "ld", "cc1", "collect2", "clang"):
        (directory / name).write_text("#!/bin/sh\nexit 1\n")
        (directory / name).chmod(0o755)
    for name in ("stdio.h", "stddef.h", "errno.h", "workload.h", "linux/aio_abi.h"):
        (directory / name).parent.mkdir(exist_ok=True)
        (directory / name).write_text("#error planted\n")
    for name in (
        "libgcc_s.so.1",
        "libgcc_s.so",
        "libc.so",
        "libc.so.6",
        "libc.a",
        "libgcc.a",
        "crt1.o",
        "crti.o",
    ):
        (directory / name).write_text(
            "INPUT(planted.o)\n"
        )  # ld takes any file of text for a script of its own
    monkeypatch.chdir(directory)
    return directory


@pytest.mark.parametrize(
    "variables",
    [
        {},
        {"PATH": ":{PATH}"},
        {"PATH": ".:{PATH}"},
        {"CPATH": ":/nowhere"},
        {"C_INCLUDE_PATH": "."},
        {"LIBRARY_PATH": ":/nowhere"},
        {"COMPILER_PATH": "."},
        {"GCC_EXEC_PREFIX": "./"},
        {"TMPDIR": "."},
        {"CPATH": "{HERE}"},
        {"LIBRARY_PATH": "{HERE}"},
        {"COMPILER_PATH": "{HERE}"},
        {"DEPENDENCIES_OUTPUT": "{HERE}/written"},
        {"SUNPRO_DEPENDENCIES": "{HERE}/written"},
    ],
    ids=lambda variables: " ".join(map("=".join, variables.items())) or "nothing set",
)
def test_nothing_in_the_callers_directory_is_compiled_linked_or_run(
    variables, cache, planted, monkeypatch
):
    before = sorted(planted.iterdir())
    for name, value in variables.items():
        monkeypatch.setenv(name, value.format(PATH=os.environ["PATH"], HERE=planted))
    for scenario in TWINS[:2]:
        twin.built(scenario.twin)
    assert sorted(planted.iterdir()) == before


def test_a_compiler_in_the_callers_directory_alone_is_none(cache, planted, monkeypatch):
    monkeypatch.setenv("PATH", ":.:./x")
    with pytest.raises(twin.CannotBuild, match="there is no cc"):
        twin.built(TWINS[0].twin)


def test_nothing_but_whole_programs_is_kept(cache):
    program = twin.built(TWINS[0].twin)
    assert [path.name for path in cache.iterdir()] == [program.parent.name]
    assert [path.name for path in program.parent.iterdir()] == [TWINS[0].twin.stem]
    for path in (cache, program.parent, program):
        assert stat.S_IMODE(path.stat().st_mode) == 0o700 and path.stat().st_uid == os.geteuid()


def test_source_that_does_not_compile_is_one_line_and_leaves_nothing(cache, tmp_path):
    bad = tmp_path / "bad.c"
    bad.write_text("int main(void) { return nothing; }\n")
    with pytest.raises(twin.CannotBuild, match=r"cannot compile bad\.c: .*nothing") as raised:
        twin.built(bad)
    assert "\n" not in str(raised.value)
    assert os.listdir(cache) == []


def test_two_at_once_make_one(cache):
    command = [*PYTHON, "-m", "tracer.run.twin", TWINS[0].twin.stem]
    both = [
        subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) for _ in range(4)
    ]
    places = {process.communicate(timeout=100)[0] for process in both}
    assert len(places) == 1 and all(process.returncode == 0 for process in both)
    assert len(os.listdir(cache)) == 1


@pytest.mark.parametrize("mode", [0o770, 0o707, 0o777])
@pytest.mark.parametrize("which", ["cache", "above"])
def test_directory_that_others_can_write_to_is_refused(which, mode, cache):
    cache.mkdir(mode=0o700)
    directory = cache if which == "cache" else cache.parent
    directory.chmod(mode)
    try:
        with pytest.raises(twin.CannotBuild, match=re.escape(f"others may write to {directory}")):
            twin.built(TWINS[0].twin)
    finally:
        directory.chmod(0o700)


def test_link_to_elsewhere_is_refused(cache, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    cache.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(twin.CannotBuild):
        twin.built(TWINS[0].twin)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_directory_of_somebody_else_is_refused(cache):
    cache.mkdir(mode=0o700)
    os.chown(cache, NOBODY, NOBODY)
    with pytest.raises(twin.CannotBuild, match="others may write"):
        twin.built(TWINS[0].twin)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_compiled_as_the_invoking_user_in_that_users_cache(tmp_path_factory, monkeypatch):
    place = tmp_path_factory.mktemp("theirs")
    for directory in (place, place.parent, place.parent.parent):
        directory.chmod(directory.stat().st_mode | 0o055)
    os.chown(place, NOBODY, NOBODY)
    monkeypatch.setenv("XDG_CACHE_HOME", str(place))
    try:
        program = twin.built_as(TWINS[0].twin, (NOBODY, NOBODY))
    except twin.CannotBuild as error:
        if "No module" in str(error):
            pytest.skip("user nobody cannot read this checkout")
        raise
    assert program.is_relative_to(place) and program.stat().st_uid == NOBODY


def test_no_compiler_is_one_line(cache, monkeypatch):
    monkeypatch.setenv("PATH", "/nonexistent")
    done = subprocess.run(
        [*PYTHON, "-m", "tracer.run.twin", "blocking"], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 3 and done.stdout == ""
    assert len(done.stderr.splitlines()) == 1 and "gcc" in done.stderr


def test_no_home_is_one_line(cache, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", "/proc/nowhere")
    with pytest.raises(twin.CannotBuild, match="/proc/nowhere"):
        twin.built(TWINS[0].twin)
