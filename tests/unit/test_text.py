"""tracer/text.py: whatever bytes a machine has for a name, they can be shown, and no two are shown alike."""

from __future__ import annotations

import os
import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as some

from tracer import text

ESCAPE = re.compile(
    r"\\(?:(?P<short>[ntr\\])|x(?P<byte>[0-9a-f]{2})|u(?P<word>[0-9a-f]{4})|U(?P<long>[0-9a-f]{8}))"
)
SHORT = {"n": "\n", "t": "\t", "r": "\r", "\\": "\\"}
HOSTILE = some.text(
    some.sampled_from(
        "a\\xnu0f\n\t\r\x1b[m\x7f\x9b\u202e\u2066\u2028\ufeff\u200d\u00a0\u3164\ufe0fżя\U000e0041€\U0001f600"
    ),
    max_size=12,
)
RAW = some.binary(max_size=20) | HOSTILE.map(lambda line: line.encode()[1:])


def bytes_of(shown: str) -> bytes:
    """The bytes that are shown so: what a reader of the output can do."""

    def one(match: re.Match[str]) -> str:
        if match["short"]:
            return SHORT[match["short"]]
        if match["byte"]:
            return os.fsdecode(bytes.fromhex(match["byte"]))
        return chr(int(match["word"] or match["long"], 16))

    return ESCAPE.sub(one, shown).encode(errors="surrogateescape")


@given(RAW)
def test_what_is_shown_says_which_bytes_they_were(raw):
    for name in (raw, os.fsdecode(raw)):
        assert bytes_of(text.shown(name)) == raw


@given(RAW | some.text(some.characters(), max_size=12))
def test_what_is_shown_moves_nothing(name):
    shown = text.shown(name)
    shown.encode("utf-8")  # strictly
    assert not {unicodedata.category(character) for character in shown} & {
        *("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")
    }
    assert text.printable(shown) == shown
    assert text.printable(shown, ascii_only=True).isascii()


def test_plain_names_are_shown_as_they_are():
    for name in ("python3", "a b", "имя", "<>,(){}\"'", "Ünïcödé €", "名前"):
        assert text.shown(name) == text.shown(name.encode()) == name


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        (b"\xff" * 15, r"\xff" * 15),
        ("отправитель".encode()[:15], r"отправи\xd1"),
        (b"\x1b[31mred\x1b[0m", r"\x1b[31mred\x1b[0m"),
        (b"new\nline\ttab\rback", r"new\nline\ttab\rback"),
        (b"\\n is not \n", r"\\n is not \n"),
        ("\u202etxt.exe".encode(), r"\u202etxt.exe"),
        (b"\xc2\x9b31m", r"\u009b31m"),  # CSI as one character of UTF-8 is not the byte 9b
        (b"\x9b31m", r"\x9b31m"),
        ("\u3164\U000e0041".encode(), r"\u3164\U000e0041"),  # letters that show nothing
        (b"", ""),
    ],
)
def test_hostile_names(raw, shown):
    assert text.shown(raw) == shown


def test_letters_that_a_locale_lacks_are_not_taken_for_bytes():
    assert text.printable("é", ascii_only=True) == r"\u00e9"
    assert text.printable(r"\xe9", ascii_only=True) == r"\xe9"


def test_half_a_character_of_utf_16_is_bytes():
    assert text.shown("\ud800") == r"\xed\xa0\x80"


def test_a_file_of_proc_may_hold_anything(tmp_path):
    (tmp_path / "comm").write_bytes("отправитель".encode()[:15] + b"\n")
    assert text.read(tmp_path / "comm") == "отправи�\n"
    assert text.raw(tmp_path / "comm") == "отправитель".encode()[:15] + b"\n"


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (FileNotFoundError(2, "No such file or directory", "/x"), "/x: No such file or directory"),
        (OSError(28, "No space left on device"), "No space left on device"),
        (OSError(17, "File exists", "/a", None, "/b"), "/b: File exists"),
        (OSError(2, "Not there", b"/\xff\n"), r"/\xff\n: Not there"),
        (ValueError("several\n  lines"), "ValueError: several lines"),
        (OSError("plain"), "OSError: plain"),
    ],
)
def test_a_failure_is_one_line(error, line):
    assert text.failure(error) == line
