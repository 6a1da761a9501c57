"""Processes, threads, files, sockets and arguments of any name, on the running kernel: no name ends a trace, and every
output can show it."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys

import pytest
from support.running import IOTRACE, ROOT, iotrace, report_of
from support.running import PYTHON_TRACED as PYTHON

from tracer import text
from tracer.kernel import syscalls
from tracer.kernel.proc import Process

WAKER = """
import ctypes, socket, sys
ctypes.CDLL(None).prctl(15, {!r}, 0, 0, 0)
sender = socket.socket(fileno=int(sys.argv[1]))
for line in sys.stdin: sender.send(b"x" * 7)
"""


@pytest.mark.parametrize(
    "name",
    ["отправитель".encode()[:15], b"\xff" * 15, b"new\n", b"\x1b[31mred\x1b[0m", b"a\\nb", b""],
)
def test_an_untraced_process_of_any_name_may_wake_the_command(name, tmp_path):
    """Its name is looked up when it wakes the command, of which it is no child."""
    ours, theirs = socket.socketpair()
    waker = subprocess.Popen(
        [PYTHON, "-c", WAKER.format(name), str(theirs.fileno())],
        pass_fds=[theirs.fileno()],
        stdin=subprocess.PIPE,
    )
    program = (
        "import os, socket, sys\ns = socket.socket(fileno=int(sys.argv[1]))\nprint(os.getpid(), flush=True)\n"
        "for _ in range(23): s.recv(9); print(flush=True)"
    )
    traced_by = subprocess.Popen(
        [
            *IOTRACE,
            "trace",
            "--no-cost",
            "-o",
            tmp_path / "run",
            "--",
            PYTHON,
            "-c",
            program,
            str(ours.fileno()),
        ],
        pass_fds=[ours.fileno()],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    try:
        receiver = Process(int(traced_by.stdout.readline()))
        for _ in range(23):
            while (receiver.call() or (-1,))[0] != syscalls.numbers()[
                "recvfrom"
            ]:  # until it sleeps there
                assert traced_by.poll() is None
            waker.stdin.write(b"\n")
            waker.stdin.flush()
            traced_by.stdout.readline()
        _, err = traced_by.communicate()
    finally:
        waker.communicate()
        ours.close()
        theirs.close()
    assert traced_by.returncode == 0, err
    report = report_of("report", tmp_path / "run")
    wakers = {its["tid"]: its["name"] for its in report["processes"][0]["wakers"]}
    assert wakers[waker.pid] == text.shown(name)
    assert len([op for op in report["operations"] if op["bytes"] == 7]) == 23
    drawn = iotrace("report", "--ascii", "--hist", tmp_path / "run").stdout
    assert drawn.isascii()
    for shown in (err.decode(), drawn):
        assert all(character.isprintable() or character == "\n" for character in shown)
    assert f"{text.shown(name) or 'thread'} {waker.pid}" in " ".join(err.decode().split())


NAMES = [
    *(
        b"\xff\xfe\x80bad",
        b"new\nline",
        b"\x1b[31mred\x1b[0m",
        b"a b\tc",
        b'<>,(){}"',
        b"",
        b"\xe2\x82",
    ),
    *(b"0123456789abcdef", b"\xff" * 15, "\u202egpj".encode(), b"back\\slash"),
]
FILES = [
    *(b"f\xff\xfe", b"new\nline = 0 <0.0>", b"\x1b[31mred", b">quote\"'<", b"back\\slash\\n"),
    *("длинное имя файла, не ASCII".encode(), "\u202egpj.exe".encode(), b"TCP:[127.0.0.1:80]"),
]
SOCKETS = [b"\0abs\xff\x01\n\x1b[31m\0\0end", b"s\xff\n", b"0000: 00000002 x\n1"]
ARGUMENTS = [b"", b"\xff\xfe\x1b[31m", "\u2066".encode(), b"\n"]
ODD = f"""
import ctypes, os, socket, sys, threading
def work(name):
    ctypes.CDLL(None).prctl(15, name, 0, 0, 0)
    a, b = socket.socketpair()
    for _ in range(23): a.send(b"x" * 7); b.recv(9)
