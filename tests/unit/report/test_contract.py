"""tracer/report/contract.py, docs/schema and docs/json.md say the same: keys, those that may be missing, types."""

from __future__ import annotations

import re
import runpy
import typing
from collections.abc import Iterator
from typing import Any, Literal, NotRequired

import pytest
from jsonschema import Draft202012Validator
from support.contract import SCHEMAS, validator
from support.running import ROOT

from tracer.report import comparison, contract
from tracer.report.difference import shapes

JSON_MD = (ROOT / "docs" / "json.md").read_text()
OTHERS = {
    "compare": contract.Comparison,
    "verify": contract.Verification,
    "diff": shapes.Difference,
}


def hints(kind: type) -> dict[str, Any]:
    """A TypedDict's keys and their types."""
    return typing.get_type_hints(kind, include_extras=True)


def required(kind: type) -> set[str]:
    return {key for key, its in hints(kind).items() if typing.get_origin(its) is not NotRequired}


def inside(hint: Any) -> Iterator[type]:
    """The TypedDicts in a type, and those in them."""
    if typing.is_typeddict(hint):
        yield hint
        for its in hints(hint).values():
            yield from inside(its)
    else:
        for its in typing.get_args(hint):
            yield from inside(its)


def schema_of(name: str) -> dict[str, Any]:
    return typing.cast("dict[str, Any]", validator(name).schema)


@pytest.mark.parametrize("name", ["report", *OTHERS])
def test_the_schemas_are_schemas(name: str) -> None:
    Draft202012Validator.check_schema(schema_of(name))


def test_schemas_are_made_from_the_types() -> None:
    making = runpy.run_path(str(SCHEMAS / "make.py"))
    for name in making["KINDS"]:
        made = making["text"](name)
        wanted = "python3 docs/schema/make.py"
        assert (SCHEMAS / f"{name}.schema.json").read_text() == made, f"run {wanted}"


def test_every_object_of_the_report_says_which_keys_it_has() -> None:
    """Nothing in the schema lets any key pass but maps from names to counts and the like."""
    defs = schema_of("report")["$defs"]
    names = {kind.__name__ for kind in inside(contract.Report)} - {"Report"}
    assert defs.keys() == names
    for its in [*defs.values(), schema_of("report")]:
        assert its["additionalProperties"] is False and its["properties"]


@pytest.mark.parametrize("name", OTHERS)
def test_types_and_schemas_name_the_same_keys(name: str) -> None:
    root = schema_of(name)
    agree(OTHERS[name], root, root)


def agree(hint: Any, node: dict[str, Any], root: dict[str, Any]) -> None:
    """A type's keys are those of the schema's node, whose references are looked up in `root`."""
    if "$ref" in node:
        node = root["$defs"][node["$ref"].rpartition("/")[2]]
    if typing.is_typeddict(hint):
        assert node["properties"].keys() == hints(hint).keys(), hint
        if "additionalProperties" in node:
            assert set(node["required"]) == required(hint), hint
        for key, its in hints(hint).items():
            agree(its, node["properties"][key], root)
    elif typing.get_origin(hint) is Literal:
        values = {node["const"]} if "const" in node else set(node["enum"]) - {None}
        assert values == set(typing.get_args(hint))
    elif typing.get_origin(hint) is list and "items" in node:
        agree(typing.get_args(hint)[0], node["items"], root)
    elif typing.get_origin(hint) is dict and "properties" in node:
        for its in node["properties"].values():
            agree(typing.get_args(hint)[1], its, root)
    elif type(None) in typing.get_args(hint):
        for its in set(typing.get_args(hint)) - {type(None)}:
            agree(its, node, root)


def test_the_measures_of_a_comparison_are_those_of_its_schema() -> None:
    contender = schema_of("compare")["$defs"]["model"]["properties"]["measures"]
    assert [*contender["properties"]] == contender["required"] == [*comparison.MEASURES]


@pytest.mark.parametrize("kind", sorted(set(inside(contract.Report)), key=str))
def test_every_key_is_explained(kind: type) -> None:
    for key in hints(kind):
        assert re.search(rf"`{key}`", JSON_MD), f"docs/json.md does not say what `{key}` is"
