#!/usr/bin/env bash
# The tests of sockets, the load threads and TLS records under valgrind's memcheck: reads of memory that was never
# written, accesses outside of an allocation, and pointers to system calls that lead nowhere. VALGRIND names another
# valgrind than the one on the path; it must know epoll_pwait2 (3.24 does, 3.19 does not). A test that compares clocks
# fails under it; what counts is what memcheck says.
set -euo pipefail
cd "$(dirname "$0")/.."

# The path of a program that cargo has built.
built() {
    cargo "$@" --no-run --message-format=json 2>/dev/null |
        sed -n 's/.*"profile":{[^}]*"test":true}.*"executable":"\([^"]*\)".*/\1/p'
}

# rustix asks the kernel for the vDSO, which is not mapped under valgrind: `hide-auxv` lets it look elsewhere.
cost=$(cargo bench --bench cost --no-run --message-format=json 2>/dev/null |
    sed -n 's/.*"name":"cost".*"executable":"\([^"]*\)".*/\1/p')
log=$(mktemp)
trap 'rm "$log"' EXIT

check() {
    "$cost" hide-auxv "${VALGRIND:-valgrind}" --quiet --log-file="$log" --suppressions=tests/valgrind.supp "$@" \
        --test-threads=1 || echo "some tests failed under valgrind"
    if [ -s "$log" ]; then
        cat "$log"
        exit 1
    fi
}

check "$(built test --lib)" sys:: load::
check "$(built test --test it)" tls_wire::
echo "memcheck found nothing"
