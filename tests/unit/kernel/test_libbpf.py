"""tracer/kernel/libbpf.py: the library's functions, and what is said where it is missing or too old."""

from __future__ import annotations

import ctypes

import pytest

from tracer.kernel import libbpf


@pytest.fixture
def loading(monkeypatch):
    """Loads libbpf where ctypes.CDLL is another function."""

    def load(dlopen):
        monkeypatch.setattr(ctypes, "CDLL", dlopen)
        return libbpf.library.__wrapped__()

    return load


def test_it_is_said_where_it_is_not_installed(loading):
    def none(name, **_):
        raise OSError(name)

    with pytest.raises(libbpf.NoLibbpf, match="apt-get install libbpf1"):
        loading(none)


def test_one_that_is_too_old_is_said_with_what_it_lacks(loading):
    with pytest.raises(libbpf.NoLibbpf, match=r"libbpf\.so\.1 is too old: it has no btf__"):
        loading(lambda name, **_: object())


def test_structures_end_where_the_headers_have_their_last_field():
    assert ctypes.sizeof(libbpf.MapOptions) == 32 and libbpf.MapOptions.map_flags.offset == 28
    assert ctypes.sizeof(libbpf.ProgramOptions) == 104
    assert libbpf.ProgramOptions.log_level.offset == 88
