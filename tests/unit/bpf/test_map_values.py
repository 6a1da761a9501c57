"""tracer/bpf/map_values.py mirrors probes/iotrace.h: fields, offsets and sizes, read from the header itself."""

from __future__ import annotations

import re

import numpy as np
import pytest

from tracer.bpf import map_values
from tracer.bpf.build import PROBES

HEADER = re.sub(r"/\*.*?\*/", "", (PROBES / "iotrace.h").read_text(), flags=re.S)
DTYPES = {
    "u64": np.dtype("<u8"),
    "u32": np.dtype("<u4"),
    "u16": np.dtype("<u2"),
    "s32": np.dtype("<i4"),
    "record": map_values.RECORD,
    "element": map_values.ELEMENT,
}


def constant(name: str) -> int:
    return int(re.search(rf"#define {name} (\w+)", HEADER)[1], 0)


@pytest.mark.parametrize("name", ["slot", "element", "batch", "ledger"])
def test_a_struct_has_its_fields_at_their_offsets(name):
    dtype, offset = getattr(map_values, name.upper()), 0
    body = re.search(rf"struct {name} \{{(.*?)\n\}};", HEADER, re.S)[1]
    declared = re.findall(r"^\s*(?:struct )?(\w+) (\w+)(?:\[(\w+)\])?;", body, re.M)
    for kind, field, count in declared:
        wanted = np.dtype(
            (DTYPES[kind], int(count) if count.isdigit() else constant(count))
            if count
            else DTYPES[kind]
        )
        assert dtype.fields[field] == (wanted, offset)
        offset += wanted.itemsize
    assert (list(dtype.fields), dtype.itemsize) == ([field for _, field, _ in declared], offset)


def test_a_call_that_was_not_seen_has_the_flag_of_the_header():
    assert constant("SLOT_UNSEEN") == map_values.SLOT_UNSEEN


def test_an_entry_writes_a_call_s_number_and_the_flags_at_once():
    """probes/calls.bpf.c stores both as one 64-bit number."""
    assert map_values.SLOT.fields["nr"][1] % 8 == 0
    assert map_values.SLOT.fields["flags"][1] == map_values.SLOT.fields["nr"][1] + 4


@pytest.mark.parametrize("name", ["DESCRIBED", "CHANGES"])
def test_a_map_has_as_many_values_as_the_probes_index(name):
    assert getattr(map_values, name) == constant(name)
