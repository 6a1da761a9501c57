"""Damaged and forged recordings, made of real ones: a mutation is a function of a recording and a random generator."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tracer.recording import facts as facts_of
from tracer.recording import parquet
from tracer.recording.batch import RecordBatch
from tracer.recording.parquet import Writer
from tracer.recording.records import RECORD, Kind

_KEY = b"iotrace"
_ODD: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1, 3, 0xFFFF, 1 << 22, 1 << 31, (1 << 32) - 1, 1 << 62, 1 << 63),
    *(
        (1 << 64) - 1,
        -(1 << 63),
        10**30,
        0.5,
        -0.0,
        1e308,
        "",
        "x",
        "\x1b[31m\n",
        "\ud800",
        "1e400",
    ),
    *([], {}, [[]], [None], {"": None}, [[[[[[]]]]]], ["x"] * 3, {"counted": "1"}),
)


@dataclass(frozen=True, eq=False)
class Base:
    """A real recording: its bytes, its facts, its records RECORD[n], and whether it has checksums."""

    name: str
    raw: bytes
    facts: dict[str, Any]
    records: np.ndarray
    checked: bool


def base(path: Path, room: Path, checked: bool) -> Base:
    """The recording at `path`; `checked`: written anew, with checksums. room: a directory to write in."""
    facts = json.loads(pq.read_metadata(path).metadata[_KEY])
    records = np.concatenate(list(parquet.read(str(path))))
    raw = path.read_bytes()
    if checked:
        raw = _written(room, records, facts)
    return Base(path.stem, raw, facts, records, checked)


def _written(room: Path, records: np.ndarray, facts: dict[str, Any]) -> bytes:
    place = room / "written"
    writer = Writer(str(place))
    # not through Writer.write alone: times may be out of order here, and facts are as they are
    writer.write(RecordBatch.of(records))
    writer.close(facts)
    return place.read_bytes()


def _with_facts(its: Base, room: Path, text: bytes) -> bytes:
    """The recording with other text for its facts; nothing else is changed."""
    place = room / "facts"
    with pq.ParquetFile(pa.BufferReader(its.raw)) as file:
        schema = file.schema_arrow.with_metadata(None)
        with pq.ParquetWriter(place, schema, compression="none", store_schema=False) as writer:
            for group in range(file.num_row_groups):
                writer.write_table(file.read_row_group(group).replace_schema_metadata(None))
            writer.add_key_value_metadata({_KEY: text})
    return place.read_bytes()


# of bytes: damage


def flipped(its: Base, chance: random.Random, room: Path) -> bytes:
    """Some bytes anywhere."""
    raw = bytearray(its.raw)
    for _ in range(chance.choice((1, 1, 1, 2, 8))):
        raw[chance.randrange(len(raw))] ^= 1 << chance.randrange(8)
    return bytes(raw)


def footer(its: Base, chance: random.Random, room: Path) -> bytes:
    """Some bytes of the footer: Parquet's metadata in Thrift, and our facts."""
    raw = bytearray(its.raw)
    length = int.from_bytes(raw[-8:-4], "little") + 8
    for _ in range(chance.choice((1, 1, 1, 2, 8))):
        raw[-chance.randrange(1, length + 1)] = chance.randrange(256)
    return bytes(raw)


def thrift(its: Base, chance: random.Random, room: Path) -> bytes:
    """The footer without our facts, of which it is most."""
    raw = bytearray(its.raw)
    begin = len(raw) - int.from_bytes(raw[-8:-4], "little") - 8
    facts = raw.find(b'{"', begin)
    places = [*range(begin, facts), *range(raw.rfind(b"}") + 1, len(raw))]
    for _ in range(chance.choice((1, 1, 2, 4))):
        raw[chance.choice(places)] = chance.randrange(256)
    return bytes(raw)


def page(its: Base, chance: random.Random, room: Path) -> bytes:
    """A run of bytes of the pages."""
    raw = bytearray(its.raw)
    length = int.from_bytes(raw[-8:-4], "little") + 8
    count = chance.choice((1, 4, 64, 1000))
    at = chance.randrange(4, max(5, len(raw) - length - count))
    raw[at : at + count] = chance.randbytes(min(count, len(raw) - length - at))
    return bytes(raw)


