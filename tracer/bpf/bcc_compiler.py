"""Compiles the probes with BCC's clang, in a process of its own: run as `python -I bcc_compiler.py`, with the job as
JSON on stdin and the result as JSON on stdout. The only file that imports bcc.

BCC makes the working directory an include directory (ClangLoader::parse of its src/cc/frontends/clang/loader.cc), and
clang looks into CPATH and others. So tracer/bpf/build.py starts this program in the directory of the
probes with an environment of its own, and gets the names of all files that clang read.
"""

from __future__ import annotations

import base64
import ctypes
import json
import os
import re
import struct
import sys
from typing import Any

_LOAD_IMM64, _PSEUDO_MAP_FD = 0x18, 1  # of the instruction that names a map
_MAP_FACTS = ("type_id", "key_size_id", "leaf_size_id", "max_entries_id", "flags_id")
_LIST = "/proc/self/fd/{}"


class CannotCompile(Exception):
    """What went wrong; the text is for the user."""


def main() -> None:
    """stdin: {text, flags}; stdout: {license, maps, programs, places, read} or {error}. BCC's own words are left on
    stderr, those for stdout too."""
    answer = os.dup(1)
    os.dup2(2, 1)
    try:
        result = compiled(**json.load(sys.stdin))
    except CannotCompile as error:
        result = {"error": str(error)}
    with open(answer, "w", encoding="ascii") as file:
        json.dump(result, file)


def compiled(text: str, flags: list[str]) -> dict[str, Any]:
    """The compiled program `text`. BCC also creates its maps; they are closed again. Raises CannotCompile.

    maps: name → its kind, sizes, entries and flags, as BPF_MAP_CREATE wants them; programs: name → instructions
    (base64), with 0 for every map; places: program → [[index of the instruction that names a map, that map]]; read:
    every file that clang has read.
    """
    try:
        from bcc import BPF, lib
    except ImportError:
        raise CannotCompile(
            "BCC is missing: apt-get install python3-bpfcc (the PyPI package `bcc` is something else)"
        ) from None
    listed = os.memfd_create("read")
    try:
        module = BPF(text=text.encode(), cflags=[*flags, "-MD", "-MF", _LIST.format(listed)])
    except (Exception, SystemExit) as error:
        # BCC raises bare Exceptions, and exits where clang is unhappy
        raise CannotCompile(f"BCC could not compile the probes: {error}") from None
    try:
        return _taken_from(module, lib) | {"read": _prerequisites(os.pread(listed, 1 << 20, 0))}
    finally:
        module.cleanup()


def _taken_from(module: Any, lib: ctypes.CDLL) -> dict[str, Any]:
    """License, maps and instructions of a bcc.BPF, by libbcc's own functions (src/cc/bcc_common.h)."""
    names, maps = _maps_of(module, lib)
    programs, places = {}, {}
    for number in range(lib.bpf_num_functions(module.module)):
        raw = lib.bpf_function_name(module.module, number)
        name = raw.decode(errors="replace")
        code = bytearray(
            ctypes.string_at(
                lib.bpf_function_start(module.module, raw),
                lib.bpf_function_size(module.module, raw),
            )
        )
        places[name] = _without_maps(name, code, names)
        programs[name] = base64.b64encode(code).decode()
    return {
        "license": lib.bpf_module_license(module.module).decode(errors="replace"),
        "maps": maps,
        "programs": programs,
        "places": places,
    }


def _maps_of(module: Any, lib: ctypes.CDLL) -> tuple[dict[int, str], dict[str, list[int]]]:
    """Of the maps: descriptor → name, and name → the values of _MAP_FACTS."""
    lib.bpf_num_tables.argtypes, lib.bpf_num_tables.restype = [ctypes.c_void_p], ctypes.c_size_t

    def ask(number: int, fact: str, result: type) -> Any:
        function = getattr(lib, f"bpf_table_{fact}")
        function.argtypes, function.restype = [ctypes.c_void_p, ctypes.c_size_t], result
        return function(module.module, number)

    names, maps = {}, {}
    for number in range(lib.bpf_num_tables(module.module)):
        name = ask(number, "name", ctypes.c_char_p).decode(errors="replace")
        names[ask(number, "fd_id", ctypes.c_int)] = name
        maps[name] = [ask(number, fact, ctypes.c_size_t) for fact in _MAP_FACTS]
    return names, maps


def _without_maps(program: str, code: bytearray, names: dict[int, str]) -> list[tuple[int, str]]:
    """[(index of an instruction that names a map, that map)]; in `code` the descriptors there become 0."""
    places = []
    for index in range(len(code) // 8):
        opcode, registers, _, value = struct.unpack_from("<BBhi", code, 8 * index)
        if opcode == _LOAD_IMM64 and registers >> 4:
            if registers >> 4 != _PSEUDO_MAP_FD or value not in names:
                raise CannotCompile(f"{program} names what is no map")
            places.append((index, names[value]))
            struct.pack_into("<i", code, 8 * index + 4, 0)
    return places


def _prerequisites(rule: bytes) -> list[str]:
    """The files behind the colon of a make rule that clang's -MD wrote: in their names a blank or # stands behind a
    \\, and a $ is doubled."""
    text = os.fsdecode(rule).replace("\\\n", " ").partition(": ")[2]
    return [
        re.sub(r"\\([ #])", r"\1", word).replace("$$", "$")
        for word in re.findall(r"(?:\\[ #]|\S)+", text)
    ]


if __name__ == "__main__":
    main()
