#!/bin/sh
# Make the recordings that tests/recordings/test_recordings.py reads: real runs on this machine's kernel, as root.
#
#     tests/data/make.sh [PYTHON]     e.g. /opt/iotrace/bin/python3; each run has 5 messages, few microseconds apart
set -eu
cd "$(dirname "$0")/../.."
python=${1:-python3}
here=tests/data

make() { # NAME SCENARIO [OPTION...]
    file=$here/$1.parquet
    shift
    "$python" -m tracer run "$@" --messages 5 -o "$file" >/dev/null
    size=$(stat -c %s "$file")
    [ "$size" -lt 60000 ] || { echo "$file: $size bytes are too many" >&2; exit 1; }
}

for scenario in blocking select poll epoll-lt signal posix-aio epoll-et epoll-et-stuck epoll-lt-left epoll-oneshot \
    signal-rt signal-burst signal-rt-overflow posix-aio-thread posix-aio-suspend linux-aio linux-aio-socket \
    linux-aio-poll io-uring io-uring-inline io-uring-worker io-uring-multishot; do
    make "$scenario" "$scenario" --interval 1ms
done
make nonblocking nonblocking --interval 200us
make blocking-tcp blocking --proto tcp --interval 1ms
make select-tcp select --proto tcp --interval 1ms
for scenario in blocking signal posix-aio; do
    make "$scenario-c" "$scenario" --lang c --interval 1ms
done
