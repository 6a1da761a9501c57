"""Both ends of what messages travel through, one process on both sides."""

from __future__ import annotations

import os
import resource
import select
from contextlib import closing

import pytest

from scenarios.kit import transport

every = pytest.mark.parametrize("proto", transport.PROTOCOLS)


def joined(proto: str, count: int, stack) -> tuple[list, list]:
    """The receiver's and the sender's ends, closed with the test."""
    ends = transport.Ends(proto, transport.LOOPBACK, count)
    stack(ends.close)
    assert len(ends.numbers) == count and all(ends.numbers)
    senders = transport.connect(proto, transport.LOOPBACK, ends.numbers, os.getpid())
    for sender in senders:
        stack(sender.close)
    return ends.connected(), senders


@every
def test_each_end_gets_what_was_sent_to_it(proto, request):
    receivers, senders = joined(proto, 5, request.addfinalizer)
    buffer = bytearray(100)
    for index in (3, 0, 4, 1, 2):
        senders[index].sendall(bytes([index]) * 10)
        readable, _, _ = select.select(receivers, [], [])
        assert readable == [receivers[index]]
        assert receivers[index].recv_into(buffer) == 10 and buffer[:10] == bytes([index]) * 10


@every
def test_nothing_there_is_eagain(proto, request):
    (receiver,), _ = joined(proto, 1, request.addfinalizer)
    receiver.setblocking(False)
    with pytest.raises(BlockingIOError):
        receiver.recv_into(bytearray(10))


@every
def test_datagrams_are_kept_apart_and_streams_are_not(proto, request):
    (receiver,), (sender,) = joined(proto, 1, request.addfinalizer)
    sender.sendall(b"one")
    sender.sendall(b"two")
    buffer = bytearray(100)
    got = receiver.recv_into(buffer)
    while proto not in transport.DATAGRAMS and got < 6:
        got += receiver.recv_into(memoryview(buffer)[got:])
    assert got == (3 if proto in transport.DATAGRAMS else 6)


@pytest.mark.parametrize(("proto", "size"), transport.MOST_SIZE.items())
def test_largest_datagram(proto, size, request):
    (receiver,), (sender,) = joined(proto, 1, request.addfinalizer)
    sender.sendall(bytes(size))
    assert receiver.recv_into(bytearray(size + 1)) == size


@every
def test_reading_ends_have_low_descriptors(proto, request):
    receivers, _ = joined(proto, 40, request.addfinalizer)
    taken = {int(name) for name in os.listdir("/proc/self/fd")}
    own = {receiver.fileno() for receiver in receivers}
    assert max(own) < len(taken)


@every
def test_no_name_is_left_in_the_file_system(proto, request, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    joined(proto, 3, request.addfinalizer)
    assert os.listdir(tmp_path) == []


def test_a_sender_whose_reader_is_gone_is_told():
    ends = transport.Ends("pipe", transport.LOOPBACK, 1)
    (sender,) = transport.connect("pipe", transport.LOOPBACK, ends.numbers, os.getpid())
    ends.close()
    with closing(sender), pytest.raises(ConnectionError):
        sender.sendall(b"x")


def test_room_for_many_is_made_within_the_hard_limit():
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (100, before[1]))
    try:
        assert transport.make_room(200)
        assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] >= 200
        assert not transport.make_room(before[1]) or before[1] == resource.RLIM_INFINITY
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