def cut(its: Base, chance: random.Random, room: Path) -> bytes:
    """Bytes taken away, doubled or put in."""
    at, count = chance.randrange(len(its.raw)), chance.choice((1, 8, 100, 5000))
    how = chance.randrange(4)
    if how == 0:
        return its.raw[:at]
    if how == 1:
        return its.raw[:at] + its.raw[at + count :]
    if how == 2:
        return its.raw[: at + count] + its.raw[at:]
    return its.raw[:at] + chance.randbytes(count) + its.raw[at:]


# of facts: what the file says of itself


def _places(value: Any) -> list[tuple[Any, Any]]:
    """(object or list, key or index) of each value in a JSON value; of long lists some."""
    items: Any = ()
    if isinstance(value, dict):
        items = value.items()
    elif isinstance(value, list):
        items = enumerate(value[:3])
    found = [(value, key) for key, _ in items]
    for _, item in items:
        found += _places(item)
    return found


def facts(its: Base, chance: random.Random, room: Path) -> bytes:
    """A value of the facts replaced or taken away; half of them with a digest that holds."""
    changed = json.loads(json.dumps(its.facts))
    for _ in range(chance.choice((1, 1, 2))):
        holder, key = chance.choice(_places(changed))
        if chance.randrange(4) == 0:
            del holder[key]
        else:
            holder[key] = chance.choice(_ODD)
        if not changed:
            break
    return _with_facts(its, room, _dressed(its, changed, chance))


def _dressed(its: Base, changed: dict[str, Any], chance: random.Random) -> bytes:
    """As a recording with checksums or without would say it."""
    if its.checked and chance.randrange(2):
        with pq.ParquetFile(pa.BufferReader(its.raw)) as file:
            held = json.loads(file.metadata.metadata[_KEY])
        return facts_of.written(
            {key: held[key] for key in ("schema", "ordered", "groups")} | changed
        )
    return json.dumps({"schema": 1, "ordered": True} | changed).encode()


def text(its: Base, chance: random.Random, room: Path) -> bytes:
    """The facts' text: numbers that are none, nested lists, no JSON."""
    plain = json.dumps({"schema": 1, "ordered": True} | its.facts)
    old, new = chance.choice(
        (
            ('"schema": 1', '"schema": 1e400'),
            ('"schema": 1', '"schema": 2'),
            ('"schema": 1', '"schema": NaN'),
            ('"schema": 1', '"schema": "1"'),
            ('"base_ns": ', '"base_ns": 1e400, "was": '),
            ('"base_ns": ', '"base_ns": -Infinity, "was": '),
            ('"end_ns": ', '"end_ns": ' + "9" * 5000 + ', "was": '),
            ('"host": ', '"host": ' + "[" * 100_000 + "]" * 100_000 + ', "was": '),
            ('"ended": ', '"more": ' + '{"a":' * 500 + "1" + "}" * 500 + ', "ended": '),
            ("{", "["),
            ("}", ""),
            ('"python"', '"p\\ud800"'),
            ('"features": {', '"features": {"a\\u001b[31m": "\\udfff\\n", '),
        )
    )
    return _with_facts(its, room, plain.replace(old, new, 1).encode())


# of rows: a recording that is well made, and says what cannot be


def rows(its: Base, chance: random.Random, room: Path) -> bytes:
    """Values out of range, times out of order, rows too many or too few; with checksums that hold, or with none."""
    rng = np.random.default_rng(chance.randrange(1 << 32))
    records = its.records.copy()
    for _ in range(chance.choice((1, 1, 3))):
        records = chance.choice(_ROWS)(records, rng) if len(records) else records
    raw = _written(room, records, its.facts)
    if chance.randrange(2):
        return raw
    bare = Base(its.name, raw, its.facts, records, False)
    ordered = bool(chance.randrange(4))
    return _with_facts(
        bare, room, json.dumps({"schema": 1, "ordered": ordered} | its.facts).encode()
    )


