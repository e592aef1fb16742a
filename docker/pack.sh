#!/bin/sh
# Puts a binary and the libraries of the Swift runtime that it needs into a directory: where Swift is not
# installed it finds them beside itself.
#   docker/pack.sh BINARY DIRECTORY
set -eu
binary=$1
target=$2
rm -rf "$target"
mkdir -p "$target"
# Debug information is half of it.
strip --strip-debug -o "$target/attnmesh" "$binary"
chmod 0755 "$target/attnmesh"
ldd "$binary" | awk '$3 ~ "/usr/lib/swift/linux/" { print $3 }' | while read -r library; do
  install -m 0755 "$library" "$target/"
done
if ldd "$target/attnmesh" | grep -q "not found"; then
  ldd "$target/attnmesh" | grep "not found" >&2
  exit 1
fi
