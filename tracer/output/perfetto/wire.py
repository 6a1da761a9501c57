"""Messages of protobuf as bytes: as much of its encoding (protobuf.dev/programming-guides/encoding) as traces need."""

from __future__ import annotations

from functools import cache
from typing import TypeAlias

Value: TypeAlias = int | str | bytes

_VARINT, _FIXED64, _BYTES = 0, 1, 2  # wire types
_ALL = (1 << 64) - 1


def varint(number: int) -> bytes:
    """A number from 0 to 2^64 − 1, seven bits a byte."""
    if number < 0x80:
        return bytes((number,))
    said = bytearray()
    while number >= 0x80:
        said.append(number & 0x7F | 0x80)
        number >>= 7
    said.append(number)
    return bytes(said)


@cache
def _tag(number: int, wire_type: int) -> bytes:
    """What stands before a field's value."""
    return varint(number << 3 | wire_type)


def field(number: int, value: Value) -> bytes:
    """A field: a number (of any of protobuf's plain integer types; negative ones as 64 bits), a text or a message."""
    if isinstance(value, int):
        return _tag(number, _VARINT) + varint(value & _ALL)
    data = value.encode(errors="backslashreplace") if isinstance(value, str) else value
    return _tag(number, _BYTES) + varint(len(data)) + data


def message(*fields: tuple[int, Value]) -> bytes:
    """A message of these fields (number, value), in their order."""
    return b"".join([field(number, value) for number, value in fields])


def fixed64(number: int, value: int) -> bytes:
    """A field of the type fixed64."""
    return _tag(number, _FIXED64) + (value & _ALL).to_bytes(8, "little")
