"""tracer/kernel/capabilities.py: what is said of those that are missing, and that giving up is for good."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tracer.kernel import capabilities

ROOT = Path(__file__).parents[3]


def only(monkeypatch, *names, uid=65534, initial=True):
    """This process as a user with these capabilities alone would see itself."""
    mask = sum(1 << capabilities.NUMBERS[name] for name in names)
    sets = (capabilities._Sets * 2)()
    for index, its in enumerate(sets):
        its.effective = its.permitted = mask >> 32 * index & 0xFFFFFFFF
    monkeypatch.setattr(capabilities, "_sets", lambda: sets)
    monkeypatch.setattr(capabilities, "in_initial_namespace", lambda: initial)
    monkeypatch.setattr(os, "geteuid", lambda: uid)


@pytest.mark.parametrize(
    "names", [("CAP_BPF", "CAP_PERFMON"), ("CAP_SYS_ADMIN",), ("CAP_SYS_ADMIN", "CAP_BPF")]
)
def test_who_may_trace_without_being_root(monkeypatch, names):
    only(monkeypatch, *names)
    assert capabilities.why_not() is None


@pytest.mark.parametrize(
    ("names", "said", "unsaid"),
    [
        ((), ["CAP_BPF", "CAP_PERFMON", "root", "sudo"], []),
        (("CAP_BPF",), ["CAP_PERFMON", "sudo"], ["CAP_BPF"]),
        (("CAP_PERFMON", "CAP_SYS_PTRACE"), ["CAP_BPF", "sudo"], ["CAP_PERFMON"]),
    ],
)
def test_what_is_missing_is_named_with_its_purpose(monkeypatch, names, said, unsaid):
    only(monkeypatch, *names)
    line = capabilities.why_not()
    assert "\n" not in line and all(word in line for word in said)
    assert not any(word in line for word in unsaid)
    for need in capabilities.missing():
        assert need.purpose in line


def test_root_is_not_told_to_become_root(monkeypatch):
    only(monkeypatch, "CAP_PERFMON", uid=0)
    line = capabilities.why_not()
    assert "CAP_BPF" in line and "sudo" not in line and "container" in line


def test_a_user_namespace_is_named_whatever_is_held_in_it(monkeypatch):
    only(monkeypatch, "CAP_SYS_ADMIN", uid=0, initial=False)
    assert "user namespace" in capabilities.why_not()


@pytest.mark.skipif(os.geteuid() != 0, reason="needs capabilities to give up")
def test_what_is_given_up_is_gone_for_good_and_what_was_not_there_does_not_come():
    program = (
        "from tracer.kernel import capabilities\n"
        "capabilities.keep(['CAP_BPF', 'CAP_CHOWN', 'CAP_KILL'])\n"
        "capabilities.keep(['CAP_BPF', 'CAP_SYS_ADMIN', 'CAP_CHOWN'])\n"
        "print(open('/proc/self/status').read())\n"
    )
    without_chown = ["setpriv", "--bounding-set=-chown", sys.executable, "-B", "-c", program]
    done = subprocess.run(without_chown, cwd=ROOT, capture_output=True, text=True, check=True)
    held = dict(re.findall(r"^Cap(Eff|Prm|Inh):\s*(\w+)", done.stdout, re.M))
    assert int(held["Eff"], 16) == int(held["Prm"], 16) == 1 << capabilities.NUMBERS["CAP_BPF"]
    assert int(held["Inh"], 16) == 0
