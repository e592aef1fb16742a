#!/bin/sh
# Compiles the kernels as Embedded Swift for a bare arm64: their bodies may use nothing but the standard
# library's core, and the register tile for 32 NEON registers has to compile. Nothing is run.
set -eu
cd "$(dirname "$0")/.."
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
compile() { # module, sources
  module=$1
  shift
  swiftc -target aarch64-none-none-elf -enable-experimental-feature Embedded -wmo -Ounchecked \
    -parse-as-library -package-name attnmesh -swift-version 6 -warnings-as-errors \
    -enable-upcoming-feature InternalImportsByDefault -enable-upcoming-feature MemberImportVisibility \
    -module-name "$module" -I "$out" -emit-module -emit-module-path "$out/$module.swiftmodule" \
    -c -o "$out/$module.o" "$@"
}
compile ElementTypes Sources/ElementTypes/ElementType.swift
compile AttentionMasks Sources/AttentionMasks/KeyVisibility.swift
compile KernelBody Sources/KernelBody/*.swift
compile KernelsNEON Sources/KernelsNEON/NEON.swift
# It has all that a level must have.
echo 'internal import KernelsNEON; extension NEON: KernelDoors {}' > "$out/Conformance.swift"
compile Doors Sources/AttentionKernels/KernelDoors.swift "$out/Conformance.swift"
