"""Bytes that move without a plain receive, and waits inside one, on the running kernel: programs count what they move,
and iotrace's account equals it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from support.running import traced

from tracer import terms

# What the programs below share. A peer acts when its parent sleeps and has taken what there was.
SETUP = """
import array, ctypes, fcntl, json, os, select, socket, struct, termios
libc = ctypes.CDLL(None, use_errno=True)
counts = {}
def count(fd, **more):
    for name, value in more.items():
        row = counts.setdefault(fd, {})
        row[name] = row.get(name, 0) + value
def moved(source, target, size):
    count(source, receives=1, received_bytes=size); count(target, sends=1, sent_bytes=size)
def asleep(fd=None):
    "Until the parent sleeps, and has taken what was in `fd`."
    while True:
        unread = array.array('i', [0])
        if fd is not None: fcntl.ioctl(fd, termios.FIONREAD, unread)
        if not unread[0] and open(f'/proc/{os.getppid()}/stat').read().rpartition(')')[2].split()[0] == 'S': return
def peer(act):
    pid = os.fork()
    if not pid:
        try: act()
        finally: os._exit(0)
    return pid
def say():
    print(json.dumps([[fd, None if fd < 0 else os.fstat(fd).st_ino, row] for fd, row in counts.items()]), flush=True)
"""

MOVES = (
    SETUP
    + """
a, b = socket.socketpair()          # pieces for MSG_WAITALL
d, e = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
r, w = os.pipe()
x, y = os.pipe()
up, down = socket.socketpair()      # a proxy's two sides, with a pipe between
out, sink = socket.socketpair()
src, dst = os.open('SRC', os.O_RDWR | os.O_CREAT), os.open('DST', os.O_RDWR | os.O_CREAT)
os.write(src, bytes(5000)); count(src, sends=1, sent_bytes=5000)
os.lseek(src, 0, os.SEEK_SET)

def pieces():
    for i in range(12): asleep(a.fileno()); b.send(b'p' * 10)
child = peer(pieces)
for i in range(3):
    size = len(a.recv(40, socket.MSG_WAITALL)); count(a.fileno(), receives=1, received_bytes=size)
os.waitpid(child, 0)

for i in range(5):
    d.send(b'm' * 100); count(d.fileno(), sends=1, sent_bytes=100)
    e.recv(200, socket.MSG_PEEK); count(e.fileno(), looks=1)
    e.recv(200); count(e.fileno(), receives=1, received_bytes=100)

def proxied():
    for i in range(4): asleep(up.fileno()); down.send(b'z' * 1000)
child = peer(proxied)
for i in range(4):
    moved(up.fileno(), w, os.splice(up.fileno(), w, 1 << 16))
    moved(r, out.fileno(), os.splice(r, out.fileno(), 1 << 16))
os.waitpid(child, 0)

moved(src, out.fileno(), os.sendfile(out.fileno(), src, 0, 3000))
moved(src, dst, os.copy_file_range(src, dst, 2000))

text = ctypes.create_string_buffer(70)
class Iovec(ctypes.Structure): _fields_ = [('base', ctypes.c_void_p), ('len', ctypes.c_size_t)]
iovec = Iovec(ctypes.addressof(text), 70)
count(w, sends=1, sent_bytes=libc.vmsplice(w, ctypes.byref(iovec), 1, 0))
size = libc.tee(r, y, 100, 0); count(r, looks=1); count(y, sends=1, sent_bytes=size)
count(r, receives=1, received_bytes=libc.vmsplice(r, ctypes.byref(iovec), 1, 0))

class Msghdr(ctypes.Structure):
    _fields_ = [('name', ctypes.c_void_p), ('namelen', ctypes.c_uint), ('iov', ctypes.c_void_p),
                ('iovlen', ctypes.c_size_t), ('control', ctypes.c_void_p), ('controllen', ctypes.c_size_t),
                ('flags', ctypes.c_int)]
class Mmsghdr(ctypes.Structure): _fields_ = [('hdr', Msghdr), ('len', ctypes.c_uint)]
def mmsg(n):
    return (Mmsghdr * n)(*[Mmsghdr(Msghdr(iov=ctypes.addressof(iovec), iovlen=1)) for _ in range(n)])
