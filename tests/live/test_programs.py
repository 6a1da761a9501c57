"""Programs that were not written here, under their own load: what they are known to do is what iotrace says.

Each skips where its package is missing. Counts are against strace -c where the load is the same each time."""

from __future__ import annotations

import contextlib
import json
import os
import re
import select
import shutil
import signal
import socket
import subprocess
import tempfile

import pytest
from support.attaching import await_attached, ended
from support.running import check_nothing_lost, check_operations, iotrace, running

from tracer.kernel import syscalls

PYTHON = "/usr/bin/python3"


def needs(*programs: str):
    missing = [program for program in programs if not shutil.which(program)]
    return pytest.mark.skipif(bool(missing), reason=f"{', '.join(missing)} not installed")


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


@contextlib.contextmanager
def server(command: list, port: int):
    """A server that listens on `port` when this begins, and is told to end when it does."""
    process = subprocess.Popen(
        [str(word) for word in command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        while True:
            assert process.poll() is None, "the server ended"
            with (
                contextlib.suppress(ConnectionRefusedError),
                socket.create_connection(("127.0.0.1", port)),
            ):
                break
            select.select([], [], [], 0.01)  # until it listens; nothing tells
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)


def attached_while(pids: list[int], load: list, *options: object) -> dict:
    """The report of processes while a load runs against them."""
    with running("attach", *[f"-p{pid}" for pid in pids], "--no-cost", "--json", *options) as run:
        for pid in pids:
            await_attached(run, pid)
        subprocess.run([str(word) for word in load], check=True, capture_output=True, timeout=100)
        report = ended(run)
    check_operations(report)
    check_nothing_lost(report)
    return report


def calls(report: dict) -> dict[str, int]:
    return {call["name"]: call["calls"] for call in report["syscalls"]}


def of_class(report: dict, name: str) -> int:
    return sum(count for call, count in calls(report).items() if syscalls.class_of(call) == name)


def on_port(report: dict, port: int) -> list[dict]:
    """The server's connections."""
    return [
        its
        for its in report["descriptors"]
        if re.match(rf"TCP:\[127\.0\.0\.1:{port}->", its["file"] or "")
    ]


@needs("redis-server", "redis-benchmark")
def test_redis():
    """src/ae_epoll.c: one thread in epoll_wait, level-triggered (epoll_ctl without EPOLLET), then read(2)."""
    port, requests = free_port(), 2000
    load = ["redis-benchmark", "-p", port, "-n", requests, "-c", 10, "-t", "get", "-q"]
    with server(
        ["redis-server", "--port", port, "--save", "", "--appendonly", "no"], port
    ) as redis:
        report = attached_while([redis.pid], load)
    assert report["model"]["name"] == "epoll-lt", report["model"]
    assert any("EPOLLIN, without EPOLLET" in line for line in report["model"]["evidence"])
    connections = on_port(report, port)
    # without a pipeline each request is a read and a write; the benchmark asks for its configuration first
    assert sum(its["receives"] for its in connections) >= requests
    assert sum(its["sends"] for its in connections) == sum(its["receives"] for its in connections)
    listening = [
        its
        for its in report["descriptors"]
        if its["file"] == f"TCP:[127.0.0.1:{port}]" or its["accepts"]
    ]
    assert sum(its["accepts"] for its in listening) >= 10
    process = report["processes"][0]
    assert process["tgid"] == redis.pid and process["model"]["name"] == "epoll-lt"
    assert (
        process["activity"]["idle_threads"] >= 1
    )  # bio_*: src/bio.c, asleep on a condition until there is work


@needs("nginx", "ab")
def test_nginx(tmp_path):
    """src/event/modules/ngx_epoll_module.c: NGX_USE_CLEAR_EVENT, that is EPOLLET, for connections; accepts are
    level-triggered; recv(2) is recvfrom."""
    port, requests = free_port(), 500
    (tmp_path / "index.html").write_text("x" * 1000)
    config = tmp_path / "nginx.conf"
    config.write_text(f"""
daemon off; master_process off; pid {tmp_path}/pid; error_log stderr;
events {{ use epoll; }}
http {{ access_log off; client_body_temp_path {tmp_path}/b; proxy_temp_path {tmp_path}/p;
  fastcgi_temp_path {tmp_path}/f; uwsgi_temp_path {tmp_path}/u; scgi_temp_path {tmp_path}/s;
  server {{ listen 127.0.0.1:{port}; root {tmp_path}; }} }}
""")
    with server(["nginx", "-c", config, "-p", tmp_path], port) as nginx:
        page = f"http://127.0.0.1:{port}/index.html"
        report = attached_while([nginx.pid], ["ab", "-q", "-n", requests, "-c", 4, page])
    assert report["model"]["name"] == "epoll-et", report["model"]
    # one more may come of an ab that opens the next before it knows that it has done
    assert requests <= sum(its["accepts"] for its in report["descriptors"]) <= requests + 4
    assert sum(its["receives"] for its in on_port(report, port)) >= requests
    assert calls(report)["recvfrom"] >= requests and calls(report)["accept4"] >= requests


ECHO = """
import asyncio, sys
async def echo(reader, writer):
    while data := await reader.read(1000):
        writer.write(data)
        await writer.drain()
    writer.close()
async def main():
    server = await asyncio.start_server(echo, "127.0.0.1", int(sys.argv[1]))
    async with server: await server.serve_forever()
try: asyncio.run(main())
except KeyboardInterrupt: pass
"""
CLIENT = """
import socket, sys
for connection in range(7):
    with socket.create_connection(("127.0.0.1", int(sys.argv[1]))) as s:
        for message in range(23):
            s.sendall(b"x" * 64)
            s.recv(64, socket.MSG_WAITALL)
"""


def test_asyncio():
    """Lib/asyncio/selector_events.py: sock.recv after the selector (epoll_wait, level-triggered) has said so."""
    port = free_port()
    with server([PYTHON, "-c", ECHO, port], port) as program:
        report = attached_while([program.pid], [PYTHON, "-c", CLIENT, port])
    assert report["model"]["name"] == "epoll-lt", report["model"]
    connections = on_port(report, port)
    assert len(connections) == 7 or sum(its["accepts"] for its in report["descriptors"]) == 7
    assert (
        sum(its["receives"] for its in connections)
        == sum(its["sends"] for its in connections)
        == 7 * 23
    )
    assert sum(its["received_bytes"] for its in connections) == 7 * 23 * 64


def test_threaded_http_server(tmp_path):
    """Lib/socketserver.py: the main thread in poll (selectors.PollSelector), a thread for each connection in a
    blocking recv."""
    port, requests = free_port(), 23
    (tmp_path / "index.html").write_text("x" * 1000)
    # each request is sent when the connection's thread is in its recvfrom: else it may be there before
    load = (
        "import glob, socket, sys\n"
        "def asked():\n"
        "    for path in glob.glob(f'/proc/{sys.argv[1]}/task/*/syscall'):\n"
        "        try:\n"
        "            if open(path).read().startswith('45 '): return True\n"
        "        except OSError: pass\n"
        f"for i in range({requests}):\n"
        f"    with socket.create_connection(('127.0.0.1', {port})) as its:\n"
        "        while not asked(): pass\n"
        "        its.sendall(b'GET /index.html HTTP/1.0\\r\\n\\r\\n')\n"
        "        while its.recv(65536): pass\n"
    )
    with server(
        [PYTHON, "-m", "http.server", port, "--bind", "127.0.0.1", "--directory", tmp_path], port
    ) as program:
        report = attached_while([program.pid], [PYTHON, "-c", load, program.pid])
    assert sum(its["accepts"] for its in report["descriptors"]) == requests
    assert of_class(report, "poll") >= requests
    connections = on_port(report, port)
    assert sum(its["receives"] for its in connections) == requests
    assert report["model"]["name"] == "blocking", report["model"]
    assert len({op["tid"] for op in report["operations"]}) == requests


FIO = ["fio", "--name=t", "--size=1M", "--bs=4k", "--rw=read", "--thread", "--output-format=json"]


@needs("fio")
@pytest.mark.parametrize(("engine", "call"), [("psync", "pread64"), ("sync", "read")])
def test_fio_on_files_waits_for_no_data(engine, call, tmp_path):
    """engines/sync.c: a pread or a read for each of the 256 blocks. A file is never waited for as a socket is."""
    arguments = [*FIO, f"--ioengine={engine}", f"--filename={tmp_path}/file"]
    subprocess.run(arguments, check=True, capture_output=True)  # makes the file
    done = iotrace("trace", "--no-cost", "-o", tmp_path / "run", "--", *arguments)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout[done.stdout.index("{") :])["jobs"][0]["read"]["total_ios"] == 256
    report = json.loads(iotrace("report", tmp_path / "run", "--json").stdout)
    mine = [its for its in report["descriptors"] if its["file"] == f"{tmp_path}/file"]
    assert (
        sum(its["receives"] for its in mine) == 256
        and sum(its["received_bytes"] for its in mine) == 1 << 20
    )
    assert calls(report)[call] >= 256
    # which of the two it is, its start-up decides on a file so small
    assert report["model"].get("instead") in ("files", "computing", None)
    assert report["figure"] is None
    assert not any(
        op["fd"] in {its["fd"] for its in mine} and op["bytes"] == 4096
        for op in report["operations"]
    )
    assert report["model"]["name"] == "none", report[
        "model"
    ]  # its helper may read a byte from its own pipe
    check_nothing_lost(report)


