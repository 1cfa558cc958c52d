#!/bin/sh
# sbom.sh FOLDER: what the program consists of, as CycloneDX: crates, and the dashboard's scripts. It needs cargo-cyclonedx
# and npm.
set -eu
mkdir -p "$1"
folder=$(cd "$1" && pwd)
cd "$(dirname "$0")/.."
version=$(sed -n '0,/^version = /s/^version = "\(.*\)"$/\1/p' Cargo.toml)
cargo cyclonedx --format json --spec-version 1.5 --target all --override-filename sbom
mv sbom.json "$folder/loadtester-$version-crates.cdx.json"

# npm wants a version, which a private package does not need.
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp src/web/scripts/package.json src/web/scripts/package-lock.json "$work/"
npm pkg set "version=$version" --prefix "$work"
npm sbom --package-lock-only --sbom-format cyclonedx --prefix "$work" >"$folder/loadtester-$version-scripts.cdx.json"
