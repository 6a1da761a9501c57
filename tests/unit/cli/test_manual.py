"""The manual that an installation has: a page for each command, which man's own tools find nothing wrong with."""

from __future__ import annotations

import shutil
import subprocess

import click
import pytest

from tracer.cli import manual, roff
from tracer.cli.main import main


@pytest.fixture(scope="module")
def share(tmp_path_factory):
    place = tmp_path_factory.mktemp("share")
    manual.write(place)
    return place


def leaves(command, path=("iotrace",)):
    yield "-".join(path)
    for name, child in getattr(command, "commands", {}).items():
        yield from leaves(child, (*path, name))


def test_every_command_has_its_page(share):
    assert {path.stem for path in (share / "man" / "man1").iterdir()} == set(leaves(main))


def test_a_page_has_every_option_and_every_command_below(share):
    for page in manual.pages(main):
        text = (share / "man" / "man1" / f"{page.name}.1").read_text().replace("\\-", "-")
        command: click.Command = main
        for name in page.path[1:]:
            assert isinstance(command, click.Group)
            command = command.commands[name]
        options = [name for param in command.params for name in param.opts if name[0] == "-"]
        assert [name for name in options if name not in text] == [], page.name
        assert [
            name for name in getattr(command, "commands", {}) if f".B {name}\n" not in text
        ] == []


@pytest.mark.skipif(not shutil.which("man"), reason="no man here")
def test_man_finds_and_shows_it(share, tmp_path):
    done = subprocess.run(
        ["man", "-P", "cat", "iotrace-lab-run"],
        env={"MANPATH": str(share / "man"), "PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"}
        | {"MANWIDTH": "100", "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert "IOTRACE-LAB-RUN(1)" in done.stdout and "--icount" in done.stdout
    assert "Run iotrace COMMAND… on KERNEL" in done.stdout


@pytest.mark.parametrize(
    "lint",
    [("mandoc", "-T", "lint", "-W", "style"), ("groff", "-man", "-ww", "-z", "-K", "utf8")],
    ids=lambda lint: lint[0],
)
def test_nothing_is_wrong_with_a_page(share, lint):
    if not shutil.which(lint[0]):
        pytest.skip(f"no {lint[0]} here")
    pages = sorted(map(str, (share / "man" / "man1").iterdir()))
    options = ["-Tutf8"] if lint[0] == "groff" else []
    done = subprocess.run([*lint, *options, *pages], capture_output=True, text=True, timeout=60)
    assert done.stdout + done.stderr == "" and done.returncode == 0


def page_of(help_text, epilog=None):
    command = click.Command("it", help=help_text, epilog=epilog)
    return next(manual.pages(command, "it"))


def source(help_text, epilog=None):
    return roff.page(page_of(help_text, epilog), [], '"2026-01-01" "" ""')


def test_no_text_is_a_request():
    text = source(".so /etc/passwd\n\n'\\*x is a dot, a quote and a backslash")
    assert "\n.so" not in text and "\n'" not in text and "\\e*x" in text


def test_what_keeps_its_lines_keeps_them():
    assert ".nf\n  a   b\n  c\n.fi\n" in source("One.\n\n\b\n  a   b\n  c")


def test_a_heading_below_the_options_is_a_section():
    text = source("One.", "\b\nExamples:\n  it -x\n\n\b\nExit status:\n  7  never")
    assert ".SH EXAMPLES\n.nf\nit \\-x\n.fi\n" in text
    # that of --help stands for the one that is made
    assert text.lower().count(".sh exit status") == 1 and "7  never" in text
