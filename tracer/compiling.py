"""The probes compiled for this kernel, by BCC and its clang, once: what comes out is kept for the next time.

The only module that imports bcc. Compiling takes half a second and more, loading what was kept a few milliseconds.
"""

from __future__ import annotations

import base64
import contextlib
import ctypes
import hashlib
import json
import os
import stat
import struct
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

import probes

CACHE = Path("/var/cache/iotrace")
_MOST_KEPT = 16
_LOAD_IMM64, _PSEUDO_MAP_FD = 0x18, 1  # of the instruction that names a map


class CannotCompile(Exception):
    """BCC is missing, or its clang is unhappy; the text says why."""


@dataclass(frozen=True)
class MapSpec:
    """What BPF_MAP_CREATE wants to know."""

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
            return text.read_text().partition("=")[2].strip().strip("'\"")
    return None


def compiled(constants: dict[str, int], cache: Path = CACHE) -> Compiled:
    """The probes with these -D constants, from the cache or from BCC; raises CannotCompile."""
    path = cache / f"{_key(constants)}.json"
    found = _kept(path)
    if found is None:
        found = _compile(constants)
        _keep(path, found)
    return found


def _key(constants: dict[str, int]) -> str:
    """A digest of all that the result depends on."""
    digest = hashlib.sha256(f"{sorted(constants.items())} {version()}".encode())
    directory = Path(probes.__file__).parent
    for path in sorted([*directory.glob("*.bpf.c"), *directory.rglob("*.h")]):
        digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()[:32]


def _kept(path: Path) -> Compiled | None:
    """What was kept, if nobody but us could have written it."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        with open(fd, "rb") as file:
            for its in (os.fstat(fd), os.stat(path.parent)):
                if its.st_uid != os.geteuid() or stat.S_IMODE(its.st_mode) & 0o022:
                    return None
            raw = json.load(file)
        return Compiled(raw["license"].encode(), {name: MapSpec(**spec) for name, spec in raw["maps"].items()},
                        {name: base64.b64decode(code) for name, code in raw["programs"].items()},
                        {name: [tuple(place) for place in places] for name, places in raw["places"].items()})
    except (OSError, ValueError, LookupError, TypeError):
        return None


def _keep(path: Path, what: Compiled) -> None:
    """Best effort: where it cannot be written, the next run compiles again."""
    raw = {"license": what.license.decode(), "maps": {name: asdict(spec) for name, spec in what.maps.items()},
           "programs": {name: base64.b64encode(code).decode() for name, code in what.programs.items()},
           "places": what.places}
    with contextlib.suppress(OSError):
        path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        older = sorted(path.parent.glob("*.json"), key=lambda its: its.stat().st_mtime)
        for its in older[:max(0, len(older) + 1 - _MOST_KEPT)]:
            its.unlink()
        handle, temporary = tempfile.mkstemp(dir=path.parent)
        try:
            with open(handle, "w", encoding="ascii") as file:
                json.dump(raw, file)
            os.replace(temporary, path)
        except BaseException:
            os.unlink(temporary)
            raise


def _compile(constants: dict[str, int]) -> Compiled:
    """By BCC, which also creates the maps: they are let go of again."""
    directory = Path(probes.__file__).parent
    os.environ["BCC_KERNEL_SOURCE"] = str(directory)
    try:
        from bcc import BPF, lib
    except ImportError:
        raise CannotCompile("BCC is missing: apt-get install python3-bpfcc (the PyPI package `bcc` is something else)") \
            from None
    flags = [f"-D{name}={value}" for name, value in constants.items()]
    flags += [f"-I{directory}"]  # BCC opens included files only below the header directory
    with _stderr_kept() as said:
        try:
            module = BPF(text=probes.source().encode(), cflags=flags)
        except (Exception, SystemExit) as error:  # BCC raises bare Exceptions, and exits where clang is unhappy
            raise CannotCompile(f"BCC could not compile the probes: {error}\n{said()}".strip()) from None
    try:
        return _taken_from(module, lib)
    finally:
        module.cleanup()


def _taken_from(module, lib) -> Compiled:
    """Maps and instructions, by libbcc's own functions (src/cc/bcc_common.h)."""
    lib.bpf_num_tables.argtypes, lib.bpf_num_tables.restype = [ctypes.c_void_p], ctypes.c_size_t
    tables = {}
    for number in range(lib.bpf_num_tables(module.module)):
        def ask(what: str, result: type, number: int = number):
            function = getattr(lib, f"bpf_table_{what}")
            function.argtypes, function.restype = [ctypes.c_void_p, ctypes.c_size_t], result
            return function(module.module, number)

        spec = MapSpec(*(ask(what, ctypes.c_size_t) for what in ("type_id", "key_size_id", "leaf_size_id",
                                                                 "max_entries_id", "flags_id")))
        tables[ask("fd_id", ctypes.c_int)] = ask("name", ctypes.c_char_p).decode(), spec
    programs, places = {}, {}
    for number in range(lib.bpf_num_functions(module.module)):
        name = lib.bpf_function_name(module.module, number)
        code = bytearray(ctypes.string_at(lib.bpf_function_start(module.module, name),
                                          lib.bpf_function_size(module.module, name)))
        found = places[name.decode()] = []
        for index in range(0, len(code) // 8):
            opcode, registers, _, value = struct.unpack_from("<BBhi", code, 8 * index)
            if opcode == _LOAD_IMM64 and registers >> 4:
                if registers >> 4 != _PSEUDO_MAP_FD or value not in tables:
                    raise CannotCompile(f"{name.decode()} names what is no map")
                found.append((index, tables[value][0]))
                struct.pack_into("<i", code, 8 * index + 4, 0)
        programs[name.decode()] = bytes(code)
    license_ = lib.bpf_module_license(module.module)
    return Compiled(license_, dict(tables.values()), programs, places)


@contextlib.contextmanager
def _stderr_kept():
    """clang and libbpf write to fd 2 themselves; keeps it out of the user's sight, for an error's text."""
    sys.stderr.flush()
    saved, kept = os.dup(2), os.memfd_create("stderr")
    os.dup2(kept, 2)
    try:
        yield lambda: os.pread(kept, 4000, 0).decode(errors="replace").strip()
    finally:
        os.dup2(saved, 2)
        os.close(saved)
        os.close(kept)
