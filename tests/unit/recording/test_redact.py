"""tracer/recording/redact.py: what `--redact` leaves out, and that all else stays."""

from __future__ import annotations

import numpy as np

from tracer.recording import redact
from tracer.recording.batch import NAMES, RecordBatch
from tracer.recording.records import RECORD, Kind

SOCKFS, ANONYMOUS, EXT4 = 0x534F ^ 0x434B, 0x0904 ^ 0x1934, 0xEF53
WORD = int.from_bytes(b"/secret/", "little")


def batch(*rows):
    """rows: (kind, magic or nr)."""
    records = np.zeros(len(rows), RECORD)
    records["time"] = np.arange(len(rows)) + 100
    records["tid"], records["fd"], records["arg"] = 7, 3, 0xFFFF
    records["start"] = records["result"] = WORD
    for row, (kind, number) in zip(records, rows, strict=True):
        row["kind"], row["nr"] = kind, number
    return RecordBatch.of(records)


def test_addresses_and_paths_are_gone_and_each_row_is_there():
    before = batch((Kind.CALL, 1), (Kind.PATH, 0), (Kind.ADDRESS, 1), (Kind.NAME, 0))
    after = redact.redacted(before)
    assert after.kind.tolist() == [Kind.CALL, Kind.REDACTED, Kind.REDACTED, Kind.NAME]
    for name in ("time", "tid"):
        assert (getattr(after, name) == getattr(before, name)).all()
    for name in ("start", "result", "nr", "fd", "arg"):
        assert getattr(after, name)[1:3].tolist() == [0, 0]
        assert (getattr(after, name)[[0, 3]] == getattr(before, name)[[0, 3]]).all()
    assert before.kind.tolist()[1] == Kind.PATH and before.start.tolist() == [WORD] * 4


def test_a_file_loses_its_name_and_a_socket_and_what_the_kernel_names_keep_what_they_are():
    after = redact.redacted(batch(*((Kind.FILE, magic) for magic in (EXT4, SOCKFS, ANONYMOUS))))
    assert after.start.tolist() == after.result.tolist() == [0, WORD, WORD]
    assert after.kind.tolist() == [Kind.FILE] * 3


def test_what_names_nothing_is_not_copied():
    records = batch((Kind.CALL, 1), (Kind.SWITCH_IN, 0))
    assert redact.redacted(records) is records
    assert len(redact.redacted(batch())) == 0 and NAMES


def test_facts_keep_what_a_program_is_called_and_lose_where_it_lies_and_what_it_was_told():
    facts = {
        "target": {
            "command": ["/opt/secret/server", "--password", "x"],
            "pid": 1,
            "attached": [
                {"pid": 1, "command": ["nginx: worker /secret"]},
                {"pid": 2, "command": []},
            ],
        },
        "files": [{"name": "/secret"}],
        "failure": "/secret: No space left on device",
        "options": {"address": "10.1.2.3", "size": 7},
        "features": {"aio_read": "uprobe on /secret/lib/libc.so.6"},
        "base_ns": 5,
    }
    after = redact.redacted_facts(facts)
    assert after["target"]["command"] == ["server"]
    assert [its["command"] for its in after["target"]["attached"]] == [[], []]
    assert after["options"] == {"size": 7} and after["files"] == [] and after["base_ns"] == 5
    assert after["features"] == {"aio_read": "uprobe on libc.so.6"} and after["redacted"]
    assert "secret" not in str(after) and "secret" in str(facts)
    assert redact.redacted_facts({}) == {"redacted": True}
