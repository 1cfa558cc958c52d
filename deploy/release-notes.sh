#!/bin/sh
# release-notes.sh VERSION: what CHANGELOG.md says about a release.
set -eu
cd "$(dirname "$0")/.."
notes=$(awk -v heading="## [$1] - " '
    /^## / { found = index($0, heading) == 1; next }
    found { print }
' CHANGELOG.md)
[ -n "$notes" ] || { echo "CHANGELOG.md has no release $1" >&2; exit 1; }
printf '%s\n' "$notes"
