"""The kernel's BPF objects: maps, programs and their attachment.

Maps and programs are made by bpf(2), through libbpf's low-level API. Kprobes and uprobes are made by perf_event_open(2)
directly, because libbpf's functions for them want objects that only its own loader makes."""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import mmap
import os
import resource
import struct

from tracer.kernel import syscalls
from tracer.kernel.libbpf import MapOptions, ProgramOptions, library
from tracer.kernel.pmu import type_of

KPROBE, RAW_TRACEPOINT = 2, 17  # enum bpf_prog_type; a uprobe's program is a kprobe's
MMAPABLE = (
    1 << 10
)  # BPF_F_MMAPABLE of an array, fc9702273e2e ("bpf: Add mmap() support for BPF_MAP_TYPE_ARRAY"), in 5.5
_SET_BPF, _ENABLE = 0x40042408, 0x2400  # PERF_EVENT_IOC_*
_FD_CLOEXEC = 8  # PERF_FLAG_FD_CLOEXEC
_LOG_SIZE = 1 << 20
_INSTRUCTION = 8  # bytes
# struct perf_event_attr of 112 bytes: type, size, …, at 56 config1 (kprobe_func, uprobe_path) and config2 (offset)
_PERF_ATTRIBUTES = struct.Struct("<II48xQQ40x")
# struct bpf_prog_info as far as recursion_misses: run_time_ns, run_cnt, recursion_misses at these places
_INFO_SIZE, _TIME_AT, _RUNS_AT, _MISSES_AT = 216, 192, 200, 208


class Map:
    """A map: an array with keys of 32 bits, or a map (the ring) that is used through its descriptor `fd` alone."""

    def __init__(
        self, name: str, kind: int, key_size: int, value_size: int, entries: int, flags: int
    ) -> None:
        """Creates the map; raises OSError."""
        self.value_size, self.entries = value_size, entries
        options = MapOptions(sz=ctypes.sizeof(MapOptions), map_flags=flags)
        self.fd = _checked(
            library().bpf_map_create(kind, name.encode(), key_size, value_size, entries, options)
        )

    def update(self, index: int, value: bytes) -> None:
        """Sets one entry; raises OSError."""
        buffer = ctypes.create_string_buffer(value, self.value_size)
        _checked(library().bpf_map_update_elem(self.fd, _key(index), buffer, 0))

    def values(self) -> bytearray:
        """All values of an array, one after the other (value sizes are multiples of 8)."""
        out = bytearray(self.entries * self.value_size)
        try:
            self._read_at_once(out)
        except OSError:
            self._read_each(out)
        return out

    def mapped(self) -> mmap.mmap:
        """All values of a MMAPABLE array, as they change; raises OSError."""
        return mmap.mmap(self.fd, self.entries * self.value_size, mmap.MAP_SHARED, mmap.PROT_READ)

    def close(self) -> None:
        """Closes the map's descriptor."""
        os.close(self.fd)

    def _read_at_once(self, out: bytearray) -> None:
        """Needs cb4d03ab499d ("bpf: Add generic support for lookup batch op"), in 5.6; raises OSError."""
        keys = (ctypes.c_uint32 * self.entries)()
        cursor, count = ctypes.c_uint32(), ctypes.c_uint32(self.entries)
        _checked(
            library().bpf_map_lookup_batch(
                self.fd, None, ctypes.byref(cursor), keys, _view(out), count, None
            )
        )

    def _read_each(self, out: bytearray) -> None:
        begin = ctypes.addressof(_view(out))
        for index in range(self.entries):
            place = begin + index * self.value_size
            _checked(library().bpf_map_lookup_elem(self.fd, _key(index), place))