for name in {NAMES!r}:
    if not os.fork(): work(name); os._exit(0)
    os.wait()
threads = [threading.Thread(target=work, args=(name,)) for name in {NAMES!r}]
[t.start() for t in threads]; [t.join() for t in threads]
for name in {FILES!r}:
    fd = os.open(name, os.O_CREAT | os.O_RDWR); os.write(fd, b"x"); os.lseek(fd, 0, 0); os.read(fd, 1); os.close(fd)
for fd in map(int, sys.argv[1].split()):
    server = socket.socket(fileno=fd)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as client:
        client.connect(server.getsockname())
        for _ in range(5): client.send(b"abc"); server.recv(9)
"""


def test_threads_files_sockets_and_arguments_of_any_name(tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    bound = [socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) for _ in SOCKETS]
    for its, name in zip(bound, SOCKETS, strict=True):
        its.bind(name)
    fds = [its.fileno() for its in bound]
    asked = [PYTHON, "-c", ODD, " ".join(map(str, fds)), *ARGUMENTS]
    try:
        done = subprocess.run(
            [*IOTRACE, "trace", "--no-cost", "-o", tmp_path / "run", "--", *asked],
            capture_output=True,
            pass_fds=fds,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        inodes = [os.fstat(fd).st_ino for fd in fds]
    finally:
        for its in bound:
            its.close()
    assert done.returncode == 0, done.stderr
    listing = subprocess.run(
        [*IOTRACE, "report", "--events", tmp_path / "run"], cwd=ROOT, capture_output=True
    )
    assert listing.returncode == 0, listing.stderr
    for drawn in (done.stderr, listing.stdout):
        assert all(its.isprintable() or its == "\n" for its in drawn.decode())
    report = report_of("report", tmp_path / "run")
    assert len([op for op in report["operations"] if op["bytes"] == 7]) == 2 * 23 * len(NAMES)
    json.dumps(report, ensure_ascii=False).encode()
    assert report["target"]["command"][-len(ARGUMENTS) :] == [*map(text.shown, ARGUMENTS)]
    assert {text.shown(name[:15]) for name in NAMES} <= {its["name"] for its in report["threads"]}
    files = [its["file"] or "" for its in report["descriptors"]]
    for name in FILES:  # by /proc, or by the path that was asked for
        shown = text.shown(name)
        assert [its for its in files if its in (shown, f"{tmp_path}/here/{shown}")], (shown, files)
        assert f"<{shown}>" in listing.stdout.decode() or f"/{shown}>" in listing.stdout.decode()
    for inode, name in zip(inodes, SOCKETS, strict=True):
        shown = f"UNIX-DGRAM:[{inode},{text.shown(name.replace(bytes(1), b'@'))}]"
        assert shown in files and f"<{shown}>" in listing.stdout.decode(), (shown, files)
    assert report["ledger"]["checked"] and b"complete" in done.stderr


@pytest.mark.parametrize("encoding", ["ascii", "iso8859-1", "utf-8"])
def test_a_stream_without_letters_for_a_name(encoding):
    program = "import ctypes; ctypes.CDLL(None).prctl(15, 'имя'.encode(), 0, 0, 0)"
    done = subprocess.run(
        [sys.executable, "-m", "tracer", "trace", "--no-cost", "--", PYTHON, "-c", program],
        cwd=ROOT,
        capture_output=True,
        env={**os.environ, "PYTHONIOENCODING": encoding},
    )
    assert done.returncode == 0 and b"Traceback" not in done.stderr
    shown = "имя" if encoding == "utf-8" else r"\u0438\u043c\u044f"
    assert shown in done.stderr.decode(encoding)
