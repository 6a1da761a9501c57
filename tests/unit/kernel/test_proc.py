"""tracer/kernel/proc.py, tracer/kernel/proc_net.py and tracer/capture/fd_names_live.py on this very process."""

from __future__ import annotations

import os
import select
import socket
import subprocess
import sys
import threading

import pytest
from support.records_builder import FILE, Trace

from tracer import text
from tracer.capture.fd_names_live import Names
from tracer.kernel import proc_net
from tracer.kernel.proc import Process, Stat, children
from tracer.recording.batch import RecordBatch, sized
from tracer.recording.records import WAS_OPEN, Kind

ME = Process(os.getpid())


def test_threads_and_leader():
    stop = threading.Event()
    thread = threading.Thread(target=stop.wait)
    thread.start()
    try:
        assert {os.getpid(), thread.native_id} <= set(ME.threads())
        assert Process(thread.native_id).leader() == os.getpid()
        number, _ = Process(thread.native_id).call() or (202, 0)  # futex, unless it runs just now
        assert number == 202
    finally:
        stop.set()
        thread.join()


def test_what_kind_of_process():
    assert not ME.is_kernel_thread() and not ME.has_ended()
    assert ME.command()[0].endswith(os.path.basename(sys.argv[0])) or "python" in ME.command()[0]
    if os.path.exists("/proc/2/stat"):
        assert Process(2).is_kernel_thread() == (not os.path.exists("/proc/2/exe"))


def test_children_and_zombies():
    child = subprocess.Popen(["cat"], stdin=subprocess.PIPE)
    try:
        assert child.pid in children({os.getpid()})
        child.stdin.close()
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        assert Process(child.pid).has_ended()
    finally:
        child.wait()
    with pytest.raises((FileNotFoundError, ProcessLookupError)):
        Process(child.pid).threads()


def test_what_stat_says(monkeypatch):
    fields = ["Z", "7", *["0"] * 4, "4194304", *["0"] * 10, "3", "0", "250"]
    its = Stat(f"5 (a) b) {' '.join(fields)} 0")
    tick_ns = 1_000_000_000 // os.sysconf("SC_CLK_TCK")
    assert (its.parent, its.flags, its.born_ns) == (7, 4194304, 250 * tick_ns)
    assert its.first_has_ended and not its.has_ended  # two threads more run on
    assert Stat(f"5 (a) {' '.join([*fields[:17], '1', *fields[18:]])}").has_ended


def test_files_are_looked_up_when_there_is_time(tmp_path):
    """None while records are fed; what was opened just now before what was open; no more than there is time for."""
    fds = [os.open(tmp_path / str(index), os.O_CREAT) for index in range(3)]
    trace = Trace()
    for fd, nr in zip(fds, (WAS_OPEN, WAS_OPEN, 0), strict=True):
        inode = os.fstat(fd).st_ino
        trace.add(Kind.DESCRIPTOR, 5, start=inode, fd=fd, arg=FILE, tid=os.getpid(), nr=nr)
    names = Names()
    names.feed(RecordBatch.of(trace.records()))
    assert names.files == [] and not names.catch_up(0)
    assert [its["name"] for its in names.files] == [str(tmp_path / "2")]
    assert names.catch_up(60) and len(names.files) == 3
    for fd in fds:
        os.close(fd)


def test_of_threads_that_proc_does_not_show_nothing_is_looked_up():
    with open(__file__) as file:
        names = Names({5: os.getpid()}.get)
        trace = Trace()
        for tid in (5, os.getpid()):
            trace.add(
                Kind.DESCRIPTOR,
                5,
                start=os.fstat(file.fileno()).st_ino,
                fd=file.fileno(),
                arg=FILE,
                tid=tid,
            )
        names.feed(RecordBatch.of(trace.records()))
        assert names.catch_up(60) and [its["pid"] for its in names.files] == [5]


def test_the_numbers_of_open_files_are_in_order():
    with open(__file__) as file:
        numbers = ME.open_numbers()
        assert numbers == sorted(numbers) and file.fileno() in numbers


ODD = [
    b"\xff\xfe\x80bad",
    "отправитель".encode()[:15],
    b"new\nline",
    b") S 1 1",
    b"",
    b"Tgid:\t1",
    b"\x1b[31mred",
]


