#!/usr/bin/env python3
"""Writes report.schema.json, diff.schema.json and readiness.schema.json (JSON Schema 2020-12) beside itself, from the
types that name their keys: tracer/report/contract.py, tracer/report/difference/shapes.py and
tracer/report/bench/shapes.py.

    python3 docs/schema/make.py

A type says which keys there are, which may be missing and what a value is. RULES says which keys go together.
"""

from __future__ import annotations

import json
import sys
import types
import typing
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, NotRequired

if __name__ == "__main__":  # run as a file: the checkout is not in the path
    sys.path.insert(0, str(Path(__file__).parents[2]))

from tracer.report import contract
from tracer.report.bench import shapes as bench_shapes
from tracer.report.difference import shapes

Schema = dict[str, Any]
# the type of each document, the commands that print it, and where the type is
KINDS: dict[str, tuple[type, str, str]] = {
    "report": (
        contract.Report,
        "iotrace run, trace, attach, report --json",
        "tracer/report/contract.py",
    ),
    "diff": (shapes.Difference, "iotrace diff --json", "tracer/report/difference/shapes.py"),
    "readiness": (
        bench_shapes.Readiness,
        "iotrace bench readiness --json",
        "tracer/report/bench/shapes.py",
    ),
}
_PLAIN = {str: "string", int: "integer", bool: "boolean", float: "number", types.NoneType: "null"}


def _only_if(key: str, condition: Schema) -> Schema:
    """Where `key` is there, `condition` holds."""
    return {"if": {"required": [key]}, "then": condition}


def _where(key: str, value: Schema, then: Schema) -> Schema:
    """Where the value of `key` is such a one, `then` holds."""
    return {"if": {"properties": {key: value}}, "then": then}


def _is(key: str, *values: str) -> Schema:
    return {"properties": {key: {"enum": [*values]}}}


RULES: dict[str, list[Schema]] = {
    "Model": [
        _only_if("instead", _is("name", "none")),
        _only_if("shares", _is("name", "mixed")),
        _only_if("time_shares", _is("name", "mixed")),
        _where("name", {"const": "mixed"}, {"required": ["shares", "time_shares"]}),
        _where("name", {"const": "none"}, {"properties": {"synchronous": {"type": "null"}}}),
        _where(
            "name",
            {"enum": [*contract.MODELS]},
            {"properties": {"synchronous": {"type": "boolean"}}},
        ),
    ],
    "Activity": [
        _where("mostly", {"type": "null"}, {"properties": {"share": {"type": "null"}}}),
        _where("mostly", {"type": "string"}, {"properties": {"share": {"type": "number"}}}),
    ],
    "HeldBack": [
        _where(
            "what",
            {"type": kind},
            {"properties": {key: {"type": of} for key in ("share", "ns", "of_ns")}},
        )
        for kind, of in (("null", "null"), ("string", "number"))
    ],
    "Report": [
        _where(
            "scenario",
            {"type": "null"},
            {
                "properties": {
                    "options": {"$ref": "#/$defs/TraceOptions"},
                    "expected": {"type": "null"},
                    "cost": {"anyOf": [{"$ref": "#/$defs/EstimatedCost"}, {"type": "null"}]},
                }
            },
        ),
        _where(
            "scenario",
            {"type": "string"},
            {"properties": {"options": {"$ref": "#/$defs/RunOptions"}}},
        ),
    ],
}


def schema(name: str = "report") -> Schema:
    """The schema of a document, each of its types under $defs by its name."""
    kind, title, source = KINDS[name]
    defs: dict[str, Schema] = {}
    _ref(kind, defs)
    whole = defs.pop(kind.__name__)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": title,
        "description": f"Made by docs/schema/make.py from {source}; docs/json.md explains the keys.",
        **{key: value for key, value in whole.items() if key != "description"},
        "$defs": dict(sorted(defs.items())),
    }


def _ref(kind: type, defs: dict[str, Schema]) -> Schema:
    """A reference to a TypedDict's schema, which is put into `defs` if it is not there."""
    if kind.__name__ not in defs:
        defs[kind.__name__] = {}  # is being made
        defs[kind.__name__] |= _object(kind, defs)
    return {"$ref": f"#/$defs/{kind.__name__}"}


def _object(kind: type, defs: dict[str, Schema]) -> Schema:
    hints = typing.get_type_hints(kind, include_extras=True)
    total = getattr(kind, "__total__", True)
    properties, required = {}, []
    for key, hint in hints.items():
        if typing.get_origin(hint) is NotRequired:
            (hint,) = typing.get_args(hint)
        elif total:
            required.append(key)
        properties[key] = _value(hint, defs)
    made: Schema = {"type": "object", "description": (kind.__doc__ or "").split("\n\n")[0]}
    if required:
        made["required"] = required
    made |= {"properties": properties, "additionalProperties": False}
    return made | ({"allOf": RULES[kind.__name__]} if kind.__name__ in RULES else {})


def _value(hint: Any, defs: dict[str, Schema]) -> Schema:
    """The schema of one value; raises TypeError for a type that it does not know."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is Annotated:
        return _value(arguments[0], defs) | _also(arguments[1])
    if origin in (types.UnionType, typing.Union):
        return _union([_value(its, defs) for its in arguments])
    if origin is Literal:
        return {"const": arguments[0]} if len(arguments) == 1 else {"enum": [*arguments]}
    if origin in (list, Sequence):
        return {"type": "array", "items": _value(arguments[0], defs)}
    if origin is dict:
        return {"type": "object", "additionalProperties": _value(arguments[1], defs)}
    if hint in _PLAIN:
        return {"type": _PLAIN[hint]}
    if typing.is_typeddict(hint):
        return _ref(hint, defs)
    raise TypeError(f"no schema for {hint!r}")


def _also(more: contract.Also) -> Schema:
    names = {"enum": [*more.keys]} if more.keys else {"pattern": more.keys_like}
    keywords = {
        "minimum": more.minimum,
        "maximum": more.maximum,
        "minItems": more.length,
        "maxItems": more.length,
        "enum": [*more.values] or None,
        "propertyNames": names if more.keys or more.keys_like else None,
    }
    return {key: value for key, value in keywords.items() if value is not None}


def _union(choices: list[Schema]) -> Schema:
    """Any of the choices; plain types, and one type with more to it beside null, in one."""
    if all(its.keys() == {"type"} for its in choices):
        return {"type": [its["type"] for its in choices]}
    null = {"type": "null"}
    rest = [its for its in choices if its != null]
    if (
        len(rest) == 1
        and null in choices
        and isinstance(rest[0].get("type"), str)
        and "enum" not in rest[0]
    ):
        return rest[0] | {"type": [rest[0]["type"], "null"]}
    return {"anyOf": choices}


def text(name: str = "report") -> str:
    """The file's text."""
    return json.dumps(schema(name), indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    for document in KINDS:
        Path(__file__).with_name(f"{document}.schema.json").write_text(text(document))
