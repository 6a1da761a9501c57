"""Documents that a JSON Schema of docs/schema allows, as a strategy of hypothesis: what can be null sometimes is, lists
are empty, texts are hostile. (PyPI's hypothesis-jsonschema knows drafts up to 7; ours are 2020-12.)"""

from __future__ import annotations

import json
from functools import cache, partial
from typing import Any

from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from support.contract import SCHEMAS

Schema = dict[str, Any]

HOSTILE = (
    *(
        "",
        "python3",
        "epoll_wait",
        "a\x1b[31mb",
        "new\nline",
        "tab\t",
        "\u202ered",
        "\ud800",
        "имя",
        "x" * 300,
    ),
    *(
        r"\xff" * 15,
        "[bold]x[/bold]",
        "</svg><script>",
        "a|b",
        "`x`",
        "\x00",
        "\x9b31m",
        "名前",
        "é",
        "–",
        "a b",
    ),
    *(
        "waiting for data",
        "files",
        "computing",
        "mutual exclusion",
        "TCP:[127.0.0.1:80->127.0.0.1:9]",
    ),
    *(
        "EAGAIN",
        "SIGIO",
        "busy polling",
        "wait_p50_ns",
        "cpu_share",
        "holds",
        "poll armed",
        "inline",
    ),
)
TEXTS = st.sampled_from(HOSTILE) | st.text(max_size=8)


@cache
def schema(name: str) -> Schema:
    """docs/schema/NAME.schema.json."""
    loaded: Schema = json.loads((SCHEMAS / f"{name}.schema.json").read_text(encoding="utf-8"))
    return loaded


def documents(name: str) -> st.SearchStrategy[dict[str, Any]]:
    """Objects as docs/schema/NAME.schema.json allows them."""
    return _Maker(schema(name)).of(schema(name))


class _Maker:
    """Strategies for the parts of one schema."""

    def __init__(self, whole: Schema) -> None:
        self._whole = whole
        self._made: dict[str, st.SearchStrategy[Any]] = {}

    def of(self, part: Schema) -> st.SearchStrategy[Any]:
        """Values as a part of the schema allows them; raises NotImplementedError for a type that it does not know."""
        if ref := part.get("$ref"):
            if ref not in self._made:
                self._made[ref] = self.of(self._resolved(ref))
            return self._made[ref]
        if "const" in part:
            return st.just(part["const"])
        if "enum" in part:
            return st.sampled_from([*part["enum"], *[None] * _is_nullable(part)])
        if choices := part.get("anyOf") or part.get("oneOf"):
            return st.one_of([self.of(choice) for choice in choices])
        kinds = part["type"] if isinstance(part["type"], list) else [part["type"]]
        return st.one_of([self._plain(kind, part) for kind in kinds])

    def _resolved(self, ref: str) -> Schema:
        found: Any = self._whole
        for key in ref.removeprefix("#/").split("/"):
            found = found[key]
        its: Schema = found
        return its

    def _plain(self, kind: str, part: Schema) -> st.SearchStrategy[Any]:
        least, most = part.get("minimum"), part.get("maximum")
        if kind == "null":
            return st.none()
        if kind == "boolean":
            return st.booleans()
        if kind == "integer":
            return _integers(least, most)
        if kind == "number":
            return _numbers(least, most)
        if kind == "string":
            texts = st.from_regex(part["pattern"]) if "pattern" in part else TEXTS
            return texts.filter(lambda its: len(its) >= part.get("minLength", 0))
        if kind == "array":
            if first := part.get("prefixItems"):
                return st.tuples(*map(self.of, first)).map(list)
            size = {"min_size": part.get("minItems", 0), "max_size": part.get("maxItems", 3)}
            return st.lists(self.of(part.get("items", {"type": "null"})), **size)
        if kind == "object":
            return self._object(part)
        raise NotImplementedError(kind)

    def _object(self, part: Schema) -> st.SearchStrategy[Any]:
        properties, required = part.get("properties", {}), part.get("required", [])
        others = part.get("additionalProperties")
        needed = {key: self.of(properties.get(key, others)) for key in required}
        rest = {key: self.of(value) for key, value in properties.items() if key not in required}
        made: st.SearchStrategy[Any] = st.fixed_dictionaries(needed, optional=rest)
        if isinstance(others, dict) and not needed:
            made = st.dictionaries(
                _keys(part.get("propertyNames", {})), self.of(others), max_size=3
            )
        for rule in part.get("allOf", []):
            made = made.flatmap(partial(self._obeying, part, rule))
        return made

    def _obeying(self, part: Schema, rule: Schema, value: Any) -> st.SearchStrategy[Any]:
        """The value, changed where a rule (`if`, `then`) says so."""
        holds = Draft202012Validator(rule["if"]).is_valid(value)
        then = rule.get("then" if holds else "else", {})
        changes = {
            key: self.of(_both(part["properties"][key], its))
            for key, its in then.get("properties", {}).items()
            if key in value
        }
        for key in then.get("required", []):
            if key not in value:
                changes[key] = self.of(part["properties"][key])
        if not changes:
            return st.just(value)
        if (
            "name" in changes
        ):  # a key that is there only beside some names is left out beside others
            lone = [key for key in rule["if"].get("required", []) if key in value]
            return st.just({key: its for key, its in value.items() if key not in lone})
        return st.fixed_dictionaries(changes).map(lambda new: value | new)


def _both(one: Schema, other: Schema) -> Schema:
    return other if {"$ref", "anyOf"} & (one.keys() | other.keys()) else one | other


def _is_nullable(part: Schema) -> bool:
    return "null" in part.get("type", []) and None not in part["enum"]


def _integers(least: int | None, most: int | None) -> st.SearchStrategy[int]:
    some = [
        its
        for its in (-(1 << 62), -1, 0, 1, 7, 999, 1 << 22, 1 << 40, (1 << 62))
        if _in(its, least, most)
    ]
    return st.sampled_from(some) | st.integers(
        least if least is not None else -(1 << 40), most if most is not None else 1 << 40
    )


def _numbers(least: float | None, most: float | None) -> st.SearchStrategy[float]:
    some = [its for its in (0, 0.5, 1, 1e-300, 1e300, 12.25, 3, 1e9) if _in(its, least, most)]
    return st.sampled_from(some) | st.floats(least, most, allow_nan=False, allow_infinity=False)


def _in(value: float, least: float | None, most: float | None) -> bool:
    return (least is None or value >= least) and (most is None or value <= most)


def _keys(part: Schema) -> st.SearchStrategy[str]:
    if "enum" in part:
        return st.sampled_from(part["enum"])
    if "pattern" in part:
        pattern: str = part["pattern"]
        return st.from_regex(pattern, fullmatch=True)
    return TEXTS
