#!/bin/sh
# build.sh: packs target/release/loadtester, as it is there, into target/debian/loadtester_VERSION-1_ARCHITECTURE.deb.
# It needs cargo-deb (`cargo install --locked cargo-deb`), dpkg-dev and python3.
set -eu
cd "$(dirname "$0")/../.."
assets=target/package
deploy/debian/assets.sh target/release/loadtester "$assets"
# Files in the package have the date of the release.
SOURCE_DATE_EPOCH=$(date -u -d "$(sed -n 's/^ -- .*>  //p' "$assets/changelog.Debian")" +%s)
export SOURCE_DATE_EPOCH
cargo deb --no-build --locked --strip --compress-system "$@"