@needs("fio")
@pytest.mark.parametrize(
    ("engine", "model", "how"),
    [("libaio", "linux-aio", "after io_submit"), ("io_uring", "io-uring", "device")],
)
def test_fio_asks_the_device(engine, model, how, tmp_path):
    """engines/libaio.c, engines/io_uring.c: 256 reads are submitted, eight at a time, and completed by the device."""
    with tempfile.TemporaryDirectory(
        dir="/var/tmp"
    ) as directory:  # on a disk, where pytest's may be memory
        arguments = [*FIO, f"--ioengine={engine}", f"--filename={directory}/file", "--iodepth=8"]
        subprocess.run(arguments, check=True, capture_output=True)  # makes the file
        try:
            os.close(os.open(f"{directory}/file", os.O_RDONLY | os.O_DIRECT))
        except OSError as error:
            pytest.skip(f"O_DIRECT in /var/tmp: {error.strerror}")
        done = iotrace("trace", "--no-cost", "-o", tmp_path / "run", "--", *arguments, "--direct=1")
    assert done.returncode == 0, done.stderr
    report = json.loads(iotrace("report", tmp_path / "run", "--json").stdout)
    mine = [op for op in report["operations"] if op.get("how")]
    assert len(mine) == 256 and {op["bytes"] for op in mine} == {4096}
    assert report["model"]["name"] == model and report["model"]["synchronous"] is False
    # a request that would have to wait for a free slot of the device's goes to a worker, or is done while submitted
    assert (
        report["model"]["variants"][how] > 128 and sum(report["model"]["variants"].values()) == 256
    )
    check_nothing_lost(report)


