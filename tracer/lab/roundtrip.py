"""A yardstick and no scenario: how long one UDP message takes to another process and back over loopback, untraced.

Two processes, each sleeping in recvfrom until the other's message comes; every round trip is timed in the first.
Run as `python -m tracer.lab.roundtrip [COUNT]`; prints JSON, nanoseconds of CLOCK_MONOTONIC.
"""

import json
import os
import socket
import sys
import time

LOOPBACK = "127.0.0.1"
WARM_UP = 20


def main(count: int) -> None:
    """Print the minimum and the median of `count` round trips of 64 bytes."""
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as near,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as far,
    ):
        near.bind((LOOPBACK, 0))
        far.bind((LOOPBACK, 0))
        near.connect(far.getsockname())
        far.connect(near.getsockname())
        child = os.fork()
        if child == 0:
            for _ in range(WARM_UP + count):
                far.send(far.recv(64))
            os._exit(0)
        times = []
        for _ in range(WARM_UP + count):
            begin_ns = time.monotonic_ns()
            near.send(bytes(64))
            near.recv(64)
            times.append(time.monotonic_ns() - begin_ns)
        os.waitpid(child, 0)
    times = sorted(times[WARM_UP:])
    print(json.dumps({"count": count, "min_ns": times[0], "p50_ns": times[(count - 1) // 2]}))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 500)
