#!/bin/sh
# rootfs.sh BINARY FOLDER: everything the image holds, put together in FOLDER (empty or not there yet).
#
# The binary is linked to glibc, whose name resolution reads nsswitch.conf. The image holds the loader, the
# libraries that the binary asks for, the files that names are resolved with, certificates, and nothing
# else: no shell.
set -eu
binary=$1 root=$2
mkdir -p "$root"
[ -z "$(ls -A "$root")" ] || { echo "$root is not empty" >&2; exit 1; }

mkdir -p "$root/usr/bin" "$root/etc/ssl/certs" "$root/tmp" "$root/reports" "$root/state"
install -m 0755 "$binary" "$root/usr/bin/loadtester"
strip "$root/usr/bin/loadtester"

# `ldd` names the loader by its path and each library with "=> path"; each goes where it is looked for.
ldd "$binary" | sed -n -e 's/.*=> \(\/[^ ]*\).*/\1/p' -e 's/^[[:space:]]*\(\/[^ ]*\).*/\1/p' | sort -u |
    while read -r library; do
        install -D -m 0755 "$(readlink -f "$library")" "$root$library"
    done

# Names: /etc/hosts first, then DNS; both are in libc itself since glibc 2.34.
printf 'hosts: files dns\n' >"$root/etc/nsswitch.conf"
printf 'root:x:0:0::/:/sbin/nologin\nloadtester:x:65532:65532::/:/sbin/nologin\n' >"$root/etc/passwd"
printf 'root:x:0:\nloadtester:x:65532:\n' >"$root/etc/group"
install -m 0644 /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/ca-certificates.crt"

# Where volumes go; without one only /tmp can be written, unless the root is read-only.
chown 65532:65532 "$root/reports" "$root/state"
chmod 1777 "$root/tmp"
