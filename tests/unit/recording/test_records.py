"""tracer/recording/records.py mirrors probes/iotrace.h: read from the header itself."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

from tracer.bpf.build import PROBES
from tracer.kernel import syscalls
from tracer.recording import records
from tracer.recording.records import ELEMENT, RECORD, Kind, bytes_of, empty

HEADER = re.sub(r"/\*.*?\*/", "", (PROBES / "iotrace.h").read_text(), flags=re.S)
C_TYPES = {"u64": ("u", 8), "s64": ("i", 8), "u32": ("u", 4), "s32": ("i", 4), "u16": ("u", 2)}
SIGNED_ON_PURPOSE = {"time", "start"}  # numpy's differences of times must be able to be negative


def struct(name: str) -> list[tuple[str, str]]:
    found = re.search(rf"struct {name} \{{(.*?)\}};", HEADER, re.S)
    assert found
    body = found[1]
    return [
        (field, kind) for kind, field in re.findall(r"^\s*(?:struct )?(\w+) (\w+);", body, re.M)
    ]


def fields_of(dtype: np.dtype[Any]) -> dict[str, Any]:
    """Field → its dtype and its offset."""
    assert dtype.fields is not None
    return dict(dtype.fields)


def constants(pattern: str) -> dict[str, int]:
    return {name: int(value) for name, value in re.findall(pattern, HEADER)}


def test_record_has_the_fields_of_the_struct_at_their_offsets() -> None:
    offset = 0
    for name, c_type in struct("record"):
        kind, size = C_TYPES[c_type]
        field, at = fields_of(RECORD)[name][:2]
        assert (at, field.itemsize) == (offset, size), name
        assert field.kind == ("i" if name in SIGNED_ON_PURPOSE else kind), name
        assert field.newbyteorder("<") == field
        offset += size
    assert RECORD.itemsize == offset == 40
    assert RECORD.names == tuple(name for name, _ in struct("record"))


def test_element_is_a_header_of_eight_bytes_and_a_record() -> None:
    assert ELEMENT.itemsize == 48
    assert [kind for _, kind in struct("element")] == ["record", "u64"]
    element, record = fields_of(ELEMENT), fields_of(RECORD)
    for name in record:
        assert element[name][1] == record[name][1] + 8
        assert element[name][0] == record[name][0]


def test_kinds_are_those_of_the_header() -> None:
    assert {kind.name: kind.value for kind in Kind} == constants(r"KIND_(\w+) = (\d+)")


def test_library_calls_are_those_of_the_header() -> None:
    assert {name.upper(): number for number, name in records.LIBRARY_NAMES.items()} == constants(
        r"LIBRARY_(\w+) = (\d+)"
    )


def test_what_says_that_a_file_was_open_before_is_the_bit_of_the_header() -> None:
    said = re.search(r"#define WAS_OPEN (\w+)", HEADER)
    assert said and int(said[1], 16) == records.WAS_OPEN


def test_as_much_is_kept_of_a_path_as_the_probes_read() -> None:
    source = (PROBES / "descriptors.bpf.c").read_text()
    pieces = re.search(r"#define MOST_PATH (\d+)", source)
    assert pieces and 16 * int(pieces[1]) == records.MOST_PATH


def test_empty_is_no_records() -> None:
    assert empty().dtype == RECORD and len(empty()) == 0


@pytest.mark.parametrize("name", ["", "python3", "0123456789abcde", "0123456789abcdef", "Ärger"])
def test_name_survives_two_numbers(name: str) -> None:
    start, result = np.frombuffer(name.encode().ljust(16, b"\0"), "<i8")
    assert bytes_of(start, result) == name.encode()


@pytest.mark.parametrize("name", [b"caf\xff", b"\xff" * 16, b"a\n\x1b[31m"])
def test_bytes_that_are_no_text_stay_as_they_are(name: bytes) -> None:
    start, result = np.frombuffer(name.ljust(16, b"\0"), "<i8")
    assert bytes_of(start, result) == name


def test_calls_have_their_names() -> None:
    numbers = syscalls.numbers()
    assert (numbers["read"], numbers["recvfrom"], numbers["epoll_pwait2"]) == (0, 45, 441)
    assert all(syscalls.name_of(number) == name for name, number in numbers.items())
    assert syscalls.name_of(9999) == "syscall_9999"
    assert syscalls.name_of(syscalls.COMPAT + 3) == "i386:3"
    assert syscalls.class_of("pselect6") == "select" and syscalls.class_of("recvfrom") == "recvfrom"


@pytest.mark.parametrize(
    ("result", "name"),
    [
        (-11, "EAGAIN"),
        (-29, "ESPIPE"),
        (-512, "ERESTARTSYS"),
        (-515, "ENOIOCTLCMD"),
        (-516, "ERESTART_RESTARTBLOCK"),
        (-4000, "error 4000"),
    ],
)
def test_errors_have_their_names(result: Any, name: str) -> None:
    assert syscalls.error_name(result) == name
