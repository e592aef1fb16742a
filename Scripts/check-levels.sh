#!/bin/sh
# Code of one CPU level must not reach another: a function that the compiler leaves on its own, under a name
# that doesn't tell the level, is in the objects of every level, and the linker keeps any one of them.
set -eu
cd "$(dirname "$0")/.."
names=$(mktemp)
trap 'rm -f "$names"' EXIT
for level in KernelsBaseline KernelsAVX2 KernelsAVX512 KernelsBFloat16; do
  object=".build/release/$level.build"
  [ -d "$object" ] || { echo "no objects of $level in .build/release: build first" >&2; exit 1; }
  nm --defined-only "$object"/*.o | awk '$2 == "W" || $2 == "V" || $2 == "u" { print $3 }' | sort -u
done | sort | uniq -d | grep '^\$s' > "$names" || true
if [ -s "$names" ]; then
  echo "functions that CPU levels share:" >&2
  cat "$names" >&2
  exit 1
fi
