#!/usr/bin/env bash
# The first step of action.yml: a release's program, verified, or one that is built from this checkout. Inputs are in
# LT_… variables; the output `program` is its path.
set -euo pipefail

fail() {
    echo "::error title=loadtester::$1"
    exit 1
}

source=$(cd "$LT_ACTION_PATH/../.." && pwd)
folder=${RUNNER_TEMP:-/tmp}/loadtester
mkdir -p "$folder"

if [ "$LT_BUILD" = true ]; then
    command -v cargo >/dev/null || fail "build: true needs Rust 1.95 on the runner; install it in a step before"
    if command -v npm >/dev/null; then
        npm ci --ignore-scripts --silent --no-audit --no-fund --prefix "$source/src/web/scripts"
    fi
    cargo build --release --locked --manifest-path "$source/Cargo.toml" --target-dir "$folder/target"
    program=$folder/target/release/loadtester
else
    version=${LT_VERSION#v}
    [ -n "$version" ] || version=$(sed -n '0,/^version = /s/^version = "\(.*\)"$/\1/p' "$source/Cargo.toml")
    [ -n "$LT_REPOSITORY" ] || fail "repository: name the repository of the release, as OWNER/NAME"
    case $(uname -s)-$(uname -m) in
        Linux-x86_64) target=x86_64-unknown-linux-musl ;;
        Linux-aarch64) target=aarch64-unknown-linux-musl ;;
        *) fail "there is no release for $(uname -s) on $(uname -m): loadtester runs on Linux, on x86-64 and arm64" ;;
    esac
    archive=loadtester-$version-$target.tar.gz
    release=${GITHUB_SERVER_URL:-https://github.com}/$LT_REPOSITORY/releases/download/v$version
    fetch() {
        curl --fail --silent --show-error --location --retry 3 --max-time 300 --output "$folder/$1" "$release/$1" ||
            fail "cannot download $release/$1"
    }
    fetch "$archive"
    if [ -n "$LT_SHA256" ]; then
        expected=$LT_SHA256
    else
        fetch SHA256SUMS
        expected=$(sed -n "s/^\([0-9a-f]\{64\}\)  $archive\$/\1/p" "$folder/SHA256SUMS")
        [ -n "$expected" ] || fail "SHA256SUMS of release $version does not list $archive"
    fi
    actual=$(sha256sum "$folder/$archive" | cut -d ' ' -f 1)
    [ "$actual" = "$expected" ] || fail "$archive has the SHA-256 $actual, not $expected"
    rm -rf "$folder/release"
    mkdir "$folder/release"
    tar -xzf "$folder/$archive" -C "$folder/release" --strip-components 1
    program=$folder/release/loadtester
fi

"$program" --version
echo "program=$program" >>"$GITHUB_OUTPUT"
dirname "$program" >>"$GITHUB_PATH"
