"""`--redact` on the running kernel: what a program opened, connected to and was told is nowhere; its calls are."""

from __future__ import annotations

import gzip
import json
import re

from support.attaching import calls
from support.running import PYTHON_TRACED, check_nothing_lost, iotrace

from tracer.recording import parquet

PROGRAM = """
import os, socket, sys
server = socket.create_server(('127.0.0.1', 0))
client = socket.create_connection(server.getsockname())
other, _ = server.accept()
name, count = sys.argv[1], int(sys.argv[2])
with open(name, 'wb') as file:
    for _ in range(count):
        client.send(b'payloadpayload')
        os.write(file.fileno(), other.recv(64))
with open(name, 'rb') as file:
    os.dup(file.fileno())
print(server.getsockname()[1])
"""
COUNT = 23


def test_names_are_nowhere_and_the_calls_are_all_there(tmp_path):
    secret, run = tmp_path / "hidden-place" / "hidden-name", tmp_path / "run"
    secret.parent.mkdir()
    words = ("--no-cost", "--redact", "-o", run, "--", PYTHON_TRACED, "-c", PROGRAM, secret, COUNT)
    done = iotrace("trace", *words)
    assert done.returncode == 0, done.stderr
    port = done.stdout.strip()
    report = iotrace("report", run, "--json")
    its = json.loads(report.stdout)
    counted = calls(its)
    assert counted["sendto"] == counted["recvfrom"] == COUNT and counted["write"] >= COUNT
    assert its["redacted"] and its["target"]["command"] == ["python3"]
    assert "redacted:" in done.stderr
    check_nothing_lost(its)
    trace = tmp_path / "run.perfetto"
    assert iotrace("report", run, "--perfetto", trace).returncode == 0
    outputs = {
        "terminal": done.stderr,
        "json": report.stdout,
        "events": iotrace("report", run, "--events").stdout,
        "facts": str(parquet.read_facts(str(run))),
        "recording": run.read_bytes().decode("latin-1"),
        "perfetto": gzip.decompress(trace.read_bytes()).decode("latin-1")
        if trace.read_bytes()[:2] == b"\x1f\x8b"
        else trace.read_bytes().decode("latin-1"),
    }
    for name, text in outputs.items():
        assert text, name
        for gone in ("hidden", "127.0.0.1", "payload", "create_server", "/usr/", "/tmp/"):
            assert gone not in text, (name, gone)
        assert not re.search(rf"\b127\.0\.0\.1:{port}\b|:{port}\]", text), name
