"""tracer/bpf/build.py: who may have a hand in what is kept, and what may be read when it is compiled."""

from __future__ import annotations

import os

import pytest

from tracer.bpf import bcc_compiler, build


def made(path, mode=0o755, owner=None):
    path.mkdir()
    path.chmod(mode)
    if owner is not None:
        os.chown(path, owner, owner)
    return path


def test_a_cache_of_our_own_is_ours(tmp_path):
    assert build.who_else_writes(made(tmp_path / "cache")) == ""
    assert build.who_else_writes(tmp_path / "not" / "yet" / "there") == ""


@pytest.mark.parametrize("mode", [0o775, 0o757, 0o1777])
def test_a_cache_that_others_could_write_is_refused(tmp_path, mode):
    assert "others may write" in build.who_else_writes(made(tmp_path / "cache", mode))


def test_a_cache_that_others_could_replace_is_refused(tmp_path):
    above = made(tmp_path / "above", 0o777)
    assert f"others may write to {above}" == build.who_else_writes(above / "cache")
    above.chmod(0o1777)  # as /tmp: only the owner can rename or remove what lies there
    assert build.who_else_writes(above / "cache") == ""


def test_a_link_is_refused_and_what_leads_to_its_parent_is_looked_at(tmp_path):
    real = made(tmp_path / "real")
    (tmp_path / "cache").symlink_to(real)
    assert str(tmp_path / "cache") in build.who_else_writes(tmp_path / "cache")
    open_to_all = made(tmp_path / "open", 0o777)
    made(open_to_all / "inner")
    (tmp_path / "parent").symlink_to(open_to_all / "inner")
    assert str(open_to_all) in build.who_else_writes(tmp_path / "parent" / "cache")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a directory away")
def test_a_cache_of_another_user_is_refused(tmp_path):
    assert "others may write" in build.who_else_writes(made(tmp_path / "cache", owner=65534))
    above = made(tmp_path / "above", owner=65534)
    assert "others may write" in build.who_else_writes(above / "cache")


def test_only_the_probes_own_files_may_be_read(tmp_path):
    (tmp_path / "include").mkdir()
    (tmp_path / "include" / "a.h").touch()
    ours = ["include/a.h", f"{tmp_path}/include/a.h", "./include/../include/a.h", "/virtual/main.c"]
    assert build._foreign(ours, tmp_path) == ""
    (tmp_path / "include" / "link.h").symlink_to("/etc/passwd")
    for name in (
        "/tmp/linux/types.h",
        "../types.h",
        "include/link.h",
        f"{tmp_path}-beside/types.h",
        "/virtual/../tmp/types.h",
    ):
        assert build._foreign([*ours, name], tmp_path) == name
    assert build._foreign([], tmp_path)


def test_what_clang_has_read_is_read_from_its_make_rule():
    rule = b"main.o: /virtual/main.c include/linux/types.h \\\n  /home/a\\ b/x.h /c\\#/$$d.h \\\n  /virtual/footer.h\n"
    assert bcc_compiler._prerequisites(rule) == [
        "/virtual/main.c",
        "include/linux/types.h",
        "/home/a b/x.h",
        "/c#/$d.h",
        "/virtual/footer.h",
    ]
