#!/bin/sh
# archive.sh PROGRAM TARGET FOLDER: the archive of a release, FOLDER/loadtester-VERSION-TARGET.tar.gz: program, man page,
# completions, licenses and changelog.
set -eu
program=$(readlink -f "$1") target=$2
mkdir -p "$3"
folder=$(cd "$3" && pwd)
cd "$(dirname "$0")/.."
name=loadtester-$("$program" --version | sed 's/.* //')-$target
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
deploy/debian/assets.sh "$program" "$work/$name"
rm "$work/$name/changelog.Debian" "$work/$name/copyright"
install -m 0755 "$program" "$work/$name/loadtester"
strip "$work/$name/loadtester"
install -m 0644 LICENSE CHANGELOG.md README.md "$work/$name/"
tar -czf "$folder/$name.tar.gz" -C "$work" --owner 0 --group 0 --sort name "$name"