def allow_memory() -> None:
    """Lifts RLIMIT_MEMLOCK, against which BPF memory counts before d5299b67dd59 ("bpf: Memcg-based memory accounting
    for bpf maps"), in 5.11."""
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(
            resource.RLIMIT_MEMLOCK, (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
        )


def load(name: str, kind: int, code: bytes, license_: bytes) -> int:
    """A program's descriptor; raises OSError with the verifier's last words."""

    def loaded(options: ProgramOptions | None) -> int:
        count = len(code) // _INSTRUCTION
        return _checked(
            library().bpf_prog_load(kind, name.encode(), license_, code, count, options)
        )

    try:
        return loaded(None)
    except OSError as error:
        log = ctypes.create_string_buffer(_LOG_SIZE)
        options = ProgramOptions(
            sz=ctypes.sizeof(ProgramOptions),
            log_level=1,
            log_size=_LOG_SIZE,
            log_buf=ctypes.addressof(log),
        )
        with contextlib.suppress(OSError):
            return loaded(options)
        words = " / ".join(log.value.decode(errors="replace").splitlines()[-3:])
        raise OSError(error.errno, f"{name}: {error.strerror} {words}".strip()) from None


def attach_raw_tracepoint(tracepoint: str, program: int) -> int:
    """A descriptor whose closing detaches the program; raises OSError."""
    return _checked(library().bpf_raw_tracepoint_open(tracepoint.encode(), program))


def attach_probe(pmu: str, target: str, offset: int, program: int) -> int:
    """A descriptor of a probe that runs the program, until it is closed; raises OSError.

    pmu: "kprobe" (`target` is a function) or "uprobe" (`target` is a file, `offset` is in that file).
    """
    name = ctypes.create_string_buffer(os.fsencode(target))
    attributes = ctypes.create_string_buffer(
        _PERF_ATTRIBUTES.pack(type_of(pmu), _PERF_ATTRIBUTES.size, ctypes.addressof(name), offset),
        _PERF_ATTRIBUTES.size,
    )
    try:
        fd = _perf_event_open(attributes)
    except OSError as error:
        raise OSError(error.errno, f"{pmu} on {target}: {error.strerror}") from None
    try:
        fcntl.ioctl(fd, _SET_BPF, program)
        fcntl.ioctl(fd, _ENABLE, 0)
    except OSError:
        os.close(fd)
        raise
    return fd


def recursion_misses(program: int) -> int | None:
    """How often the kernel skipped the program (struct bpf_prog_info), None where it does not count that: before
    9ed9e9ba2337 ("bpf: Count the number of times recursion was prevented"), in 5.12."""
    info = _info(program)
    return int.from_bytes(info[_MISSES_AT:_INFO_SIZE], "little") if info else None


def run_times(program: int) -> tuple[int, int] | None:
    """(ns, runs): for how long the program has run and how often, on all CPUs, while the kernel counted that (bpf(2),
    BPF_ENABLE_STATS; since Linux 5.8); None where it does not tell."""
    info = _info(program)
    if info is None:
        return None
    return (
        int.from_bytes(info[_TIME_AT:_RUNS_AT], "little"),
        int.from_bytes(info[_RUNS_AT:_MISSES_AT], "little"),
    )


def _info(program: int) -> bytes | None:
    info = ctypes.create_string_buffer(_INFO_SIZE)
    size = ctypes.c_uint32(_INFO_SIZE)
    if library().bpf_obj_get_info_by_fd(program, info, size) < 0 or size.value < _INFO_SIZE:
        return None
    return info.raw


def _perf_event_open(attributes: ctypes.Array[ctypes.c_char]) -> int:
    """perf_event_open(2) for every process, on CPU 0; raises OSError. All arguments are longs: a C int would leave the
    upper half of a register undefined."""
    arguments = (ctypes.addressof(attributes), -1, 0, -1, _FD_CLOEXEC)
    call = ctypes.CDLL(None, use_errno=True).syscall
    return _checked(call(*map(ctypes.c_long, (syscalls.numbers()["perf_event_open"], *arguments))))


def _checked(result: int) -> int:
    """A result that is not negative; raises OSError for one that is."""
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


def _key(index: int) -> ctypes.Array[ctypes.c_uint32]:
    return (ctypes.c_uint32 * 1)(index)


def _view(out: bytearray) -> ctypes.Array[ctypes.c_char]:
    """The bytes themselves, for C to write into."""
    return (ctypes.c_char * len(out)).from_buffer(out)
