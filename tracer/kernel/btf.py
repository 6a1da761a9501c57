"""The running kernel's own type information (BTF, /sys/kernel/btf/vmlinux), read through libbpf by ctypes."""

from __future__ import annotations

import ctypes

from tracer.errors import CANNOT, IotraceError
from tracer.kernel.libbpf import library

KIND_STRUCT, KIND_TYPEDEF, KIND_VAR = 4, 8, 14
_KIND_PTR, _KIND_UNION = 2, 5
_KIND_ALIASES = (KIND_TYPEDEF, 9, 10, 11)  # and volatile, const, restrict
_HEADER = 12  # bytes of struct btf_type: name_off, info, size or type; members or parameters follow


class NoTypes(IotraceError):
    """This kernel offers no BTF."""

    status = CANNOT


class KernelTypes:
    """Offsets of fields and shapes of tracepoints, from BTF (layout: Documentation/bpf/btf.rst).

    Raises NoLibbpf, and NoTypes where the kernel's BTF is missing.
    """

    def __init__(self) -> None:
        self._lib = library()
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
        parameters = self._words(number, _HEADER)
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
        return (self._lib.btf__name_by_offset(self._btf, self._words(number)[0]) or b"").decode(
            errors="replace"
        )

    def _find(self, name: str, kind: int) -> int | None:
        number: int = self._lib.btf__find_by_name_kind(self._btf, name.encode(), kind)
        return number if number > 0 else None

    def _type(self, number: int) -> tuple[int, int, int]:
        """struct btf_type as (kind, vlen, size or type)."""
        fields = self._words(number)
        return fields[1] >> 24 & 31, fields[1] & 0xFFFF, fields[2]

    def _words(self, number: int, begin: int = 0) -> ctypes._Pointer[ctypes.c_uint32]:
        """The 32-bit words of a type from its byte `begin` on."""
        place = self._lib.btf__type_by_id(self._btf, number) + begin
        return ctypes.cast(place, ctypes.POINTER(ctypes.c_uint32))

    def _member(self, number: int, wanted: str) -> int | None:
        """Bit offset of a member of struct or union `number`, looked for in anonymous members too."""
        kind, count, _ = self._type(number)
        if kind not in (KIND_STRUCT, _KIND_UNION):
            return None
        members = self._words(number, _HEADER)
        for i in range(count):
            name, target = members[3 * i], members[3 * i + 1]
            offset: int = members[3 * i + 2] & 0xFFFFFF
            text = self._lib.btf__name_by_offset(self._btf, name)
            if text == wanted.encode():
                return offset
            if not text:
                inner = self._member(target, wanted)
                if inner is not None:
                    return offset + inner
        return None
