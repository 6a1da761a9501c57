"""Attaching to what is busy: servers under load, 100 processes, 2,000 threads, many descriptors.

    python attaching.py [LOAD…] [--times N] [--seconds S]       as root

For each attach: how long it took from the command's start to the first thread that was traced, and from the end of -d
until the last one was detached (late), and until the uprobes were gone; what was lost; and whether there was a report.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import machine
from calls import Setting
from table import goal, render

_LATEST_S = 0.5  # from the end of -d until all threads are detached
_NGINX = """
daemon off; master_process on; worker_processes 4; pid {room}/nginx.pid; error_log {room}/error.log;
events {{ worker_connections 1024; }}
http {{ access_log {room}/access.log; client_body_temp_path {room}/b; proxy_temp_path {room}/p;
fastcgi_temp_path {room}/f; uwsgi_temp_path {room}/u; scgi_temp_path {room}/s;
server {{ listen 127.0.0.1:{port}; root {room}; }} }}
"""
_HAPROXY = """
global
    maxconn 2000
defaults
    mode http
    timeout client 30s
    timeout server 30s
    timeout connect 5s
frontend all
    bind 127.0.0.1:{front}
    default_backend one
backend one
    server one 127.0.0.1:{port}
"""


def main(argv: list[str] | None = None) -> int:
    """Exit status: 0 measured, 3 this machine cannot."""
    parser = argparse.ArgumentParser(description="Measures attach on busy programs, as root.")
    parser.add_argument("load", nargs="*", help=f"of {', '.join(LOADS)} (default: all)")
    parser.add_argument("--times", type=int, default=20, help="attach so often to each (20)")
    parser.add_argument("--seconds", type=float, default=1.0, help="-d of each attach (1)")
    parser.add_argument("--room", type=Path, default=Path("/var/tmp"))
    options = parser.parse_args(argv)
    with tempfile.TemporaryDirectory(prefix="iotrace-bench.", dir=options.room) as room:
        os.chmod(room, 0o755)
        machine.build(Path(room))
        print(
            measured(Path(room), options.load or list(LOADS), options.times, options.seconds)[
                "table"
            ]
        )
    return 0


def attach(setting: Setting) -> dict[str, Any]:
    """The figure of `make bench`: a few attaches to each load."""
    os.chmod(setting.room, 0o755)  # PostgreSQL's user comes through it
    names = ["nginx", "20,000 descriptors"] if setting.quick else list(LOADS)
    return measured(setting.room, names, 1 if setting.quick else 3, setting.seconds)


def measured(room: Path, loads: list[str], times: int, seconds: float) -> dict[str, Any]:
    """The figures of these loads, with their table and goals."""
    rows, goals, figures = [], [], {}
    for name in loads:
        place = room / name
        place.mkdir()
        os.chmod(place, 0o777)
        try:
            with LOADS[name](place) as pids:
                print(f"{name}: {len(pids())} processes", file=sys.stderr, flush=True)
                runs = [_once(place / f"{index}", pids(), seconds) for index in range(times)]
        except machine.CannotMeasure as error:
            print(f"{name}: {error}", file=sys.stderr)
            continue
        figures[name] = runs
        late = [run["late_s"] for run in runs if run["reported"]]
        rows.append(
            [
                name,
                f"{sum(run['reported'] for run in runs)} of {times}",
                f"{runs[0]['threads']:,}",
                f"{runs[0]['descriptors']:,}",
                _range([run["first_s"] for run in runs if run["reported"]]),
                _range(late),
                _range([run["gone_s"] for run in runs if run["reported"]]),
                _range([run["wall_s"] for run in runs]),
                f"{sum(run['counted'] for run in runs):,}",
                f"{sum(run['lost'] for run in runs):,}",
            ]
        )
        goals.append(goal(f"attach, {name}: reports", len(late), times, most=False))
        goals.append(goal(f"attach, {name}: latest detach, s", max(late, default=99), _LATEST_S))
    head = [
        "",
        "reports",
        "threads",
        "fds",
        "to the first, s",
        "late, s",
        "uprobes gone, s",
        "in all, s",
        "events",
        "lost",
    ]
    title = f"iotrace attach -d {seconds}: {times} times each"
    return {"runs": figures, "goals": goals, "table": render(title, head, rows)}


def _range(values: list[float]) -> str:
    ordered = sorted(values) or [float("nan")]
    return f"{ordered[len(ordered) // 2]:.2f} ({ordered[0]:.2f}–{ordered[-1]:.2f})"


def _once(stats: Path, pids: list[int], seconds: float) -> dict[str, Any]:
    """One attach to these processes."""
    script = str(Path(__file__).with_name("attaching_once.py"))
    arguments = ["-d", str(seconds), "--no-cost", "--json", "-p", *map(str, pids)]
    began = time.monotonic()
    # as a child of a session's shell would: with no priority of its own
    done = subprocess.run(
        [*machine.PYTHON, script, str(stats), *arguments],
        capture_output=True,
        text=True,
        check=False,
    )
    run = {"reported": False, "wall_s": time.monotonic() - began, "counted": 0, "lost": 0}
    run |= {"threads": 0, "descriptors": 0}
    try:
        report, times = json.loads(done.stdout), json.loads(stats.read_text())
    except (ValueError, OSError):
        print(f"  status {done.returncode}: {done.stderr.strip()[-500:]}", file=sys.stderr)
        return run
    base_ns, attached = report["base_ns"], report["target"]["attached"]
    return run | {
        "reported": True,
        "first_s": (base_ns - times["began_ns"]) / 1e9,
        "late_s": (times["detached_ns"] - base_ns) / 1e9 - seconds,
        "gone_s": (times["gone_ns"] - base_ns) / 1e9 - seconds,
        "threads": sum(process["threads"] for process in attached),
        "descriptors": sum(process["descriptors"] for process in attached),
        "processes": len(attached),
        "counted": report["ledger"]["counted"],
        "lost": report["ledger"]["lost"],
        "operations": len(report["operations"]),
        "rows": len(report["descriptors"]),
        "same": len(report["descriptors"])
        - len({_descriptor(row) for row in report["descriptors"]}),
    }


def _descriptor(row: dict[str, Any]) -> tuple[Any, ...]:
    return row["tgid"], row["fd"], row.get("inode"), row.get("from_ns")


@contextlib.contextmanager
def _crowd(
    room: Path, processes: int, threads: int, descriptors: int
) -> Iterator[Callable[[], list[int]]]:
    # a session of its own, as servers have: the kernel parts the CPUs among sessions first (sched_autogroup)
    command = [str(room.parent / "crowd"), *map(str, (processes, threads, descriptors))]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as crowd:
        assert crowd.stdout and crowd.stdin
        pids = [int(line) for line in iter(crowd.stdout.readline, "\n")]
        yield lambda: pids
        crowd.stdin.close()


@contextlib.contextmanager
def _server(
    command: list[str], load: list[str], port: int, **more: Any
) -> Iterator[Callable[[], list[int]]]:
    """A server in the foreground and its load; the IDs of its processes and their children."""
    if not shutil.which(command[0]) or not shutil.which(load[0]):
        raise machine.CannotMeasure(f"{command[0]} or {load[0]} is not installed")
    server = subprocess.Popen(
        command,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        **more,
    )
    client = None
    try:
        _await(port)
        client = subprocess.Popen(
            load, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **more
        )
        yield lambda: [server.pid, *_children(server.pid)]
    finally:
        if client:
            client.kill()
            client.wait()
        server.send_signal(signal.SIGINT if "postgres" in command[0] else signal.SIGTERM)
        server.wait()


def _await(port: int) -> None:
    """Until somebody listens at the port, as the kernel's table says."""
    wanted = f"0100007F:{port:04X} 00000000:0000 0A"
    while wanted not in Path("/proc/net/tcp").read_text():
        pass


