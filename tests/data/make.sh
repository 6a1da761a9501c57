#!/bin/sh
# Make the recordings that tests/recordings/test_recordings.py reads: real runs on this machine's kernel, as root.
#
#     tests/data/make.sh [PYTHON [NAME...]]     e.g. /opt/iotrace/bin/python3 recvmsg recvmsg-tcp
#
# A recording's name says what it is of: SCENARIO, SCENARIO-tcp, or SCENARIO-c for its twin in C. Where none is named,
# all that are there are made anew. Each run has 5 messages, few microseconds apart.
set -eu
cd "$(dirname "$0")/../.."
here=tests/data
python=${1:-python3}
[ $# -eq 0 ] || shift
if [ $# -eq 0 ]; then
    for file in "$here"/*.parquet; do
        set -- "$@" "$(basename "$file" .parquet)"
    done
fi

make() { # FILE SCENARIO [OPTION...]
    file=$1
    shift
    "$python" -m tracer run "$@" --messages 5 -o "$file" >/dev/null
    size=$(stat -c %s "$file")
    [ "$size" -lt 60000 ] || { echo "$file: $size bytes are too many" >&2; exit 1; }
}

for name in "$@"; do
    interval=1ms
    [ "$name" != nonblocking ] || interval=200us # else its calls are too many
    case $name in
    *-tcp) make "$here/$name.parquet" "${name%-tcp}" --interval $interval --proto tcp ;;
    *-c) make "$here/$name.parquet" "${name%-c}" --interval $interval --lang c ;;
    *) make "$here/$name.parquet" "$name" --interval $interval ;;
    esac
done
