"""The scripts in setup/, as far as they can be run without installing anything."""

from __future__ import annotations

import os
import re
import subprocess
import tomllib

import pytest
from support.running import ROOT


@pytest.fixture
def prefix(tmp_path):
    """A PREFIX whose python3 only says where it runs and what is there."""
    python = tmp_path / "prefix" / "bin" / "python3"
    python.parent.mkdir(parents=True)
    python.write_text("#!/bin/sh\nls\n")
    python.chmod(0o755)
    return python.parents[1]


@pytest.mark.skipif(not (ROOT / "setup").is_dir(), reason="no setup here")
def test_what_is_tested_is_the_clone_whatever_cdpath_says(prefix, tmp_path):
    (tmp_path / "other" / "setup").mkdir(parents=True)
    (tmp_path / "other" / "planted").touch()
    done = subprocess.run(
        ["setup/test"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        env={
            **os.environ,
            "PREFIX": str(prefix),
            "CDPATH": str(tmp_path / "other"),
            "TMPDIR": str(tmp_path),
        },
    )
    assert done.returncode == 0, done.stderr
    assert {"tracer", "pyproject.toml"} <= set(done.stdout.split()) and "planted" not in done.stdout


# what setup/install refuses, before it changes anything


needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
pytestmark = pytest.mark.skipif(not (ROOT / "setup").is_dir(), reason="no setup here")


def refused(**places):
    """The one line of an installation that cannot be made there."""
    done = subprocess.run(
        ["setup/install"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, **{name: str(place) for name, place in places.items()}},
    )
    assert done.returncode == 1 and done.stdout == "" and done.stderr.count("\n") == 1
    return done.stderr


@needs_root
@pytest.mark.parametrize("place", ["opt/iotrace", '/opt/"x"', "/opt/$x", "/opt/x\\", "/opt/it's"])
def test_a_place_that_a_command_cannot_name_is_refused(place, tmp_path):
    assert place in refused(PREFIX=place, BINDIR=tmp_path / "bin")
    assert list(tmp_path.iterdir()) == []


@needs_root
@pytest.mark.parametrize("name", ["PREFIX", "BINDIR", "DATADIR"])
def test_a_place_that_cannot_be_written_to_is_named(name, tmp_path):
    places = {each: tmp_path / each for each in ("PREFIX", "BINDIR", "DATADIR")}
    places[name] = "/proc/iotrace"  # nobody can make that
    line = refused(**places)
    assert "/proc/iotrace cannot be written to" in line and f"make {name}=" in line


# what is linked, and what is removed


@pytest.fixture
def share(tmp_path):
    """What an installation has below its share/."""
    share = tmp_path / "pre fix" / "share"
    for path in ("man/man1/iotrace-run.1", "bash-completion/completions/iotrace"):
        (share / path).parent.mkdir(parents=True)
        (share / path).touch()
    return share


def linked(action, share, data):
    subprocess.run([ROOT / "setup" / "links", action, share, data], check=True, timeout=60)
    return {str(path.relative_to(data)) for path in data.rglob("*") if not path.is_dir()}


def test_links_come_and_go_with_what_they_lead_to(share, tmp_path):
    data = tmp_path / "data"
    both = {"man/man1/iotrace-run.1", "bash-completion/completions/iotrace"}
    assert linked("add", share, data) == both
    (share / "man/man1/iotrace-run.1").rename(share / "man/man1/iotrace-walk.1")
    assert "man/man1/iotrace-walk.1" in linked("add", share, data)
    assert "man/man1/iotrace-run.1" not in linked("add", share, data)
    assert linked("remove", share, data) == set()


def test_what_is_not_ours_stays(share, tmp_path):
    data = tmp_path / "data"
    theirs = data / "man" / "man1" / "iotrace-run.1"
    theirs.parent.mkdir(parents=True)
    theirs.write_text("theirs")
    linked("add", share, data)
    assert linked("remove", share, data) == {"man/man1/iotrace-run.1"}
    assert theirs.read_text() == "theirs"


REMOVED = """
set -e
home=$(getent passwd "$(id -un)" | cut -d: -f6)
mkdir -p "$home" /var/cache /opt
for place in "$home" /var/cache /opt; do mount -t tmpfs tmpfs "$place"; done
mkdir -p "$home/.cache/iotrace/lab" "$home/.cache/iotrace/lint" /var/cache/iotrace
for name in A B; do
    mkdir -p "/opt/$name/bin"
    printf '#!/bin/sh\\n' >"/opt/$name/bin/iotrace"
    chmod +x "/opt/$name/bin/iotrace"
    touch "/opt/$name/pyvenv.cfg"
    echo "/opt/$name" >>/var/cache/iotrace/installations
done
for name in A B; do
    PREFIX=/opt/$name BINDIR=/opt/bin "$0/setup/uninstall"
    echo "$name: $(ls /opt) | $(ls "$home/.cache/iotrace" | xargs) | $(ls /var/cache)"
done
"""


@needs_root
def test_what_installations_share_goes_with_the_last_of_them():
    done = subprocess.run(
        ["unshare", "-m", "sh", "-c", REMOVED, str(ROOT)],
        capture_output=True,
        text=True,
        timeout=60,
        env={key: value for key, value in os.environ.items() if key != "SUDO_USER"},
    )
    if "unshare failed" in done.stderr:
        pytest.skip("no mount namespaces here")
    assert done.stdout.splitlines() == ["A: B | lab lint | iotrace", "B:  |  | "], done.stderr


# what pip is told to install


def requirements(name):
    return (ROOT / "requirements" / f"{name}.txt").read_text()


@pytest.mark.parametrize("name", ["install", "test", "docs"])
def test_everything_that_is_installed_has_its_version_and_checksum(name):
    text = requirements(name).replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line.strip() and line.strip()[0] != "#"]
    assert len(lines) > 8
    assert [line for line in lines if "==" not in line or "--hash=sha256:" not in line] == []


@pytest.mark.parametrize(
    ("name", "extras"), [("install", ()), ("test", ("test",)), ("docs", ("docs",))]
)
def test_what_pyproject_needs_is_locked(name, extras):
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    needs = list(project["dependencies"])
    for extra in extras:
        needs += project["optional-dependencies"][extra]
    locked = set(re.findall(r"^([\w.-]+)==", requirements(name), re.M))
    assert [need for need in needs if re.split(r"[<>=]", need)[0] not in locked] == []