def _children(pid: int) -> list[int]:
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


@contextlib.contextmanager
def _nginx(room: Path, port: int = 45801) -> Iterator[Callable[[], list[int]]]:
    (room / "nginx.conf").write_text(_NGINX.format(room=room, port=port))
    (room / "index.html").write_text("x" * 1000)
    wrk = ["wrk", "-t1", "-c64", "-d1h", f"http://127.0.0.1:{port}/index.html"]
    with _server(
        ["nginx", "-e", str(room / "e"), "-c", str(room / "nginx.conf")], wrk, port
    ) as pids:
        yield pids


@contextlib.contextmanager
def _haproxy(room: Path, port: int = 45802) -> Iterator[Callable[[], list[int]]]:
    (room / "haproxy.cfg").write_text(_HAPROXY.format(front=port, port=45803))
    wrk = ["wrk", "-t1", "-c64", "-d1h", f"http://127.0.0.1:{port}/index.html"]
    with (
        _nginx(room, 45803),
        _server(["haproxy", "-db", "-W", "-f", str(room / "haproxy.cfg")], wrk, port) as pids,
    ):
        yield pids


@contextlib.contextmanager
def _postgresql(room: Path, port: int = 45804) -> Iterator[Callable[[], list[int]]]:
    programs = max(Path("/usr/lib/postgresql").glob("*/bin"), default=None)
    if programs is None:
        raise machine.CannotMeasure("postgresql is not installed")
    user = pwd.getpwnam("postgres")
    who: dict[str, Any] = {
        "user": user.pw_uid,
        "group": user.pw_gid,
        "extra_groups": [],
        "cwd": room,
    }
    data, where = str(room / "data"), ["-h", "127.0.0.1", "-p", str(port)]
    quiet: dict[str, Any] = {
        "stdout": subprocess.DEVNULL,
        "stderr": subprocess.DEVNULL,
        "check": True,
    }
    subprocess.run([str(programs / "initdb"), "-A", "trust", "-D", data], **who, **quiet)
    bench = [str(programs / "pgbench"), *where]
    load = [*bench, "-c", "16", "-j", "1", "-S", "-T", "3600", "postgres"]
    serve = [str(programs / "postgres"), "-D", data, *where, "-k", str(room)]
    with _server(serve, ["true"], port, **who) as pids:
        while subprocess.run(
            [*bench, "-i", "-q", "postgres"], **who, **quiet | {"check": False}
        ).returncode:
            pass
        with subprocess.Popen(
            load, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **who
        ) as client:
            while len(pids()) < 16:
                pass
            yield pids
            client.kill()


LOADS: dict[str, Callable[[Path], contextlib.AbstractContextManager[Callable[[], list[int]]]]] = {
    "nginx": _nginx,
    "haproxy": _haproxy,
    "postgresql": _postgresql,
    "100 processes": lambda room: _crowd(room, 100, 1, 20),
    "2,000 threads": lambda room: _crowd(room, 1, 2000, 20),
    "20,000 descriptors": lambda room: _crowd(room, 2, 1, 18000),
    "both CPUs": lambda room: _crowd(room, 1, 2 * (os.cpu_count() or 1), 20),
}

if __name__ == "__main__":
    sys.exit(main())
