"""Positions of the arguments of io_uring's tracepoints: they changed with nearly every kernel, and BTF tells how."""

from __future__ import annotations

from tracer.kernel.btf import KernelTypes

# renamed by 2ad57931db64 ("io_uring: rename trace_io_uring_submit_sqe() tracepoint"), in 6.3
_SUBMITS = ("io_uring_submit_req", "io_uring_submit_sqe")
_OTHERS = {
    "POLL": "io_uring_poll_arm",
    "WORK": "io_uring_queue_async_work",
    "COMPLETE": "io_uring_complete",
}
_DATA_SIZE = 8
_OPCODE_SIZE = 1


def io_uring(types: KernelTypes) -> dict[str, int]:
    """The probes' constants for io_uring: `NAME_REQUEST`, `NAME_DATA` … are positions among a tracepoint's arguments.

    Empty where the kernel has no io_uring, or shows too little of it to tell one request from another.
    """
    submit = next((name for name in _SUBMITS if types.tracepoint_shape(name)), None)
    complete = types.tracepoint_shape("io_uring_complete")
    if not submit or not complete:
        return {}
    constants = {"HAVE_URING": 1, f"HAVE_{submit.upper()}": 1} | _fields(types)
    for key, name in (("SUBMIT", submit), *_OTHERS.items()):
        if shape := types.tracepoint_shape(name):
            constants[f"HAVE_{key}"] = 1
            constants |= {
                f"{key}_{argument}": position for argument, position in _positions(shape).items()
            }
    if "COMPLETE_CQE" not in constants:
        constants |= _after_data(constants["COMPLETE_DATA"], len(complete))
    if types.tracepoint_shape("io_uring_create"):
        constants["HAVE_RING"] = 1
    return constants


def _after_data(data: int, count: int) -> dict[str, int]:
    """A completion of `count` arguments without a cqe: its result follows its user_data, and since 5.13 its flags."""
    constants = {"COMPLETE_RESULT": data + 1}
    if count > data + 2:
        constants["COMPLETE_FLAGS"] = data + 2
    return constants


def _fields(types: KernelTypes) -> dict[str, int]:
    """Offsets in struct io_kiocb, the request; its `cqe` came with cef216fc32d7 ("io_uring: explicitly keep a CQE in
    io_kiocb"), in 5.19."""
    cqe = types.offset("io_kiocb", "cqe")
    constants = {
        "O_KIOCB_DATA": types.offset("io_kiocb", "user_data") if cqe is None else cqe,
        "O_KIOCB_OPCODE": types.offset("io_kiocb", "opcode"),
        "O_KIOCB_FLAGS": types.offset("io_kiocb", "flags"),
        "O_KIOCB_FILE": types.offset("io_kiocb", "file"),
    }
    inside = types.offset("io_cqe", "fd")
    if cqe is not None and inside is not None:
        constants["O_KIOCB_FD"] = cqe + inside
    return {name: offset for name, offset in constants.items() if offset is not None}


def _positions(shape: list[str | int]) -> dict[str, int]:
    """The positions among a tracepoint's arguments of the request, user_data, opcode and completion that it has."""
    positions = {}
    pointers = [i for i, kind in enumerate(shape) if isinstance(kind, str)]
    if shape[0] == "*io_kiocb":  # since 6.0 most pass the request alone
        positions["REQUEST"] = 0
    elif len(pointers) > 1:  # before, and still for io_uring_complete: the ring, then the request
        positions["REQUEST"] = pointers[1]
    if shape[-1] == "*io_uring_cqe":  # since 6.13
        positions["CQE"] = len(shape) - 1
        if positions.get("REQUEST") == positions["CQE"]:
            del positions["REQUEST"]
    for argument, size in (("DATA", _DATA_SIZE), ("OPCODE", _OPCODE_SIZE)):
        if size in shape:
            positions[argument] = shape.index(size)
    return positions