def _values(records: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    name = str(rng.choice([name for name in RECORD.names or () if name != "kind"]))
    limits = np.iinfo(RECORD[name])
    some = rng.integers(0, len(records), int(rng.choice([1, 3, 100])))
    odd = [limits.min, limits.max, 0, 1, limits.max // 2, limits.min // 2, limits.max - 1]
    odd += [
        value for value in (-1, 255, 4095, 1 << 22, 1 << 31) if limits.min <= value <= limits.max
    ]
    records[name][some] = rng.choice(np.array(odd, RECORD[name]), len(some))
    return records


def _kinds(records: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    some = rng.integers(0, len(records), int(rng.choice([1, 3, 100])))
    records["kind"][some] = rng.choice([kind.value for kind in Kind], len(some))
    return records


def _shuffled(records: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    times = records["time"].copy()
    records = records[rng.permutation(len(records))]
    if rng.integers(2):
        records["time"] = times  # in order, but everything else is not
    return records


def _fewer(records: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    kept: np.ndarray = records[rng.random(len(records)) > rng.choice([0.01, 0.5, 0.99, 1.0])]
    return kept


def _more(records: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return np.repeat(records, rng.integers(1, 4, len(records)))


def _others(records: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    some = rng.integers(0, len(records), min(20, len(records)))
    for name in ("tid", "fd", "nr", "start", "result", "arg"):
        if rng.integers(2):
            records[name][some] = records[name][rng.permutation(len(records))][: len(some)]
    return records


_ROWS: tuple[Callable[[np.ndarray, np.random.Generator], np.ndarray], ...] = (
    *(_values, _values, _values, _kinds, _shuffled, _fewer, _more, _others),
)


# of columns


def columns(its: Base, chance: random.Random, room: Path) -> bytes:
    """A column missing, renamed, of another type, with nulls, or nested."""
    with pq.ParquetFile(pa.BufferReader(its.raw)) as file:
        table, held = file.read(), file.metadata.metadata[_KEY]
    name = chance.choice(table.column_names)
    at, how = table.column_names.index(name), chance.randrange(6)
    column = table.column(name)
    if how == 0:
        table = table.drop_columns([name])
    elif how == 1:
        table = table.set_column(at, name + "_", column)
    elif how == 2:
        table = table.set_column(at, name, pa.array(["x"] * len(table)))
    elif how == 3:
        mask = pa.array([chance.randrange(3) == 0 for _ in range(len(table))])
        table = table.set_column(at, name, pc.if_else(mask, None, column))
    elif how == 4:
        table = table.set_column(at, name, pa.array([[1]] * len(table)))
    else:
        table = table.append_column(name, column)
    place = room / "columns"
    with pq.ParquetWriter(place, table.schema.with_metadata(None), store_schema=False) as writer:
        writer.write_table(table.replace_schema_metadata(None))
        writer.add_key_value_metadata({_KEY: held})
    return place.read_bytes()


def claims(its: Base, chance: random.Random, room: Path) -> bytes:
    """A small file that holds very many rows."""
    many = chance.choice((1 << 19, 1 << 21))
    one = its.records[:1].repeat(1000)
    with pq.ParquetFile(pa.BufferReader(_written(room, one, its.facts))) as file:
        table = file.read()
    table = pa.concat_tables([table] * (many // 1000)).combine_chunks()
    place = room / "claims"
    codec = chance.choice(("none", "zstd"))
    with pq.ParquetWriter(
        place, table.schema.with_metadata(None), compression=codec, store_schema=False
    ) as writer:
        writer.write_table(table.replace_schema_metadata(None), row_group_size=many)
        writer.add_key_value_metadata(
            {_KEY: json.dumps({"schema": 1, "ordered": True} | its.facts).encode()}
        )
    return place.read_bytes()


Mutation = Callable[[Base, random.Random, Path], bytes]
# facts that are known when a recording begins
BEGUN = ("version", "host", "features", "scenario", "options", "target")
DAMAGE: tuple[Mutation, ...] = (flipped, footer, thrift, page, cut)
FORGERY: tuple[Mutation, ...] = (facts, text, rows, columns, claims)
# How often each is made.
WEIGHTS = {
    flipped: 4,
    footer: 3,
    thrift: 4,
    page: 3,
    cut: 2,
    facts: 6,
    text: 2,
    rows: 8,
    columns: 2,
}
