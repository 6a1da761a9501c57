"""libbpf by ctypes: the functions of its btf.h and bpf.h that iotrace calls, with their types.

Needs libbpf 0.6: bpf_map_create and bpf_prog_load came with it, and the functions before them went with 1.0 (its
src/libbpf.map). Debian 12 has 1.1, Debian 13 1.5.
"""

from __future__ import annotations

import ctypes
from ctypes import POINTER, c_char_p, c_int, c_size_t, c_uint32, c_uint64, c_void_p
from functools import cache

from tracer.errors import CANNOT, IotraceError

_NAMES = ("libbpf.so.1", "libbpf.so.0")


class NoLibbpf(IotraceError):
    """This machine has no libbpf, or one that is too old."""

    status = CANNOT


class MapOptions(ctypes.Structure):
    """struct bpf_map_create_opts as far as it is set here; `sz` says how far that is."""

    _fields_ = (
        ("sz", c_size_t),
        ("btf_fd", c_uint32),
        ("btf_key_type_id", c_uint32),
        ("btf_value_type_id", c_uint32),
        ("btf_vmlinux_value_type_id", c_uint32),
        ("inner_map_fd", c_uint32),
        ("map_flags", c_uint32),
    )


class ProgramOptions(ctypes.Structure):
    """struct bpf_prog_load_opts as far as it is set here; `sz` says how far that is."""

    _fields_ = (
        ("sz", c_size_t),
        ("attempts", c_int),
        ("expected_attach_type", c_uint32),
        ("prog_btf_fd", c_uint32),
        ("prog_flags", c_uint32),
        ("prog_ifindex", c_uint32),
        ("kern_version", c_uint32),
        ("attach_btf_id", c_uint32),
        ("attach_prog_fd", c_uint32),
        ("attach_btf_obj_fd", c_uint32),
        ("fd_array", c_void_p),
        ("func_info", c_void_p),
        ("func_info_cnt", c_uint32),
        ("func_info_rec_size", c_uint32),
        ("line_info", c_void_p),
        ("line_info_cnt", c_uint32),
        ("line_info_rec_size", c_uint32),
        ("log_level", c_uint32),
        ("log_size", c_uint32),
        ("log_buf", c_void_p),
    )


# function: (its result's type, its arguments' types)
_TYPES = {
    "btf__load_vmlinux_btf": (c_void_p, []),
    "btf__free": (None, [c_void_p]),
    "btf__find_by_name_kind": (c_int, [c_void_p, c_char_p, c_uint32]),
    "btf__type_by_id": (c_void_p, [c_void_p, c_uint32]),
    "btf__name_by_offset": (c_char_p, [c_void_p, c_uint32]),
    "bpf_map_create": (
        c_int,
        [c_int, c_char_p, c_uint32, c_uint32, c_uint32, POINTER(MapOptions)],
    ),
    "bpf_map_update_elem": (c_int, [c_int, c_void_p, c_void_p, c_uint64]),
    "bpf_map_lookup_elem": (c_int, [c_int, c_void_p, c_void_p]),
    "bpf_map_lookup_batch": (
        c_int,
        [c_int, c_void_p, c_void_p, c_void_p, c_void_p, POINTER(c_uint32), c_void_p],
    ),
    "bpf_prog_load": (
        c_int,
        [c_int, c_char_p, c_char_p, c_void_p, c_size_t, POINTER(ProgramOptions)],
    ),
    "bpf_raw_tracepoint_open": (c_int, [c_char_p, c_int]),
    "bpf_obj_get_info_by_fd": (c_int, [c_int, c_void_p, POINTER(c_uint32)]),
}


@cache
def library() -> ctypes.CDLL:
    """libbpf, which keeps errno for ctypes.get_errno; raises NoLibbpf."""
    for name in _NAMES:
        try:
            lib = ctypes.CDLL(name, use_errno=True)
            break
        except OSError:
            continue
    else:
        raise NoLibbpf("libbpf.so.1 not found (Debian and Ubuntu: apt-get install libbpf1)")
    for function, (result, arguments) in _TYPES.items():
        try:
            typed = getattr(lib, function)
        except AttributeError:
            raise NoLibbpf(f"{name} is too old: it has no {function} (libbpf 0.6)") from None
        typed.restype, typed.argtypes = result, arguments
    return lib
