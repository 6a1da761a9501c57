"""tracer/kernel/io_uring_args.py: where io_uring's tracepoints carry what, from shapes as kernels have had them
(include/trace/events/io_uring.h of each version)."""

from __future__ import annotations

import pytest

from tracer.kernel import io_uring_args

KIOCB, RING, CQE = "*io_kiocb", "*io_ring_ctx", "*io_uring_cqe"
KERNELS = {
    "5.10": {
        "io_uring_submit_sqe": ["*", 1, 8, 1, 1],
        "io_uring_poll_arm": ["*", 1, 8, 4, 4],
        "io_uring_queue_async_work": ["*", 4, "*", "*io_wq_work", 4],
        "io_uring_complete": ["*", 8, 8],
        "io_uring_create": [4, "*", 4, 4, 4],
    },
    "5.15": {
        "io_uring_submit_sqe": ["*", "*", 1, 8, 4, 1, 1],
        "io_uring_poll_arm": ["*", "*", 1, 8, 4, 4],
        "io_uring_queue_async_work": ["*", 4, "*", "*io_wq_work", 4],
        "io_uring_complete": ["*", 8, 4, 4],
        "io_uring_create": [4, "*", 4, 4, 4],
    },
    "6.1": {
        "io_uring_submit_sqe": [KIOCB, 1],
        "io_uring_poll_arm": [KIOCB, 4, 4],
        "io_uring_queue_async_work": [KIOCB, 4],
        "io_uring_complete": ["*", "*", 8, 4, 4, 8, 8],
        "io_uring_create": [4, "*", 4, 4, 4],
    },
    "6.18": {
        "io_uring_submit_req": [KIOCB],
        "io_uring_poll_arm": [KIOCB, 4, 4],
        "io_uring_queue_async_work": [KIOCB, 4],
        "io_uring_complete": [RING, "*", CQE],
        "io_uring_create": [4, "*", 4, 4, 4],
    },
}
OLD_FIELDS = {"user_data": 48, "opcode": 40, "flags": 44, "file": 0}
NEW_FIELDS = {"cqe": 80, "opcode": 64, "flags": 72, "file": 0}


class Types:
    """BTF of a kernel, as far as io_uring_args.py asks."""

    def __init__(self, kernel: str) -> None:
        self._tracepoints = KERNELS[kernel]
        self._fields = OLD_FIELDS if kernel < "6" else NEW_FIELDS

    def tracepoint_shape(self, name):
        return self._tracepoints.get(name)

    def offset(self, struct, name):
        return (
            12
            if (struct, name) == ("io_cqe", "fd") and "cqe" in self._fields
            else self._fields.get(name)
        )


@pytest.mark.parametrize(
    ("kernel", "wanted"),
    [
        (
            "5.10",
            {
                "SUBMIT_DATA": 2,
                "SUBMIT_OPCODE": 1,
                "POLL_DATA": 2,
                "WORK_REQUEST": 2,
                "COMPLETE_DATA": 1,
                "COMPLETE_RESULT": 2,
                "O_KIOCB_DATA": 48,
            },
        ),
        (
            "5.15",
            {
                "SUBMIT_REQUEST": 1,
                "SUBMIT_DATA": 3,
                "SUBMIT_OPCODE": 2,
                "POLL_REQUEST": 1,
                "WORK_REQUEST": 2,
                "COMPLETE_DATA": 1,
                "COMPLETE_RESULT": 2,
                "COMPLETE_FLAGS": 3,
            },
        ),
        (
            "6.1",
            {
                "SUBMIT_REQUEST": 0,
                "POLL_REQUEST": 0,
                "WORK_REQUEST": 0,
                "COMPLETE_REQUEST": 1,
                "COMPLETE_DATA": 2,
                "COMPLETE_RESULT": 3,
                "COMPLETE_FLAGS": 4,
                "O_KIOCB_DATA": 80,
                "O_KIOCB_FD": 92,
            },
        ),
        (
            "6.18",
            {
                "SUBMIT_REQUEST": 0,
                "COMPLETE_REQUEST": 1,
                "COMPLETE_CQE": 2,
                "HAVE_IO_URING_SUBMIT_REQ": 1,
            },
        ),
    ],
)
def test_arguments_are_found_where_each_kernel_has_them(kernel, wanted):
    found = io_uring_args.io_uring(Types(kernel))
    assert {name: found.get(name) for name in wanted} == wanted
    assert found["HAVE_URING"] and found["HAVE_RING"]


@pytest.mark.parametrize(
    ("kernel", "name"),
    [
        ("5.10", "SUBMIT_REQUEST"),
        ("5.10", "POLL_REQUEST"),
        ("5.10", "COMPLETE_REQUEST"),
        ("5.15", "COMPLETE_REQUEST"),
        ("6.1", "SUBMIT_DATA"),
        ("6.18", "SUBMIT_DATA"),
        ("6.18", "COMPLETE_RESULT"),
        ("5.10", "COMPLETE_FLAGS"),
    ],
)
def test_what_a_kernel_does_not_pass_is_not_made_up(kernel, name):
    assert name not in io_uring_args.io_uring(Types(kernel))


@pytest.mark.parametrize("lacking", ["io_uring_submit_sqe", "io_uring_complete"])
def test_without_submissions_or_completions_there_is_nothing(lacking):
    types = Types("6.1")
    types._tracepoints = {
        name: shape for name, shape in types._tracepoints.items() if name != lacking
    }
    assert io_uring_args.io_uring(types) == {}
