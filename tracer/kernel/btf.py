"""The running kernel's own type information (BTF, /sys/kernel/btf/vmlinux), read through libbpf by ctypes."""

from __future__ import annotations

import ctypes

from tracer.errors import CANNOT, IotraceError

KIND_STRUCT, KIND_TYPEDEF, KIND_FUNC_PROTO, KIND_VAR = 4, 8, 13, 14
_KIND_PTR, _KIND_UNION = 2, 5
_KIND_ALIASES = (KIND_TYPEDEF, 9, 10, 11)  # and volatile, const, restrict


class NoTypes(IotraceError):
    """This kernel, or this machine's libbpf, offers no BTF."""

    status = CANNOT


class KernelTypes:
    """Offsets of fields and shapes of tracepoints, from BTF (layout: Documentation/bpf/btf.rst).

    Raises NoTypes where libbpf or the kernel's BTF is missing.
    """

    def __init__(self) -> None:
        self._lib = _load()
        self._btf = self._lib.btf__load_vmlinux_btf()
        if not self._btf or ctypes.c_long(self._btf).value < 0:
            raise NoTypes("the kernel has no BTF (/sys/kernel/btf/vmlinux; CONFIG_DEBUG_INFO_BTF)")

    def close(self) -> None:
        self._lib.btf__free(self._btf)

    def offset(self, struct: str, *names: str) -> int | None:
        """Byte offset in `struct` of the first of `names` that it has (also inside anonymous members)."""
        number = self._find(struct, KIND_STRUCT)
        if number is None:
            return None
        for name in names:
            bits = self._member(number, name)
            if bits is not None:
                return bits // 8
        return None

    def has_per_cpu(self, name: str) -> bool:
        """Whether the kernel has this per-CPU variable (BTF names no others)."""
        return self._find(name, KIND_VAR) is not None

    def tracepoint_arguments(self, name: str) -> int | None:
        """How many arguments the tracepoint passes, or None where the kernel has no such tracepoint."""
        arguments = self.tracepoint_shape(name)
        return None if arguments is None else len(arguments)

    def tracepoint_shape(self, name: str) -> list[str | int] | None:
        """The tracepoint's arguments in order: a pointer as "*" and the name of the struct it points to ("*" alone
        for void), anything else as its size in bytes. None where the kernel has no such tracepoint."""
        number = self._find(f"btf_trace_{name}", KIND_TYPEDEF)
        if number is None:
            return None
        kind, count, target = self._type(number)
        while kind in (KIND_TYPEDEF, _KIND_PTR):
            number = target
            kind, count, target = self._type(number)
        parameters = ctypes.cast(
            self._lib.btf__type_by_id(self._btf, number) + 12, ctypes.POINTER(ctypes.c_uint32)
        )
        # the first is the tracepoint's own private data
        return [self._shape(parameters[2 * i + 1]) for i in range(1, count)]

    def _shape(self, number: int) -> str | int:
        kind, _, size = self._type(number)
        while kind in _KIND_ALIASES:
            kind, _, size = self._type(size)
        if kind != _KIND_PTR:
            return size
        target = size
        while target and self._type(target)[0] in _KIND_ALIASES:
            target = self._type(target)[2]
        return "*" + (self._name(target) if target else "")

    def _name(self, number: int) -> str:
        fields = ctypes.cast(
            self._lib.btf__type_by_id(self._btf, number), ctypes.POINTER(ctypes.c_uint32)
        )
        return (self._lib.btf__name_by_offset(self._btf, fields[0]) or b"").decode()

    def _find(self, name: str, kind: int) -> int | None:
        number = self._lib.btf__find_by_name_kind(self._btf, name.encode(), kind)
        return number if number > 0 else None

    def _type(self, number: int) -> tuple[int, int, int]:
        """struct btf_type as (kind, vlen, size or type)."""
        fields = ctypes.cast(
            self._lib.btf__type_by_id(self._btf, number), ctypes.POINTER(ctypes.c_uint32)
        )
        return fields[1] >> 24 & 31, fields[1] & 0xFFFF, fields[2]

    def _member(self, number: int, wanted: str) -> int | None:
        """Bit offset of a member of struct or union `number`."""
        kind, count, _ = self._type(number)
        if kind not in (KIND_STRUCT, _KIND_UNION):
            return None
        members = ctypes.cast(
            self._lib.btf__type_by_id(self._btf, number) + 12, ctypes.POINTER(ctypes.c_uint32)
        )
        for i in range(count):
            name, target, offset = members[3 * i], members[3 * i + 1], members[3 * i + 2] & 0xFFFFFF
            text = self._lib.btf__name_by_offset(self._btf, name)
            if text == wanted.encode():
                return offset
            if not text:
                inner = self._member(target, wanted)
                if inner is not None:
                    return offset + inner
        return None


def _load() -> ctypes.CDLL:
    for name in ("libbpf.so.1", "libbpf.so.0"):
        try:
            lib = ctypes.CDLL(name)
            break
        except OSError:
            continue
    else:
        raise NoTypes("libbpf.so.1 not found (Debian and Ubuntu: apt-get install libbpf1)")
    lib.btf__load_vmlinux_btf.restype = ctypes.c_void_p
    lib.btf__free.argtypes = [ctypes.c_void_p]
    lib.btf__find_by_name_kind.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_uint32]
    lib.btf__type_by_id.restype = ctypes.c_void_p
    lib.btf__type_by_id.argtypes = [ctypes.c_void_p, ctypes.c_uint32]
    lib.btf__name_by_offset.restype = ctypes.c_char_p
    lib.btf__name_by_offset.argtypes = [ctypes.c_void_p, ctypes.c_uint32]
    return lib
