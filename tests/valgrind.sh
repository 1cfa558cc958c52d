#!/usr/bin/env bash
# The tests of sockets and TLS under valgrind's memcheck, and the program that they start: reads of memory that was
# never written, accesses outside of an allocation, and pointers to system calls that lead nowhere.
set -euo pipefail
cd "$(dirname "$0")/.."

# rustix otherwise calls the vDSO, which is not mapped under valgrind.
export RUSTFLAGS="--cfg rustix_use_libc" CARGO_TARGET_DIR=target/valgrind

# The path of a test program that cargo has built.
built() {
    cargo test --no-run --message-format=json "$@" 2>/dev/null |
        sed -n 's/.*"profile":{[^}]*"test":true}.*"executable":"\([^"]*\)".*/\1/p'
}

check() {
    local program=$1
    shift
    echo "== $program $*"
    # The program exits with codes of its own: what memcheck finds is in the logs.
    valgrind --quiet --trace-children=yes --error-exitcode=0 --log-file="$logs/%p" "$program" --test-threads=1 "$@"
}

logs=$(mktemp -d)
trap 'rm -r "$logs"' EXIT
check "$(built --lib)" sys:: load::
check "$(built --test it)" "${@:-wire::}"
if cat "$logs"/* | grep -q .; then
    cat "$logs"/*
    exit 1
fi
