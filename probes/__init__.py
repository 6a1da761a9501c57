"""The BPF programs (*.bpf.c), their record (iotrace.h) and the few kernel headers BCC compiles against."""

from __future__ import annotations

from pathlib import Path

FIRST = (
    "core.bpf.c",
    "descriptors.bpf.c",
    "aio.bpf.c",
)  # what the others call; those follow by name


def source() -> str:
    """All programs as one translation unit, FIRST first; compilers' messages still name the file and its line."""
    directory = Path(__file__).parent
    others = sorted(path.name for path in directory.glob("*.bpf.c") if path.name not in FIRST)
    paths = [directory / name for name in (*FIRST, *others)]
    return "".join(f'#line 1 "{path.name}"\n{path.read_text()}' for path in paths)