@needs("fio")
@pytest.mark.parametrize(("engine", "model"), [("io_uring", "io-uring"), ("libaio", "linux-aio")])
def test_fio_asynchronously(engine, model, tmp_path):
    """engines/io_uring.c, engines/libaio.c: reads are submitted and their completions collected, O_DIRECT."""
    arguments = [word for word in FIO if word != "--thread"] + [
        f"--ioengine={engine}",
        f"--filename={tmp_path}/file",
        "--iodepth=4",
        "--direct=1",
    ]
    if subprocess.run(arguments, capture_output=True).returncode:
        pytest.skip(f"fio cannot do {engine} with O_DIRECT here")
    iotrace("trace", "--no-cost", "-o", tmp_path / "run", "--", *arguments)
    report = json.loads(iotrace("report", tmp_path / "run", "--json").stdout)
    assert sum(op["bytes"] == 4096 for op in report["operations"]) == 256
    assert [p["model"]["name"] for p in report["processes"] if p["operations"] == 256] == [model]
    mine = [its for its in report["descriptors"] if its["file"] == f"{tmp_path}/file"]
    assert sum(its["received_bytes"] for its in mine) == 1 << 20
    check_nothing_lost(report)


@needs("fio")
def test_fio_with_a_kernel_thread_that_submits(tmp_path):
    """engines/io_uring.c: sqthread_poll sets IORING_SETUP_SQPOLL and registers the file."""
    arguments = [word for word in FIO if word != "--thread"] + [
        "--ioengine=io_uring",
        f"--filename={tmp_path}/file",
        "--iodepth=4",
        "--sqthread_poll=1",
    ]
    if subprocess.run(arguments, capture_output=True).returncode:
        pytest.skip("fio cannot do io_uring with SQPOLL here")
    iotrace("trace", "--no-cost", "-o", tmp_path / "run", "--", *arguments)
    report = json.loads(iotrace("report", tmp_path / "run", "--json").stdout)
    (its,) = (its for its in report["processes"] if its["operations"] >= 256)
    assert its["model"]["name"] == "io-uring"
    assert any("IORING_SETUP_SQPOLL" in line for line in its["model"]["evidence"])
    (mine,) = (
        its
        for its in report["descriptors"]
        if its["file"] == f"{tmp_path}/file" and its["received_bytes"]
    )
    assert (mine["fd"], mine["receives"], mine["received_bytes"]) == (-1, 256, 1 << 20)
    assert "iou-sqp (kernel)" in iotrace("report", "-v", tmp_path / "run").stdout


@needs("strace", "redis-server", "redis-benchmark")
def test_redis_in_proportion_to_strace(tmp_path):
    """The same load twice: how often epoll_wait tells of several is chance, what is read and written is not."""
    counts = []
    for tracer in ("strace", "iotrace"):
        port = free_port()
        load = [
            str(word)
            for word in ["redis-benchmark", "-p", port, "-n", 1000, "-c", 1, "-t", "get", "-q"]
        ]
        redis = ["redis-server", "--port", str(port), "--save", "", "--appendonly", "no"]
        if tracer == "strace":
            with server(redis, port) as process:
                watcher = subprocess.Popen(
                    ["strace", "-f", "-c", "-o", tmp_path / "counts", "-p", str(process.pid)],
                    stderr=subprocess.PIPE,
                    text=True,
                )
                assert "attached" in watcher.stderr.readline()
                subprocess.run(load, check=True, capture_output=True, timeout=100)
                watcher.send_signal(signal.SIGINT)
                watcher.communicate()
            rows = [line.split() for line in (tmp_path / "counts").read_text().splitlines()]
            counts.append(
                {row[-1]: int(row[3]) for row in rows if len(row) > 4 and row[3].isdigit()}
            )
        else:
            with server(redis, port) as process:
                counts.append(calls(attached_while([process.pid], load)))
    strace, ours = counts
    # beside the clients' own: redis reads /proc/self/stat ten times a second
    for call in ("read", "write", "epoll_wait"):
        assert abs(ours[call] - strace[call]) < 0.1 * strace[call] + 100, (
            call,
            strace[call],
            ours[call],
        )
    assert strace["write"] == ours["write"]
