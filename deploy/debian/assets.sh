#!/bin/sh
# assets.sh PROGRAM FOLDER: what a package holds besides the program. The program prints its man page and completions
# itself; dates come from CHANGELOG.md, licenses from the sources of the crates that the program contains.
set -eu
program=$(readlink -f "$1")
mkdir -p "$2"
folder=$(cd "$2" && pwd)
cd "$(dirname "$0")/../.."

version=$("$program" --version | sed 's/.* //')
date=$(sed -n "s/^## \[$version\] - \([0-9-]*\)$/\1/p" CHANGELOG.md)
[ -n "$date" ] || { echo "CHANGELOG.md has no release $version" >&2; exit 1; }

# The program does not know its release date; a man page has one. Its text is broken into lines of 80 bytes.
"$program" --man | sed "1s/^\.TH LOADTESTER 1 \"\"/.TH LOADTESTER 1 \"$date\"/" | awk '
    /^\./ { print; next }
    {
        line = ""
        for (i = 1; i <= NF; i++) {
            if (line != "" && length(line) + 1 + length($i) > 80) {
                print line
                # What begins with one of these would be a request.
                line = ($i ~ /^[.\047]/ ? "\\&" : "") $i
            } else {
                line = line (line == "" ? "" : " ") $i
            }
        }
        print line
    }' >"$folder/loadtester.1"
"$program" --completions bash >"$folder/loadtester.bash"
"$program" --completions zsh >"$folder/_loadtester"
"$program" --completions fish >"$folder/loadtester.fish"

cat >"$folder/changelog.Debian" <<END
loadtester ($version-1) stable; urgency=medium

  * Release $version. See changelog.gz in this folder.

 -- The loadtester maintainers <>  $(date -u -R -d "$date")
END

python3 deploy/licenses.py | gzip -9n >"$folder/third-party-licenses.txt.gz"
{
    cat <<END
Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
Upstream-Name: loadtester
Comment: The program contains crates by others under licenses of their own:
 third-party-licenses.txt.gz in this folder has all of them.

Files: *
Copyright: $(sed -n 's/^Copyright (c) //p' LICENSE)
License: MIT
END
    sed -n '/^Permission/,$p' LICENSE | sed -e 's/^$/./' -e 's/^/ /'
} >"$folder/copyright"
