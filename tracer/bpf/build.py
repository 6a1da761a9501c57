"""Compiles the probes for this kernel with BCC and its clang, and keeps the result in a cache for the next run.

Compiling takes half a second and more, loading from the cache a few milliseconds. The cached programs run in the kernel
for whoever starts iotrace next. So nobody but the user that iotrace runs as may write where they are compiled or kept,
and clang may read only the probes' own files.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import os
import stat
import struct
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from tracer import places
from tracer.errors import CANNOT, IotraceError

PROBES = (
    Path(__file__).parents[2] / "probes"
)  # the BPF programs (*.bpf.c), iotrace.h, and headers for BCC
CACHE = Path("/var/cache/iotrace")  # root's
_FIRST = (
    "core.bpf.c",
    "descriptors.bpf.c",
    "aio.bpf.c",
)  # what the others call; those follow by name
_MOST_KEPT = 16
_FORM = 2  # of what is kept; what the first form holds may have come from a planted header, and is never used
_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH
_BUILT_IN = "/virtual/"  # BCC's own headers, which are in its library


class CannotCompile(IotraceError):
    """BCC is missing, or its clang is unhappy; the text says why."""

    status = CANNOT


@dataclass(frozen=True)
class MapSpec:
    """The arguments of BPF_MAP_CREATE for one map."""

    kind: int
    key_size: int
    value_size: int
    entries: int
    flags: int


@dataclass(frozen=True)
class Compiled:
    """programs: function name → instructions, with 0 for every map; places: function name → [(index of the
    instruction that names a map, that map)]."""

    license: bytes
    maps: dict[str, MapSpec]
    programs: dict[str, bytes]
    places: dict[str, list[tuple[int, str]]]

    def linked(self, program: str, fds: dict[str, int]) -> bytes:
        """The instructions with the maps' descriptors in them."""
        code = bytearray(self.programs[program])
        for index, name in self.places[program]:
            struct.pack_into("<i", code, 8 * index + 4, fds[name])
        return bytes(code)


def version() -> str | None:
    """BCC's version, None where it is not installed; without importing it, which takes long."""
    for directory in ("/usr/lib/python3/dist-packages", *sys.path):
        text = Path(directory, "bcc", "version.py")
        with contextlib.suppress(OSError):
            return text.read_text(encoding="utf-8").partition("=")[2].strip().strip("'\"")
    return None


def cache_directory() -> Path | None:
    """Where this user keeps compiled probes: root for all, another user (who has CAP_BPF) in a cache of their own; None
    for a user without a home."""
    if os.geteuid() == 0:
        return CACHE
    try:
        return places.user_cache() / "iotrace"
    except KeyError:
        return None


def compiled(constants: dict[str, int], cache: Path | None = None) -> Compiled:
    """The probes with these -D constants, from the cache or from BCC; raises CannotCompile."""
    cache = cache or cache_directory()
    if cache is None or who_else_writes(cache):
        return _parsed(_compile(constants))
    path = cache / f"{_key(constants)}.json"
    kept = _kept(path)
    if kept:
        return kept
    text = _compile(constants)
    _keep(path, text)
    return _parsed(text)


def source() -> str:
    """All programs as one translation unit; compilers' messages still name the file and its line."""
    others = sorted(path.name for path in PROBES.glob("*.bpf.c") if path.name not in _FIRST)
    paths = [PROBES / name for name in (*_FIRST, *others)]
    return "".join(f'#line 1 "{path.name}"\n{path.read_text(encoding="utf-8")}' for path in paths)


def who_else_writes(cache: Path | None = None) -> str:
    """Why the cache is not used: who else can write to it; '' where nobody but this user and root can."""
    cache = cache or cache_directory()
    if cache is None:
        return "this user has no home (set XDG_CACHE_HOME)"
    directory = places.open_to_others(cache.parent.resolve() / cache.name)
    return f"others may write to {directory}" if directory else ""


def _key(constants: dict[str, int]) -> str:
    """A digest of all that the result depends on: no other file may be read when it is compiled."""
    digest = hashlib.sha256(f"{_FORM} {sorted(constants.items())} {version()}".encode())
    for path in sorted([*PROBES.glob("*.bpf.c"), *PROBES.rglob("*.h")]):
        content = path.read_bytes()
        digest.update(f"{path.relative_to(PROBES)} {len(content)} ".encode() + content)
    return digest.hexdigest()[:32]


def _kept(path: Path) -> Compiled | None:
    """The cached result, if nobody but this user could have written it; else None."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        with open(fd, "rb") as file:
            status = os.fstat(fd)
            if status.st_uid != os.geteuid() or status.st_mode & _OTHERS_WRITE:
                return None
            return _parsed(file.read())
    except (OSError, ValueError, LookupError, TypeError):
        return None


def _parsed(text: bytes) -> Compiled:
    """The JSON of tracer/bpf/bcc_compiler.py, parsed; raises ValueError, LookupError, TypeError if it is damaged."""
    raw = json.loads(text)
    return Compiled(
        raw["license"].encode(),
        {name: MapSpec(*spec) for name, spec in raw["maps"].items()},
        {name: base64.b64decode(code) for name, code in raw["programs"].items()},
        {name: [tuple(place) for place in places] for name, places in raw["places"].items()},
    )


def _keep(path: Path, text: bytes) -> None:
    """Writes the result into the cache, if possible; else the next run compiles again."""
    with contextlib.suppress(OSError):
        path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        older = sorted(path.parent.glob("*.json"), key=lambda kept: kept.stat().st_mtime)
        for oldest in older[: max(0, len(older) + 1 - _MOST_KEPT)]:
            oldest.unlink()
        handle, temporary = tempfile.mkstemp(dir=path.parent)
        try:
            with open(handle, "wb") as file:
                file.write(text)
            os.replace(temporary, path)
        except BaseException:
            os.unlink(temporary)
            raise


def _compile(constants: dict[str, int]) -> bytes:
    """The JSON of tracer/bpf/bcc_compiler.py, run in the probes' directory without the caller's environment; raises
    CannotCompile."""
    # BCC opens included files only below the header directory
    flags = [*(f"-D{name}={value}" for name, value in constants.items()), f"-I{PROBES}"]
    environment = {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "BCC_KERNEL_SOURCE": str(PROBES)}
    done = subprocess.run(
        [sys.executable, "-I", "-B", str(Path(__file__).with_name("bcc_compiler.py"))],
        input=json.dumps({"text": source(), "flags": flags}).encode(),
        capture_output=True,
        check=False,
        cwd=PROBES,
        env=environment,
        start_new_session=True,
    )
    messages = done.stderr[:4000].decode(errors="replace").strip()
    try:
        result = json.loads(done.stdout)
    except ValueError:  # it crashed
        raise CannotCompile(
            f"BCC could not compile the probes: status {done.returncode}\n{messages}".strip()
        ) from None
    if "error" in result:
        raise CannotCompile(f"{result['error']}\n{messages}".strip())
    if foreign := _foreign(result["read"], PROBES):
        raise CannotCompile(
            f"the probes would be compiled with {foreign}, which is none of iotrace's files"
        )
    return done.stdout


def _foreign(read: list[str], directory: Path) -> str:
    """The first file read that is neither the probes' nor built into BCC, '' if there is none."""
    if not read:
        return "files that clang does not name"
    own_directory = os.path.realpath(directory) + os.sep
    return next(
        (
            name
            for name in read
            if not os.path.normpath(name).startswith(_BUILT_IN)
            and not os.path.realpath(directory / name).startswith(own_directory)
        ),
        "",
    )
