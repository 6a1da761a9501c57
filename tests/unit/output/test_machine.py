"""tracer/output/machine.py: what was bound, and where the machine sleeps, in words."""

from __future__ import annotations

from typing import Any

import pytest

from tracer.output.machine import bound, sentence

HOST: dict[str, Any] = {
    "idle_driver": "haltpoll",
    "idle_governor": "haltpoll",
    "frequency_governor": None,
    "hypervisor": True,
    "steal_ns": {"0": 0, "1": 20_000_000},
    "placement": {"same": 3, "sibling": 0, "other": 17, "unknown": 0},
}


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({}, []),
        ({"pin": None, "keep_awake": False}, []),
        ({"pin": [0, 1]}, ["receiver on CPU 0, sender on 1"]),
        ({"pin": [1, 1], "keep_awake": True}, ["both on CPU 1", "the receiver's CPU kept awake"]),
        ({"keep_awake": True}, ["CPUs kept awake"]),
    ],
)
def test_what_was_asked_for(options: dict[str, Any], words: list[str]) -> None:
    assert bound(options) == words


def test_the_machine_in_a_sentence() -> None:
    assert sentence(HOST) == (
        "idles by haltpoll, governor haltpoll; a virtual machine; stolen by the hypervisor: 20 ms of CPU 1; "
        "data made ready on the receiver's own CPU 3×, on another CPU than the receiver's 17× (of 20)"
    )


def test_a_machine_that_tells_little_and_an_older_recording() -> None:
    quiet = dict.fromkeys(HOST) | {"steal_ns": {"0": 0}}
    assert sentence(quiet) == "no idle driver; no time stolen"
    assert sentence({"kernel": "6.1", "placement": HOST["placement"]}) == ""