d.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
udp, to = socket.socket(type=socket.SOCK_DGRAM), socket.socket(type=socket.SOCK_DGRAM)
udp.bind(('127.0.0.1', 0)); to.connect(udp.getsockname())
udp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
for messages in (1, 7, 64, 100):
    many = mmsg(messages)
    sent = libc.sendmmsg(to.fileno(), many, messages, 0)
    count(to.fileno(), sends=1, sent_messages=sent, sent_bytes=sum(its.len for its in many[:sent]))
    if messages == 7: count(udp.fileno(), looks=1); libc.recvmmsg(udp.fileno(), many, 7, socket.MSG_PEEK, None)
    got = libc.recvmmsg(udp.fileno(), many, messages, 0, None)
    size = sum(its.len for its in many[:got])
    count(udp.fileno(), receives=1, received_messages=got, received_bytes=size)
def datagrams():
    for i in range(3): asleep(udp.fileno()); to.send(b'q' * 20)
child = peer(datagrams)
many = mmsg(3)
got = libc.recvmmsg(udp.fileno(), many, 3, 0, None)
count(udp.fileno(), receives=1, received_messages=got, received_bytes=sum(its.len for its in many))
os.waitpid(child, 0)
print(json.dumps({'waitall': a.fileno(), 'udp': udp.fileno(), 'up': up.fileno(), 'pid': os.getpid()}))
say()
"""
)


def told_by(report: dict[str, Any], expected: list[Any], tgid: int) -> None:
    """The report's descriptors say what the program says: (descriptor, inode, counts)."""
    rows = {(row["fd"], row["inode"]): row for row in report["descriptors"] if row["tgid"] == tgid}
    for fd, inode, counts in expected:
        row = rows[fd, inode]
        assert {name: row[name] for name in counts} == counts, (fd, row)
        unsaid = {"receives", "received_bytes", "sends", "sent_bytes", "looks"} - counts.keys()
        assert not any(row[name] for name in unsaid), (fd, row)
        assert row["received_unmeasured"] == row["sent_unmeasured"] == 0


def test_what_moves_is_counted_where_it_moves(traced_text: Any, tmp_path: Any) -> None:
    program = MOVES.replace("SRC", f"{tmp_path}/src").replace("DST", f"{tmp_path}/dst")
    report, (of, expected) = traced_text(program)
    told_by(report, expected, of["pid"])
    operations = [op for op in report["operations"] if op["tid"] == of["pid"]]
    # four pieces each: the first is waited for before, the others inside
    whole = [op for op in operations if op["fd"] == of["waitall"]]
    assert [len(op["waits_inside"]) for op in whole] == [3, 3, 3]
    (last,) = [op for op in operations if op["fd"] == of["udp"]][-1:]
    assert (last["bytes"], last["messages"], len(last["waits_inside"])) == (60, 3, 2)
    assert [op["bytes"] for op in operations if op["fd"] == of["up"]] == [1000] * 4
    for op in operations:
        for wait in op["waits_inside"]:
            assert op["copy_start_ns"] <= wait["from_ns"] < wait["to_ns"] <= op["copy_end_ns"]
    waited = sum(its["to_ns"] - its["from_ns"] for op in operations for its in op["waits_inside"])
    phases = {name: report["phases"][name]["total_ns"] for name in terms.PHASES}
    everyone = report["operations"]
    assert sum(phases.values()) == sum(op["done_ns"] - op["ask_ns"] for op in everyone)
    assert phases["wait"] == sum(op["ready_ns"] - op["ask_ns"] for op in everyone) + waited


OTHERS = (
    SETUP
    + """
import pty, tempfile
control, tty = pty.openpty()
for i in range(7):
    os.write(control, b'hello\\n'); count(tty, receives=1, received_bytes=len(os.read(tty, 100)))
event = os.eventfd(0)
for i in range(5):
    os.eventfd_write(event, 1); os.eventfd_read(event)
    count(event, receives=1, received_bytes=8, sends=1, sent_bytes=8)
timer = libc.timerfd_create(1, 0)
libc.timerfd_settime(timer, 0, struct.pack('4q', 0, 1000000, 0, 1000000), None)
for i in range(6): count(timer, receives=1, received_bytes=len(os.read(timer, 8)))
name = f'/iotrace-{os.getpid()}'.encode()
queue = libc.mq_open(name, os.O_CREAT | os.O_RDWR, 0o600, struct.pack('8q', 0, 8, 100, 0, 0, 0, 0, 0))
libc.mq_unlink(name)
buffer = ctypes.create_string_buffer(100)
for i in range(9):
    libc.mq_send(queue, buffer, 50, 0); count(queue, sends=1, sent_bytes=50)
    count(queue, receives=1, received_bytes=libc.mq_receive(queue, buffer, 100, None))
sysv = libc.msgget(0, 0o600)
message = ctypes.create_string_buffer(struct.pack('q', 1) + bytes(100))
for i in range(8):
    libc.msgsnd(sysv, message, 30, 0); count(-1, sends=1, sent_bytes=30)
    count(-1, receives=1, received_bytes=libc.msgrcv(sysv, message, 100, 0, 0))
libc.msgctl(sysv, 0, None)
print(json.dumps({'pid': os.getpid()}))
say()
"""
)


