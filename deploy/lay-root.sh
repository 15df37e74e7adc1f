#!/bin/sh
# Lays an image's root file system out of a program's folder and of the machine that this runs on.
#
#   lay-root.sh PROGRAM ROOT
#
# PROGRAM has `tailwater` and `libonnxruntime.so`. What shared libraries they need, the loader says.
set -eu

program=$1 root=$2
place=$root/opt/tailwater

mkdir -p "$place" "$root/etc/ssl/certs" "$root/etc/tailwater" "$root/var/lib/tailwater"
# Beside the program the host looks for the library by itself.
cp "$program/tailwater" "$program/libonnxruntime.so" "$place"

for file in "$place"/*; do
    needed=$(ldd "$file")
    if echo "$needed" | grep 'not found'; then
        echo "$file needs what this base image lacks: install it there, or take the base that the program was built on" >&2
        exit 1
    fi
    # Lines such as `libz.so.1 => /lib/x86_64-linux-gnu/libz.so.1 (0x...)` and `/lib64/ld-linux-x86-64.so.2 (0x...)`.
    for library in $(echo "$needed" | grep -o '/[^ ]*'); do
        mkdir -p "$root$(dirname "$library")"
        cp -L "$library" "$root$library"
    done
done

cp -L /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/"
echo 'tailwater:x:1000:1000::/var/lib/tailwater:/nonexistent' >"$root/etc/passwd"
echo 'tailwater:x:1000:' >"$root/etc/group"
echo 'hosts: files dns' >"$root/etc/nsswitch.conf"

chmod -R a+rX,go-w "$root"
chmod 755 "$place"/*
chown -R 0:0 "$root"
chown 1000:1000 "$root/var/lib/tailwater"

# It starts there, with what is there alone.
chroot "$root" /opt/tailwater/tailwater --version
