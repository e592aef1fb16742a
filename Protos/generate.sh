#!/bin/sh
# Generates Sources/CMeshWire from mesh.proto with protoc-c. The result is committed, so that only
# who changes the protocol needs the compiler.
#
#   generate.sh           writes the generated files
#   generate.sh --check   compares them instead: prints the difference and exits 1
set -eu

protos=$(cd "$(dirname "$0")" && pwd)
target="$protos/../Sources/CMeshWire"

case "${1-}" in
"" | --check) ;;
*)
  echo "usage: generate.sh [--check]" >&2
  exit 2
  ;;
esac

if ! command -v protoc-c >/dev/null; then
  echo "generate.sh: protoc-c is missing (Debian, Ubuntu: package protobuf-c-compiler)" >&2
  exit 1
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
protoc-c -I "$protos" --c_out="$work" "$protos/mesh.proto"

# protoc-c leaves blanks at line ends; without them the committed files pass `git diff --check`.
sed -i 's/[[:space:]]*$//' "$work/mesh.pb-c.c" "$work/mesh.pb-c.h"

if [ "${1-}" = --check ]; then
  status=0
  diff -u "$target/mesh.pb-c.c" "$work/mesh.pb-c.c" || status=1
  diff -u "$target/include/mesh.pb-c.h" "$work/mesh.pb-c.h" || status=1
  [ $status = 0 ] || echo "generate.sh: generated code is not that of mesh.proto" >&2
  exit $status
fi

mkdir -p "$target/include"
cp "$work/mesh.pb-c.c" "$target/mesh.pb-c.c"
cp "$work/mesh.pb-c.h" "$target/include/mesh.pb-c.h"
