"""What `--redact` leaves out of a recording, and so of every output: addresses, paths, and arguments of commands.

Rows stay, so that the ledger adds up; those of addresses and paths say no more than when and of which thread. What is
left out is never written, to FILE.partial neither.
"""

from __future__ import annotations

import re
from pathlib import PurePath
from typing import Any, Self

import numpy as np

from tracer.recording import parquet, partial
from tracer.recording.batch import NAMES, RecordBatch
from tracer.recording.fields import Files
from tracer.recording.records import Kind

_LEFT_OUT = (Kind.ADDRESS, Kind.PATH)
_CONTENT = ("start", "result", "nr", "fd", "arg")
# File systems whose names are the kernel's own (include/uapi/linux/magic.h), as Files.magic has them: of a socket it is
# what protocol that has, of an anonymous inode what that is for.
_KERNELS = [(magic >> 16) ^ (magic & 0xFFFF) for magic in (0x534F434B, 0x09041934)]
_DIRECTORIES = re.compile(r"(?<!\S)/\S*/")
_FAILURE = "what failed is left out, since it may name files"


class Writer:
    """Passes records and facts on without what is to be left out; the methods of parquet.Writer."""

    def __init__(self, writer: parquet.Writer | partial.Writer) -> None:
        self._writer = writer

    def __enter__(self) -> Self:
        self._writer.__enter__()
        return self

    def __exit__(self, failure: type | None, *exc: object) -> None:
        self._writer.__exit__(failure, *exc)

    def begin(self, facts: dict[str, Any]) -> None:
        self._writer.begin(redacted_facts(facts))

    def write(self, records: RecordBatch) -> None:
        self._writer.write(redacted(records))

    def close(self, facts: dict[str, Any]) -> None:
        self._writer.close(redacted_facts(facts))

    def abandon(self) -> None:
        self._writer.abandon()


def redacted(records: RecordBatch) -> RecordBatch:
    """The records without addresses and paths; these columns are copied where there are such."""
    names = Files.of(records)
    names = names.where(~np.isin(names.magic, _KERNELS))
    gone = np.isin(records.kind, _LEFT_OUT)
    if not (len(names) or gone.any()):
        return records
    columns = {name: getattr(records, name) for name in NAMES}
    for name in ("kind", *_CONTENT):
        columns[name] = columns[name].copy()
        columns[name][gone] = Kind.REDACTED if name == "kind" else 0
    for name in ("start", "result"):
        columns[name][names.places] = 0
    return RecordBatch(*columns.values())


def redacted_facts(facts: dict[str, Any]) -> dict[str, Any]:
    """A recording's facts likewise: names of files, of commands all but the program's own, without its directory."""
    facts = facts | {"redacted": True}
    if "files" in facts:
        facts["files"] = []
    if facts.get("failure"):
        facts["failure"] = _FAILURE
    if "options" in facts:
        facts["options"] = {key: its for key, its in facts["options"].items() if key != "address"}
    if "features" in facts:
        facts["features"] = {
            name: _DIRECTORIES.sub("", words) for name, words in facts["features"].items()
        }
    if "target" in facts:
        target = facts["target"] | {"command": _program(facts["target"]["command"])}
        if "attached" in target:
            target["attached"] = [
                process | {"command": _program(process["command"])}
                for process in target["attached"]
            ]
        facts["target"] = target
    return facts


def _program(command: list[str]) -> list[str]:
    # one that has rewritten its command line (setproctitle(3)) has all of it in the first word: nothing is kept of that
    return [PurePath(word).name for word in command[:1] if word.strip("/") and " " not in word]
