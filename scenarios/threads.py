"""A thread for each connection (pthreads(7)), every one of them asleep in recvfrom(2); compare epoll-lt on as many.

One thread finishes a message at a time: a lock guards what is noted.
"""

import socket
import threading

from scenarios.kit import Workload, main
from scenarios.kit.receiver import STREAM_BUFFER

NAME = "threads"
SUMMARY = "a thread for each socket, each sleeps in recvfrom"
PROTOCOLS = ("udp", "tcp", "unix", "pipe")
ALIASES = ("thread-per-connection",)
FIGURE = "6.1"
MODEL = "blocking"
SOCKETS = 1000
SOCKETS_WHY = "each has a thread of its own"
SOCKETS_DEFAULT = 4


def receive(workload: Workload) -> None:
    """One call per message, as in blocking; the thread that started the others waits for the last message."""
    lock, started, over = threading.Lock(), threading.Semaphore(0), threading.Event()
    for sock in workload.socks:
        threading.Thread(
            target=_serve, args=(workload, sock, lock, started, over), daemon=True
        ).start()
    for _ in workload.socks:
        started.acquire()
    with workload.window():
        over.wait()


def _serve(
    workload: Workload,
    sock: socket.socket,
    lock: threading.Lock,
    started: threading.Semaphore,
    over: threading.Event,
) -> None:
    """One thread. Its last call is that from which it does not return, so a call is noted when it has."""
    buffer = bytearray(max(workload.options.size, STREAM_BUFFER))
    started.release()
    while True:
        try:
            size = sock.recv_into(buffer)
        except ConnectionError:  # its sender is gone
            size = 0
        with lock:
            if over.is_set():
                return
            workload.calls[workload.call] += 1
            workload.received(size, sock)
            if workload.done and (size == 0 or not workload.may_lose):
                over.set()
        if size == 0:
            return


if __name__ == "__main__":
    main(NAME, SUMMARY, PROTOCOLS, receive, SOCKETS, watched=SOCKETS_DEFAULT)
