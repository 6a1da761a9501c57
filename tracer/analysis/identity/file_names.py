"""The names of files in a whole recording: what the kernel told of a file, the path by which it was opened, a socket's
addresses, and what /proc said while it was open."""

from __future__ import annotations

import socket
from typing import Any

import numpy as np

from tracer.analysis.identity import naming
from tracer.analysis.identity.descriptors import Descriptors
from tracer.analysis.identity.open_files import FileKind
from tracer.recording import fields
from tracer.recording.batch import RecordBatch
from tracer.recording.records import bytes_of

_Key = tuple[int, int, int]
"""Process, descriptor, number of the file."""
_NO_PATH = np.empty((0, 4), np.int64)


class FileNames:
    """Feed batches in time order, after Descriptors; ask when all are fed.

    facts: the metadata of the recording, with the files that were listed in /proc.
    """

    def __init__(self, facts: dict[str, Any], descriptors: Descriptors) -> None:
        self._descriptors = descriptors
        self._listed: dict[tuple[int, int], list[dict[str, Any]]] = {}
        for file in facts.get("files") or []:
            self._listed.setdefault((file["fd"], file["inode"]), []).append(file)
        self._lives: dict[_Key, int] = {}  # the last life that showed the file there
        self._anywhere: dict[int, int] = {}  # number of a file → its last life
        # number of a file → its last life that was opened by a path
        self._opened: dict[int, int] = {}
        # inode of a Unix socket → that of the one that it is connected to
        self._peers: dict[int, int] = {}
        self._paths: list[np.ndarray] = []  # rows: life, piece, 16 bytes in two words
        self._sorted = _NO_PATH
        self._places: dict[int, tuple[int, int]] = {}  # life → its rows there
        self._local: dict[int, tuple[str, int]] = {}  # number of a socket → address
        self._addressed: dict[int, str] = {}  # number of a socket → name

    def feed(self, batch: RecordBatch) -> None:
        """A batch in time order."""
        looks = fields.Descriptors.of(batch)
        if len(looks):
            lives, numbers = self._shown(looks)
            tgids = self._descriptors.process_of(looks.tid, looks.time)
            keys = zip(tgids.tolist(), looks.fd.tolist(), numbers.tolist(), strict=True)
            self._lives.update(zip(keys, lives.tolist(), strict=True))
            self._anywhere.update(zip(numbers.tolist(), lives.tolist(), strict=True))
            peers = self._descriptors.look_at(lives)
            unix = (peers.kind == FileKind.SOCKET) & (peers.low & 0xFFFF == socket.AF_UNIX)
            unix &= peers.high > 0
            self._peers.update(
                zip(peers.high[unix].tolist(), peers.inode[unix].tolist(), strict=True)
            )
        paths = fields.Paths.of(batch)
        if len(paths):
            lives, numbers = self._shown(paths)
            self._opened.update(zip(numbers.tolist(), lives.tolist(), strict=True))
            rows = np.column_stack([lives, paths.piece, paths.low, paths.high])
            self._paths.append(rows[lives >= 0])
        addresses = fields.Addresses.of(batch)
        if len(addresses):
            _, numbers = self._shown(addresses)
            names = ("remote", "family", "socket_type", "low", "high", "port")
            columns = (getattr(addresses, name).tolist() for name in names)
            for number, *address in zip(numbers.tolist(), *columns, strict=True):
                self._address(number, *address)

    def name(self, tgid: int, fd: int, number: int) -> str | None:
        """The name of the process's descriptor while it was this file (0: unknown); fd −1: of any descriptor. None
        where nothing is known."""
        life = self._lives.get((tgid, fd, number), self._anywhere.get(number))
        if not number or life is None:
            return None
        row = self._descriptors.row_of(life)
        raw = naming.as_bytes(row["low"], row["high"])
        if row["kind"] == FileKind.SOCKET:
            own = _socket(row, self._peers.get(row["inode"], 0))
            proc = self._proc(tgid, fd, row)
            if proc and "->" in own and "," not in proc:
                proc = None  # who it is connected to says more, but not more than a path
            return self._addressed.get(number) or proc or own
        if row["kind"] == FileKind.PIPE:
            return self._path(life) or naming.unnamed(row["mode"], row["inode"])
        if naming.is_kernels(row["kind"]):
            return naming.named(raw, row["kind"]) or self._proc(tgid, fd, row)
        return (
            self._proc(tgid, fd, row)
            or self._path(life)
            or self._path(self._opened.get(number, -1))  # a dup, or one that was inherited
            or naming.named(raw, row["kind"])
            or naming.unnamed(row["mode"], row["inode"])
        )

    def _shown(
        self, view: fields.Descriptors | fields.Paths | fields.Addresses
    ) -> tuple[np.ndarray, np.ndarray]:
        """(life, number of the file) of each record's descriptor, -1 and 0 where unknown."""
        lives = self._descriptors.known_lives(view.tid, view.fd, view.time)
        return lives, self._descriptors.look_at(lives).number

    def _address(
        self, number: int, remote: bool, family: int, kind: int, low: int, high: int, port: int
    ) -> None:
        address = naming.host(family, low, high), port
        if not remote:
            self._local[number] = address
            return
        protocol = naming.protocol_of(family, kind)
        local = self._local.get(number, ("", 0))
        self._addressed[number] = naming.addressed(protocol, local, address)

    def _proc(self, tgid: int, fd: int, row: dict[str, int]) -> str | None:
        """What /proc said of it: of this process, else of any if all have one name."""
        files = [
            file
            for file in self._listed.get((fd, row["inode"]), ())
            if file.get("mark") in (None, 0, row["mark"])
        ]
        own = [file["name"] for file in files if file.get("pid") == tgid]
        names = set(own or (file["name"] for file in files))
        if not own and len(names) != 1:
            return None
        name: str = own[-1] if own else names.pop()
        return None if name.startswith(("socket:[", "inode:[")) else name

    def _path(self, life: int) -> str | None:
        """The path by which a life's file was opened."""
        if self._paths:
            rows = np.concatenate([self._sorted, *self._paths])
            self._sorted, self._paths = rows[np.lexsort((rows[:, 1], rows[:, 0]))], []
            lives, first = np.unique(self._sorted[:, 0], return_index=True)
            last = np.append(first[1:], len(self._sorted))
            places = zip(first.tolist(), last.tolist(), strict=True)
            self._places = dict(zip(lives.tolist(), places, strict=True))
        if life not in self._places:
            return None
        pieces = self._sorted[slice(*self._places[life]), 2:].tolist()
        # joined as bytes: a character may lie in two pieces
        return naming.path_shown(b"".join(bytes_of(*piece) for piece in pieces))


def _socket(row: dict[str, int], peer: int) -> str:
    """A socket without addresses. peer: the inode of a Unix socket that has told that it is connected to this one."""
    facts = naming.SocketFacts.of(row["low"], row["high"])
    if facts.family == socket.AF_UNIX and not facts.peer:
        facts = facts._replace(peer=peer)
    inode = row["inode"]
    return facts.shown(inode) if facts.family else f"socket:[{inode}]"
