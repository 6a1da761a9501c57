"""Whether a value of JSON is what a type says: TypedDict, list, dict, Literal, Annotated with a Range, or None."""

from __future__ import annotations

import types
import typing
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any, Literal, NotRequired

from tracer import text


@dataclass(frozen=True)
class Range:
    """The least and the largest value of a number; in an Annotated."""

    least: int = 0
    most: int = 1 << 62


class Wrong(Exception):
    """A value is not what its type says; where it stands is added from the inside out."""

    def __init__(self, why: str = "is not what it should be") -> None:
        super().__init__(why)
        self.why, self.place = why, [""]

    def __str__(self) -> str:
        place = "".join(reversed(self.place)).lstrip(".")
        return text.printable(f"its facts are damaged: {place} {self.why}")


Check: typing.TypeAlias = Callable[[Any], None]
"""Raises Wrong where a value is not what it should be."""


@cache
def check_of(hint: Any) -> Check:
    """The check of a type; keys that it does not name may be anything. Made once for each type: a recording can name a
    hundred thousand files."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is Annotated:
        return _ranged(check_of(arguments[0]), arguments[1])
    if origin in (types.UnionType, typing.Union):
        (other,) = (choice for choice in arguments if choice is not types.NoneType)
        return _or_none(check_of(other))
    if origin is Literal:
        return _one_of((str,), arguments)
    if origin is list:
        return _list_of(check_of(arguments[0]))
    if origin is dict:
        return _dict_of(check_of(arguments[1]))
    if typing.is_typeddict(hint):
        return _object(hint)
    return _one_of({Any: (), float: (int, float)}.get(hint, (hint,)))


def _one_of(kinds: tuple[type, ...], values: tuple[str, ...] = ()) -> Check:
    def check(value: Any) -> None:
        if (kinds and type(value) not in kinds) or (values and value not in values):
            raise Wrong  # a bool is no int here

    return check


def _ranged(inner: Check, bounds: Range) -> Check:
    def check(value: Any) -> None:
        inner(value)
        if not bounds.least <= (len(value) if type(value) is list else value) <= bounds.most:
            raise Wrong("is out of range")

    return check


def _or_none(inner: Check) -> Check:
    def check(value: Any) -> None:
        if value is not None:
            inner(value)

    return check


def _list_of(inner: Check) -> Check:
    def check(value: Any) -> None:
        if type(value) is not list:
            raise Wrong
        try:
            for item in value:
                inner(item)
        except Wrong as wrong:
            wrong.place.append("[]")
            raise

    return check


def _dict_of(inner: Check) -> Check:
    def check(value: Any) -> None:
        if type(value) is not dict:
            raise Wrong
        for key, item in value.items():
            within(key, item, inner)

    return check


def _object(hint: type) -> Check:
    needed: dict[str, Check] = {}
    optional: dict[str, Check] = {}
    for key, kind in typing.get_type_hints(hint, include_extras=True).items():
        if typing.get_origin(kind) is NotRequired:
            optional[key] = check_of(typing.get_args(kind)[0])
        else:
            (needed if getattr(hint, "__total__", True) else optional)[key] = check_of(kind)

    def check(value: Any) -> None:
        if type(value) is not dict:
            raise Wrong
        for key, inner in needed.items():
            if key not in value:
                wrong = Wrong("is missing")
                wrong.place.append(f".{key}")
                raise wrong
            within(key, value[key], inner)
        for key, inner in optional.items():
            if key in value:
                within(key, value[key], inner)

    return check


def within(key: str, value: Any, check: Check) -> None:
    """Checks the value of a key; raises Wrong, which says the key."""
    try:
        check(value)
    except Wrong as wrong:
        wrong.place.append(f".{key}")
        raise
