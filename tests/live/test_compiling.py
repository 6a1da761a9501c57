"""The probes are compiled from their own files alone, wherever the user stands and whatever the environment says."""

from __future__ import annotations

import json
import os

import pytest
from support.running import runner

from tracer.bpf import build, loader
from tracer.cli.main import main
from tracer.kernel import features

PLANTED = (
    "linux/types.h",
    "bcc/bpf.h",
    "asm/page.h",
    "uapi/linux/bpf.h",
    "uapi/linux/ptrace.h",
    "iotrace.h",
)
SEARCHED = ("CPATH", "C_INCLUDE_PATH", "CPLUS_INCLUDE_PATH", "OBJC_INCLUDE_PATH")
SAYS = {
    "BCC_KERNEL_SOURCE": "/nonexistent",
    "BCC_LINUX_VERSION_CODE": "1",
    "BCC_KERNEL_MODULES_SUFFIX": "x",
    "ARCH": "mips",
    "PATH": "",
    "PYTHONPATH": "HERE",
    "LD_LIBRARY_PATH": "HERE",
}


@pytest.fixture(scope="module")
def constants():
    return loader._constants(features.find())


@pytest.fixture(scope="module")
def text(constants):
    """What the compiler says of the probes where nothing is planted."""
    before = os.getcwd()
    os.chdir("/")
    try:
        return build._compile(constants)
    finally:
        os.chdir(before)


@pytest.fixture(scope="module")
def clean(text):
    return build._parsed(text)


@pytest.fixture
def planted(tmp_path, monkeypatch):
    """The working directory: under the name of each file that the probes could take, one that does not compile."""
    for name in PLANTED:
        path = tmp_path / "here" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text('#error "planted"\n')
    monkeypatch.chdir(tmp_path / "here")
    return tmp_path / "here"


@pytest.mark.parametrize(
    "value",
    [None, "", *(pytest.param(its, marks=pytest.mark.thorough) for its in (":", ".", "HERE"))],
)
def test_what_lies_where_the_user_stands_is_not_compiled(
    value, constants, clean, planted, tmp_path, monkeypatch
):
    """Nor what the environment names: bcc/bpf.h was once taken from an empty CPATH."""
    for variable in SEARCHED if value is not None else ():
        monkeypatch.setenv(variable, value.replace("HERE", str(planted)))
    assert build.compiled(constants, tmp_path / "cache") == clean


def test_the_environment_has_no_say(constants, clean, planted, tmp_path, monkeypatch):
    (tmp_path / "bcc.py").write_text("raise SystemExit('planted')\n")
    for variable in SEARCHED:
        monkeypatch.setenv(variable, f"::.:{planted}")
    for variable, value in SAYS.items():
        monkeypatch.setenv(variable, value.replace("HERE", str(tmp_path)))
    assert build.compiled(constants, tmp_path / "cache") == clean


def test_a_file_of_somebody_elses_is_refused_even_if_it_is_named(constants, tmp_path, monkeypatch):
    header = tmp_path / "linux.h"
    header.write_text("/* harmless */\n")
    monkeypatch.setattr(
        build, "source", lambda source=build.source: f'#include "{header}"\n' + source()
    )
    with pytest.raises(build.CannotCompile, match=f"{header}, which is none of iotrace's files"):
        build.compiled(constants, tmp_path / "cache")
    assert not (tmp_path / "cache").exists()


def test_what_others_could_have_kept_is_neither_used_nor_kept(
    constants, text, clean, tmp_path, monkeypatch
):
    cache = tmp_path / "cache"
    monkeypatch.setattr(build, "_compile", lambda constants: text)  # which takes seconds
    assert build.compiled(constants, cache) == clean
    (kept,) = cache.iterdir()
    raw = json.loads(kept.read_text())
    raw["license"] = "planted"
    kept.write_text(json.dumps(raw))
    assert build.compiled(constants, cache).license == b"planted"  # it is what would be used
    cache.chmod(0o777)
    assert build.compiled(constants, cache) == clean
    kept.unlink()
    assert build.compiled(constants, cache) == clean and list(cache.iterdir()) == []
    cache.chmod(0o755)
    kept.write_text(json.dumps(raw))
    kept.chmod(0o666)
    assert build.compiled(constants, cache) == clean


def test_doctor_says_why_nothing_is_kept(text, monkeypatch):
    monkeypatch.setattr(build, "_compile", lambda constants: text)
    monkeypatch.setattr(build, "who_else_writes", lambda *_: "others may write to /x")
    done = runner().invoke(main, ["doctor"])
    assert done.exit_code == 0
    assert (
        "compile, load and attach; compiled anew for each run: others may write to /x\n"
        in done.stdout
    )
