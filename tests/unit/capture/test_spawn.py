"""tracer/capture/spawn.py: whose a run is, by what sudo, pkexec and doas say of their caller."""

from __future__ import annotations

import os
import pwd

import pytest

from tracer.capture.spawn import invoking_user

ROOT, NOBODY = pwd.getpwuid(0), pwd.getpwnam("nobody")
IDS = NOBODY.pw_uid, NOBODY.pw_gid
SUDO = {"SUDO_UID": "4711", "SUDO_GID": "815"}


@pytest.mark.parametrize(
    ("said", "wanted"),
    [
        ({}, None),
        (SUDO, (4711, 815)),  # who need not be in the password file
        ({"PKEXEC_UID": str(NOBODY.pw_uid)}, IDS),
        ({"DOAS_USER": "nobody"}, IDS),
        ({"DOAS_USER": "root"}, (0, ROOT.pw_gid)),
        (SUDO | {"DOAS_USER": "nobody", "PKEXEC_UID": "0"}, (4711, 815)),
        ({"DOAS_USER": "nobody", "PKEXEC_UID": "0"}, (0, ROOT.pw_gid)),
        ({"SUDO_UID": "4711"}, None),
        ({"SUDO_UID": "-1", "SUDO_GID": "0"}, None),
        ({"PKEXEC_UID": "4294967000"}, None),
        ({"PKEXEC_UID": "nobody"}, None),
        ({"DOAS_USER": "no such user"}, None),
    ],
)
def test_the_invoking_user(monkeypatch, said, wanted):
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    for name in ("SUDO_UID", "SUDO_GID", "PKEXEC_UID", "DOAS_USER"):
        monkeypatch.delenv(name, raising=False)
    for name, value in said.items():
        monkeypatch.setenv(name, value)
    assert invoking_user() == wanted
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert invoking_user() is None
