"""`iotrace run` on the running kernel: what it lets in, what it loses, and what it cannot do."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from support.cases import FAST
from support.running import (
    IOTRACE,
    NOBODY,
    PYTHON,
    ROOT,
    assert_one_line,
    beside,
    check_closed_loop,
    iotrace,
    mounts_apart,
    report_of,
    runner,
    running,
)

from tracer.capture import spawn
from tracer.cli.main import main
from tracer.recording import parquet
from tracer.recording.records import Kind

# only the target, and as the right user


def test_other_processes_never_appear(tmp_path):
    path = tmp_path / "run.parquet"
    noise = """
import socket, os
a, b = socket.socketpair(); s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(("127.0.0.1", 0))
while True:
    s.sendto(b"x", s.getsockname()); s.recv(1); a.send(b"x"); b.recv(1)
    if not os.fork(): os._exit(0)
    os.wait()
"""
    with beside(noise):
        pictures = ("--svg", tmp_path / "a.svg", "--html", tmp_path / "a.html")
        report = report_of("run", "posix-aio", "--messages", 23, "-o", path, *pictures, *FAST)
    check_closed_loop(report, "posix-aio", 23)
    assert "aio_read" in (tmp_path / "a.svg").read_text()
    assert '"count":23' in (tmp_path / "a.html").read_text()
    records = np.concatenate(list(parquet.read(str(path))))
    born = records[np.isin(records["kind"], (Kind.START, Kind.THREAD))]
    assert set(born["result"]) == {report["target"]["pid"]}
    # readiness is told on the thread that sent: what counts there is the socket
    ready = records["kind"] == Kind.READY
    assert set(records["tid"][~ready]) <= set(born["tid"])
    learnt = records["start"][records["kind"] == Kind.DESCRIPTOR]
    assert ready.any() and set(records["start"][ready]) <= set(learnt)


@pytest.mark.parametrize(("arguments", "wanted"), [((), NOBODY), (("--as-root",), 0)])
def test_scenario_runs_as_the_invoking_user(arguments, wanted, tmp_path):
    path, picture = tmp_path / "run.parquet", tmp_path / "run.svg"
    keep = ("-o", path, "--svg", picture)
    user = {"SUDO_UID": str(NOBODY), "SUDO_GID": str(NOBODY)}
    with running(
        "run", "blocking", "--messages", 23, "--json", *keep, *FAST, *arguments, env=user
    ) as run:
        run.await_messages(1)
        uids = [
            [
                line.split()[1:]
                for line in Path(f"/proc/{pid}/status").read_text().splitlines()
                if line.startswith(("Uid", "Gid"))
            ]
            for pid in (run.receiver, run.sender)
        ]
        done = run.end()
    assert done.returncode == 0, done.stderr
    assert uids == [[[str(wanted)] * 4] * 2] * 2
    check_closed_loop(json.loads(done.stdout), "blocking", 23)
    assert path.stat().st_uid == wanted
    assert picture.stat().st_uid == NOBODY, "what is shown is for who asked"


# the ledger can fail


def test_ring_of_one_page_loses_and_says_exactly_how_much():
    done = iotrace(
        "run", "nonblocking", "--ring-size", 4096, "--messages", 23, *FAST, "--json", "--strict"
    )
    assert done.returncode == 4 and len(done.stderr.splitlines()) == 1
    ledger = json.loads(done.stdout)["ledger"]
    assert ledger["lost"] > 0
    assert ledger["counted"] == ledger["delivered"] + ledger["lost"]
    assert str(ledger["lost"]) in done.stderr


def test_loss_is_said_without_strict_too():
    done = iotrace("run", "nonblocking", "--ring-size", 4096, "--messages", 23, *FAST)
    assert done.returncode == 0
    assert "lost" in done.stdout


# targets that the probes do not see


def test_nothing_seen_is_an_error(monkeypatch):
    real = spawn.Target.release
    monkeypatch.setattr(
        spawn.Target, "release", lambda its, secret=0: real(its, secret and secret ^ 1)
    )
    done = runner().invoke(main, ["run", "blocking", "--messages", "3", *FAST, "--json"])
    assert done.exit_code == 3
    assert done.stdout == "" and len(done.stderr.splitlines()) == 1
    assert "saw nothing" in done.stderr


def test_two_runs_at_once_do_not_see_each_other(tmp_path):
    paths = [tmp_path / "a", tmp_path / "b"]
    with (
        running("run", "blocking", "--messages", 23, "--json", "-o", paths[0], "--no-cost") as one,
        running("run", "select", "--messages", 23, "--json", "-o", paths[1], "--no-cost") as other,
    ):
        ends = one.end(), other.end()
    for done, name in zip(ends, ("blocking", "select"), strict=True):
        assert done.returncode == 0, done.stderr
        check_closed_loop(json.loads(done.stdout), name, 23)


def test_without_a_compiler_the_run_in_c_cannot(tmp_path):
    done = iotrace(
        "run", "blocking", "--lang", "c", "-o", tmp_path / "run", env={"PATH": "/nonexistent"}
    )
    assert_one_line(done, 3, "no cc", "gcc")
    assert os.listdir(tmp_path) == []


def test_doctor_says_that_the_probes_load():
    done = iotrace("doctor")
    assert done.returncode == 0 and done.stderr == ""
    assert "compile, load and attach" in done.stdout
    assert (
        done.stdout.splitlines()[-1].startswith("--net       ")
        and max(map(len, done.stdout.splitlines())) <= 80
    )


@pytest.mark.skipif(not shutil.which("setpriv"), reason="no setpriv (util-linux)")
def test_a_uprobe_that_is_refused_is_said_by_doctor_and_by_the_verdict():
    """With CAP_BPF and CAP_PERFMON alone the kernel refuses the uprobe on aio_read, whatever its files promise."""
    few = ["setpriv", "--bounding-set", "-all,+bpf,+perfmon", "--inh-caps", "-all"]
    doctor, run = (
        subprocess.run([*few, *IOTRACE, *words], capture_output=True, text=True, cwd=ROOT)
        for words in (["doctor"], ["run", "posix-aio", "--messages", "7", *FAST, "--json"])
    )
    assert doctor.returncode == run.returncode == 0, run.stderr
    said = " ".join(doctor.stdout.split())
    if "aio_read uprobe on" in said:
        pytest.skip("this kernel lets CAP_PERFMON have uprobes")
    assert "aio_read not seen (uprobe on " in said and "compile, load and attach" in said
    assert max(map(len, doctor.stdout.splitlines()[:-1])) <= 80
    model = json.loads(run.stdout)["model"]
    assert model["name"] == "blocking" and model["confidence"] == 0.5
    assert "could not be watched" in model["evidence"][0] and "POSIX aio" in model["evidence"][0]


def test_no_tracefs_is_needed():
    """Where none is mounted BCC cannot detach a uprobe by its own means."""
    hide = 'umount -a -t tracefs,debugfs; exec "$@"'
    done = subprocess.run(
        [*mounts_apart(), "sh", "-c", hide, "sh", *PYTHON, "-m", "tracer", "doctor"],
        capture_output=True,
        text=True,
        cwd=ROOT,
    )
    assert done.returncode == 0 and done.stderr == "" and "compile, load and attach" in done.stdout