@pytest.mark.parametrize("name", ODD)
def test_a_process_may_have_any_name(name):
    program = (
        f"import ctypes; ctypes.CDLL(None).prctl(15, {name!r}, 0, 0, 0); print(flush=True); input()"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    try:
        child.stdout.readline()
        its = Process(child.pid)
        assert child.pid in children({os.getpid()})
        assert its.leader() == child.pid and not its.has_ended() and not its.is_kernel_thread()
    finally:
        child.communicate(b"\n")


def test_a_command_may_have_any_arguments():
    program = "print(flush=True); input()"
    child = subprocess.Popen(
        [sys.executable, "-c", program, b"\xff\xfe\x1b\n"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    try:
        child.stdout.readline()
        assert Process(child.pid).command() == [sys.executable, "-c", program, r"\xff\xfe\x1b\n"]
    finally:
        child.communicate(b"\n")


@pytest.mark.parametrize("name", [b"f\xff\xfe", b"new\nline", b"\x1b[31mred", b">quote\"'<"])
def test_a_file_may_have_any_name(name, tmp_path):
    with open(os.fsencode(tmp_path) + b"/" + name, "w") as file:
        its = ME.descriptor(file.fileno())
        assert (
            its.name == f"{tmp_path}/" + text.shown(name)
            and its.inode == os.fstat(file.fileno()).st_ino
        )


@pytest.mark.parametrize(
    "name",
    [b"\0abs\xff\x01\n\x1b[31m", b"s\xff\n", b"s\n1: 2 3 4 5 6 7 8", b"s\n\n", b"s\x0b\x1c\x85\n1"],
)
def test_a_socket_may_have_any_name(name, tmp_path):
    """/proc/net/unix shows names as they are: with newlines and all. NULs of an abstract one are @ there."""
    with (
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as odd,
        socket.create_server(("127.0.0.1", 0)) as server,
    ):
        bound = name if name[:1] == b"\0" else os.fsencode(tmp_path) + b"/" + name
        odd.bind(bound)
        names = {its.fd: its.name for its in ME.descriptors()}
        inode, shown = os.fstat(odd.fileno()).st_ino, text.shown(bound.replace(b"\0", b"@"))
        assert names[odd.fileno()] == f"UNIX-DGRAM:[{inode},{shown}]"
        assert names[server.fileno()] == f"TCP:[127.0.0.1:{server.getsockname()[1]}]"


def test_a_path_that_looks_like_a_row_names_no_other_socket(tmp_path, monkeypatch):
    """What two rows claim is nobody's: the table is text, and the path may say anything."""
    monkeypatch.chdir(tmp_path)
    with (
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as honest,
        socket.create_server(("127.0.0.1", 0)) as server,
    ):
        honest.bind("honest")
        for victim in (honest, server):
            inode = os.fstat(victim.fileno()).st_ino
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as odd:
                odd.bind(f"\n{0:016x}: 00000002 00000000 00010000 0002 01 {inode} forged")
                names = {its.fd: its.name for its in ME.descriptors()}
            assert "forged" not in names[victim.fileno()]
        assert names[server.fileno()] == f"TCP:[127.0.0.1:{server.getsockname()[1]}]"


def test_descriptors_with_flags_epoll_and_addresses():
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.create_connection(server.getsockname()) as client,
        select.epoll() as epoll,
        open(__file__) as file,
    ):
        client.setblocking(False)
        epoll.register(client, select.EPOLLIN | select.EPOLLET)
        found = {its.fd: its for its in ME.descriptors()}
        port, remote = server.getsockname()[1], client.getsockname()[1]
        assert found[server.fileno()].name == f"TCP:[127.0.0.1:{port}]"
        assert found[client.fileno()].name == f"TCP:[127.0.0.1:{remote}->127.0.0.1:{port}]"
        assert (
            found[client.fileno()].flags & os.O_NONBLOCK
            and not found[server.fileno()].flags & os.O_NONBLOCK
        )
        assert found[epoll.fileno()].epoll == {client.fileno(): select.EPOLLIN | select.EPOLLET}
        assert found[epoll.fileno()].name == "anon_inode:[eventpoll]"
        assert found[file.fileno()].name == os.path.realpath(__file__)
        assert found[file.fileno()].inode == os.fstat(file.fileno()).st_ino


def test_unix_sockets_and_ipv6(tmp_path):
    with (
        socket.socket(socket.AF_UNIX) as unix,
        socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as datagram,
    ):
        unix.bind(str(tmp_path / "a socket"))
        names = proc_net.names(ME._proc / "net")
        inode = os.fstat(unix.fileno()).st_ino
        assert names[inode] == f"UNIX-STREAM:[{inode},{tmp_path}/a socket]"
        try:
            datagram.bind(("::1", 0))
        except OSError:
            pytest.skip("no IPv6 here")
        names = proc_net.names(ME._proc / "net")
        assert (
            names[os.fstat(datagram.fileno()).st_ino]
            == f"UDPv6:[[::1]:{datagram.getsockname()[1]}]"
        )


def test_a_name_is_kept_only_for_the_file_that_was_opened():
    with open(__file__) as file:
        inode = os.fstat(file.fileno()).st_ino
        for seen, wanted in ((inode, [os.path.realpath(__file__)]), (inode + 1, [])):
            names = Names()
            trace = Trace().add(
                Kind.DESCRIPTOR, 5, start=seen, fd=file.fileno(), arg=FILE, tid=os.getpid()
            )
            names.feed(RecordBatch.of(trace.records()))
            assert names.files == [] and names.catch_up(60)
            assert [its["name"] for its in names.files] == wanted
    assert Names().look(1 << 30) == []
    names.feed(sized(0))
