"""Disk images without root: ext2 file systems by genext2fs(8), from a directory or a tar archive."""

from __future__ import annotations

import tarfile
from collections.abc import Iterable
from pathlib import Path

from tracer.lab import tools

_BLOCK = 4096
_INODE = 128


def from_directory(directory: Path, image: Path) -> None:
    """`image`: all of `directory`, owned by root."""
    sizes = [path.lstat().st_size for path in directory.rglob("*")]
    tools.run("genext2fs", *_size(sizes), "--squash-uids", "--root", directory, image)


def from_tar(archive: Path, image: Path) -> None:
    """`image`: all of a tar archive, with its owners and modes."""
    with tarfile.open(archive) as file:
        sizes = [member.size for member in file]
    tools.run("genext2fs", *_size(sizes), "--tarball", archive, image)


def _size(sizes: Iterable[int]) -> list[str]:
    """genext2fs's size flags for files of so many bytes: it is told, since it does not find out."""
    sizes = list(sizes)
    inodes = len(sizes) + len(sizes) // 8 + 64
    data = sum(-(-size // _BLOCK) + 1 + size // (_BLOCK * 512) for size in sizes)
    blocks = data + data // 50 + inodes * _INODE // _BLOCK + 1024
    return [
        "--block-size",
        str(_BLOCK),
        "--size-in-blocks",
        str(blocks),
        "--number-of-inodes",
        str(inodes),
    ]
