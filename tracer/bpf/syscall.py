"""The kernel's BPF objects without a library between: maps, programs and what they are attached to, by bpf(2) and
perf_event_open(2)."""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import mmap
import os
import resource
import struct

from tracer.kernel.pmu import type_of

_SYS_PERF_EVENT_OPEN, _SYS_BPF = 298, 321  # x86-64
(
    _MAP_CREATE,
    _MAP_LOOKUP,
    _MAP_UPDATE,
    _PROG_LOAD,
    _OBJ_GET_INFO,
    _RAW_TRACEPOINT_OPEN,
    _MAP_LOOKUP_BATCH,
) = 0, 1, 2, 5, 15, 17, 24
KPROBE, RAW_TRACEPOINT = 2, 17  # enum bpf_prog_type; a uprobe's program is a kprobe's
MMAPABLE = 1 << 10  # BPF_F_MMAPABLE of an array, 5.5
_SET_BPF, _ENABLE = 0x40042408, 0x2400  # PERF_EVENT_IOC_*
_FD_CLOEXEC = 8  # PERF_FLAG_FD_CLOEXEC
_LOG_SIZE = 1 << 20

_libc = ctypes.CDLL(None, use_errno=True)


class Map:
    """A map with keys of 32 bits (an array) or one that is only named by its descriptor `fd`."""

    def __init__(
        self, name: str, kind: int, key_size: int, value_size: int, entries: int, flags: int
    ) -> None:
        """Creates it; raises OSError."""
        self.value_size, self.entries = value_size, entries
        self.fd = _bpf(
            _MAP_CREATE,
            struct.pack(
                "<IIIIIII16s", kind, key_size, value_size, entries, flags, 0, 0, name.encode()[:15]
            ),
        )

    def update(self, index: int, value: bytes) -> None:
        """Sets one entry; raises OSError."""
        key, buffer = ctypes.c_uint32(index), ctypes.create_string_buffer(value, self.value_size)
        _bpf(
            _MAP_UPDATE,
            struct.pack("<IIQQQ", self.fd, 0, ctypes.addressof(key), ctypes.addressof(buffer), 0),
        )

    def values(self) -> bytearray:
        """All values of an array, one after the other (value sizes are multiples of 8)."""
        out = bytearray(self.entries * self.value_size)
        view = (ctypes.c_char * len(out)).from_buffer(out)
        cursor, keys = ctypes.c_uint32(), (ctypes.c_uint32 * self.entries)()
        try:  # 5.6, commit cb4d03ab499d
            _bpf(
                _MAP_LOOKUP_BATCH,
                struct.pack(
                    "<QQQQIIQQ",
                    0,
                    ctypes.addressof(cursor),
                    ctypes.addressof(keys),
                    ctypes.addressof(view),
                    self.entries,
                    self.fd,
                    0,
                    0,
                ),
            )
        except OSError:
            for index in range(self.entries):
                key = ctypes.c_uint32(index)
                _bpf(
                    _MAP_LOOKUP,
                    struct.pack(
                        "<IIQQQ",
                        self.fd,
                        0,
                        ctypes.addressof(key),
                        ctypes.addressof(view) + index * self.value_size,
                        0,
                    ),
                )
        return out

    def mapped(self) -> mmap.mmap:
        """All values of a MMAPABLE array, as they change; raises OSError."""
        return mmap.mmap(self.fd, self.entries * self.value_size, mmap.MAP_SHARED, mmap.PROT_READ)

    def close(self) -> None:
        """Lets go of it."""
        os.close(self.fd)


def allow_memory() -> None:
    """Before Linux 5.11 BPF memory counts against RLIMIT_MEMLOCK; later the limit does not matter."""
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(
            resource.RLIMIT_MEMLOCK, (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
        )


def load(name: str, kind: int, code: bytes, license_: bytes) -> int:
    """A program's descriptor; raises OSError with the verifier's last words."""
    instructions = ctypes.create_string_buffer(code, len(code))
    license_text = ctypes.create_string_buffer(license_)

    def attributes(log: ctypes.Array | None) -> bytes:
        level, size, where = (1, len(log), ctypes.addressof(log)) if log is not None else (0, 0, 0)
        return struct.pack(
            "<IIQQIIQII16s",
            kind,
            len(code) // 8,
            ctypes.addressof(instructions),
            ctypes.addressof(license_text),
            level,
            size,
            where,
            0,
            0,
            name.encode()[:15],
        )

    try:
        return _bpf(_PROG_LOAD, attributes(None))
    except OSError as error:
        log = ctypes.create_string_buffer(_LOG_SIZE)
        with contextlib.suppress(OSError):
            return _bpf(_PROG_LOAD, attributes(log))
        words = " / ".join(log.value.decode(errors="replace").splitlines()[-3:])
        raise OSError(error.errno, f"{name}: {error.strerror} {words}".strip()) from None


def attach_raw_tracepoint(tracepoint: str, program: int) -> int:
    """A descriptor whose closing detaches the program; raises OSError."""
    text = ctypes.create_string_buffer(tracepoint.encode())
    return _bpf(_RAW_TRACEPOINT_OPEN, struct.pack("<QII", ctypes.addressof(text), program, 0))


def attach_probe(pmu: str, target: str, offset: int, program: int) -> int:
    """The same for a probe of `pmu` (kprobe: `target` is a function; uprobe: a file, `offset` into it)."""
    kind = type_of(pmu)
    text = ctypes.create_string_buffer(os.fsencode(target))
    # struct perf_event_attr of 112 bytes: type, size, …, config1 at 56 (kprobe_func, uprobe_path), config2 (offset)
    attributes = struct.pack("<II48xQQ40x", kind, 112, ctypes.addressof(text), offset)
    buffer = ctypes.create_string_buffer(attributes, 112)
    fd = _syscall(_SYS_PERF_EVENT_OPEN, ctypes.addressof(buffer), -1, 0, -1, _FD_CLOEXEC)
    if fd < 0:
        raise OSError(ctypes.get_errno(), f"{pmu} on {target}: {os.strerror(ctypes.get_errno())}")
    try:
        fcntl.ioctl(fd, _SET_BPF, program)
        fcntl.ioctl(fd, _ENABLE, 0)
    except OSError:
        os.close(fd)
        raise
    return fd


def recursion_misses(program: int) -> int | None:
    """How often the kernel skipped the program (struct bpf_prog_info), None where it does not tell (before 5.12)."""
    info = ctypes.create_string_buffer(232)
    attributes = ctypes.create_string_buffer(
        struct.pack("<IIQ", program, len(info), ctypes.addressof(info)), 128
    )
    if _syscall(_SYS_BPF, _OBJ_GET_INFO, ctypes.addressof(attributes), 128) < 0:
        return None
    if struct.unpack_from("<I", attributes, 4)[0] < 216:
        return None
    return struct.unpack_from("<Q", info, 208)[0]


def _bpf(command: int, attributes: bytes) -> int:
    """bpf(2)'s result; raises OSError."""
    buffer = ctypes.create_string_buffer(attributes, 128)
    result = _syscall(_SYS_BPF, command, ctypes.addressof(buffer), 128)
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


def _syscall(*arguments: int) -> int:
    """syscall(2): every argument a long, since a C int leaves the upper half of a register undefined."""
    return _libc.syscall(*map(ctypes.c_long, arguments))
