"""tracer/kernel/features.py: what is chosen on kernels that offer more or less, and what is said of it."""

from __future__ import annotations

import pytest

from tracer.kernel import features
from tracer.kernel.features import OPTIONAL, REQUIRED, CannotTrace
from tracer.kernel.libbpf import NoLibbpf

LIBC = "/lib/libc.so.6"


class Types:
    """BTF of a kernel that has these tracepoints (with so many arguments), every field but `without`, and `per_cpu`."""

    def __init__(self, tracepoints, without=(), per_cpu=()):
        self._tracepoints, self._without, self._per_cpu = tracepoints, without, per_cpu
        self.closed = False

    def tracepoint_shape(self, name):
        return [8] * self._tracepoints[name] if name in self._tracepoints else None

    def offset(self, struct, *names):
        return next((16 for name in names if f"{struct}.{name}" not in self._without), None)

    def has_per_cpu(self, name):
        return name in self._per_cpu

    def close(self):
        self.closed = True


@pytest.fixture
def on(monkeypatch):
    """What is found on a kernel with these types and PMUs."""

    def find(types, pmus=("kprobe", "uprobe")):
        monkeypatch.setattr(features, "_check_surroundings", lambda: None)
        monkeypatch.setattr(features, "KernelTypes", lambda: types)
        monkeypatch.setattr(features, "has_pmu", lambda name: name in pmus)
        monkeypatch.setattr(
            features, "place_of", lambda name: (LIBC, 64) if name == "aio_read" else None
        )
        return features.find()

    return find


def tracepoints(*more, **arguments):
    return dict.fromkeys((*REQUIRED, *more), 3) | arguments


NEW = tracepoints(*OPTIONAL, sched_switch=4)


def test_a_kernel_that_has_everything(on):
    found = on(Types(NEW))
    assert found.sources == {
        "ready": "tracepoint sk_data_ready",
        "copy start": "tracepoint skb_copy_datagram_iovec",
        "io_uring": "not seen (no tracepoints)",
        "aio_read": f"uprobe on {LIBC}",
    }
    assert found.constants.keys() >= {"HAVE_SK_DATA_READY", "HAVE_SKB_COPY", "HAVE_PREV_STATE"}
    assert found.constants["HAVE_AIO_READ"] == 1 and "HAVE_AIO_SUSPEND" not in found.constants
    assert found.library_calls == {"aio_read": (LIBC, 64)}


@pytest.mark.parametrize(
    ("more", "pmus", "ready", "constant"),
    [
        (["sk_data_ready"], ["kprobe"], "tracepoint sk_data_ready", "HAVE_SK_DATA_READY"),
        (["sk_data_ready"], [], "tracepoint sk_data_ready", "HAVE_SK_DATA_READY"),
        ([], ["kprobe"], "kprobe sock_def_readable", "HAVE_KPROBE_READY"),
        ([], [], "wake-ups, estimated", None),
    ],
)
def test_readiness_has_the_best_evidence_that_there_is_and_no_other(
    on, more, pmus, ready, constant
):
    found = on(Types(tracepoints(*more)), pmus)
    assert found.sources["ready"] == ready
    chosen = {"HAVE_SK_DATA_READY", "HAVE_KPROBE_READY"} & found.constants.keys()
    assert chosen == ({constant} if constant else set())


def test_what_stands_in_for_what_is_not_there(on):
    found = on(Types(tracepoints()), [])
    assert found.sources == {
        "ready": "wake-ups, estimated",
        "copy start": "the receive's entry, estimated",
        "io_uring": "not seen (no tracepoints)",
        "aio_read": "not seen (no uprobes)",
    }
    assert found.library_calls == {} and "HAVE_PREV_STATE" not in found.constants


@pytest.mark.parametrize("name", REQUIRED)
def test_a_tracepoint_without_which_there_is_nothing_to_show(on, name):
    types = Types({other: count for other, count in NEW.items() if other != name})
    with pytest.raises(CannotTrace, match=f"no tracepoint {name} "):
        on(types)
    assert types.closed


def test_fields_that_are_not_there(on):
    with pytest.raises(CannotTrace, match=r"no task_struct\.pid$"):
        on(Types(NEW, without=["task_struct.pid"]))
    assert (
        "O_TASK_STATE" in on(Types(NEW, without=["task_struct.__state"])).constants
    )  # as before 5.14
    assert "O_TASK_ON_CPU" not in on(Types(NEW, without=["task_struct.on_cpu"])).constants


@pytest.mark.parametrize(
    ("without", "per_cpu", "preemptible"),
    [
        ([], ["tracepoint_srcu_srcu_data"], True),
        (["srcu_data.srcu_reader_flavor"], ["tracepoint_srcu_srcu_data"], False),  # before 6.13
        ([], [], False),
    ],
)
def test_tracepoints_that_may_be_preempted(on, without, per_cpu, preemptible):
    found = on(Types(NEW, without, per_cpu))
    assert (found.preemptible, "HAVE_PREEMPTION" in found.constants) == (preemptible, preemptible)


def test_a_machine_without_libbpf_cannot_trace(monkeypatch):
    def types():
        raise NoLibbpf("libbpf.so.1 not found")

    monkeypatch.setattr(features, "_check_surroundings", lambda: None)
    monkeypatch.setattr(features, "KernelTypes", types)
    with pytest.raises(CannotTrace, match="libbpf"):
        features.find()
