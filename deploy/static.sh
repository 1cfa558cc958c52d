#!/bin/sh
# static.sh [--no-build PROGRAM]: builds loadtester without any shared library and tests that in an empty root directory:
# the demo, and names from nowhere, from /etc/hosts and from a name server. As root, with python3 and iproute2.
#
# The build is target/TARGET/release/loadtester. With `--target` the flags are for the program alone, not for the macros
# and build scripts that run while it is built.
set -eu
cd "$(dirname "$0")/.."
if [ "${1:-}" = --no-build ]; then
    program=$2
else
    target=$(rustc -vV | sed -n 's/^host: //p')
    RUSTFLAGS="-C target-feature=+crt-static" cargo build --release --locked --target "$target"
    program=target/$target/release/loadtester
fi
[ "$(id -u)" = 0 ] || { echo "$program is built; as root this script also tests it" >&2; exit 1; }
# A network of its own, so that port 53 of loopback is free, and mounts that go when it ends.
LOADTESTER=$(readlink -f "$program") PYTHONDONTWRITEBYTECODE=1 unshare --net --mount --propagation private sh -c '
    ip link set lo up
    exec python3 -m unittest -v tests/install/static_binary.py'