def test_what_is_read_from_other_things_is_said(traced_text: Any) -> None:
    report, (of, expected) = traced_text(OTHERS)
    told_by(report, expected, of["pid"])
    assert not report["operations"] and report["model"]["name"] == "none"
    said = " ".join(report["model"]["evidence"])
    for words in (
        "POSIX message queues 9 times, 450 bytes",
        "SysV message queues 8 times, 240 bytes",
        "timers (timerfd) 6 times, 48 bytes",
        "eventfds 5 times, 40 bytes",
        "7 times, 42 bytes",
    ):
        assert words in said


URING = (
    SETUP
    + """
from scenarios.interfaces.uring import MORE, Ring
ACCEPT, SEND, WRITE, READ, RECV, SPLICE = 13, 26, 23, 22, 27, 30
SQPOLL, WAKEUP, MULTISHOT = 2, 2, 1
a, b = socket.socketpair()
server = socket.create_server(('127.0.0.1', 0))
r, w = os.pipe()
file = os.open('SRC', os.O_RDWR | os.O_CREAT)
text = ctypes.create_string_buffer(4096)
where = ctypes.addressof(text)
def done(ring, **request):
    ring.put(**request); ring.enter(1, 1)
    return ring.take().size
with Ring() as ring:
    for i in range(3):
        count(a.fileno(), sends=1, sent_bytes=done(ring, opcode=SEND, fd=a.fileno(), addr=where, len=100))
        count(b.fileno(), receives=1, received_bytes=done(ring, opcode=RECV, fd=b.fileno(), addr=where, len=4096))
    count(file, sends=1, sent_bytes=done(ring, opcode=WRITE, fd=file, addr=where, len=4096))
    count(file, receives=1, received_bytes=done(ring, opcode=READ, fd=file, addr=where, len=4096))
    a.send(b's' * 500); count(a.fileno(), sends=1, sent_bytes=500)
    none = 2 ** 64 - 1
    size = done(ring, opcode=SPLICE, fd=w, off=none, addr=none, len=500, splice_fd_in=b.fileno())
    count(w, sends=1, sent_bytes=size)
    if SECOND: count(b.fileno(), receives=1, received_bytes=size)
    ring.put(opcode=ACCEPT, ioprio=MULTISHOT, fd=server.fileno()); ring.enter(1, 0)
    peers = [socket.create_connection(server.getsockname()) for i in range(4)]
    taken = 0
    while taken < 4:
        ring.enter(0, 1)
        while ring.completed: ring.take(); taken += 1
    count(server.fileno(), accepts=4)
with Ring(8, SQPOLL) as ring:
    for i in range(3):
        a.send(b'q' * 50); count(a.fileno(), sends=1, sent_bytes=50)
        ring.put(opcode=RECV, fd=b.fileno(), addr=where, len=4096)
        libc.syscall(426, ring.fd, 0, 1, 1 | WAKEUP, None, 0)
        while not ring.completed: pass
        count(b.fileno(), receives=1, received_bytes=ring.take().size)
print(json.dumps({'pid': os.getpid(), 'b': b.fileno()}))
say()
"""
)


def test_what_io_uring_moves_is_counted(traced_text: Any, tmp_path: Any) -> None:
    program = URING.replace("SRC", f"{tmp_path}/src").replace("SECOND", "False")
    report, (of, expected) = traced_text(program)
    told_by(report, expected, of["pid"])
    # a kernel thread took what came with SQPOLL: no device has to do with a socket
    ways = [op["how"] for op in report["operations"] if op["fd"] == of["b"]]
    assert len(ways) == 6 and "device" not in ways
    assert set(ways[3:]) <= {"sqpoll", "poll-armed"}


@pytest.fixture
def traced_text(tmp_path: Any) -> Any:
    """A function: the report of a Python program, and the JSON lines that it wrote."""

    def run(program: str) -> tuple[dict[str, Any], list[Any]]:
        out = tmp_path / "said"
        report = traced(f"import sys; sys.stdout = open({str(out)!r}, 'w')\n{program}")
        return report, [json.loads(line) for line in out.read_text().splitlines()]

    return run
