// swift-tools-version: 6.3
import PackageDescription

/// Settings of every Swift target: language mode 6, no warnings, explicit imports.
let strict: [SwiftSetting] = [
  .swiftLanguageMode(.v6),
  .treatAllWarnings(as: .error),
  .enableUpcomingFeature("ExistentialAny"),
  .enableUpcomingFeature("InternalImportsByDefault"),
  .enableUpcomingFeature("MemberImportVisibility"),
  .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
]

/// CPU levels of one architecture alone.
#if arch(arm64)
let furtherLevels = [kernelLevel("KernelsNEON", cpu: nil)]
#else
let furtherLevels: [Target] = []
#endif

/// One body, compiled once per CPU level; the level is chosen at run time by CPUID.
func kernelLevel(_ name: String, cpu: String?, with shims: [Target.Dependency] = []) -> Target {
  #if arch(x86_64)
  let flags = ["-Ounchecked"] + (cpu.map { ["-target-cpu", $0] } ?? [])
  #else
  let flags = ["-Ounchecked"]
  #endif
  return .target(
    name: name, dependencies: ["KernelBody"] + shims, swiftSettings: strict + [.unsafeFlags(flags)])
}

let package = Package(
  name: "attnmesh",
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
    .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
    .package(url: "https://github.com/swhitty/FlyingFox.git", from: "0.27.1"),
  ],
  targets: furtherLevels + [
    // Leaves: C shims and pure code.
    .systemLibrary(name: "CZeroMQ"),
    .systemLibrary(name: "CCrypto"),
    .systemLibrary(name: "CSystem"),
    .systemLibrary(name: "CXXHash"),
    .systemLibrary(name: "CBFloat16"),
    .target(name: "CChecksums"),
    .target(
      name: "Checksums", dependencies: ["CChecksums", "CCrypto", "CXXHash"], swiftSettings: strict),
    .target(name: "ElementTypes", swiftSettings: strict),
    // Which keys a query sees: pure, for planners and kernels alike.
    .target(name: "AttentionMasks", swiftSettings: strict),
    .target(
      name: "KernelBody", dependencies: ["AttentionMasks", "ElementTypes"], swiftSettings: strict),
    kernelLevel("KernelsBaseline", cpu: nil),
    kernelLevel("KernelsAVX2", cpu: "haswell"),
    kernelLevel("KernelsAVX512", cpu: "skylake-avx512"),
    kernelLevel("KernelsBFloat16", cpu: "cooperlake", with: ["CBFloat16"]),
    .target(
      name: "AttentionKernels",
      dependencies: [
        "KernelBody", "KernelsBaseline", "KernelsAVX2", "KernelsAVX512", "KernelsBFloat16",
        "CChecksums",
      ] + furtherLevels.map { .target(name: $0.name) },
      swiftSettings: strict),
    .target(name: "TensorFiles", dependencies: ["ElementTypes"], swiftSettings: strict),
    .target(name: "ZeroMQ", dependencies: ["CZeroMQ"], swiftSettings: strict),
    .target(
      name: "MeshCore", dependencies: ["AttentionMasks", "Checksums", "ElementTypes"],
      swiftSettings: strict),
    // Pictures of a mesh as text: values in, lines out.
    .target(name: "MeshView", dependencies: ["MeshCore"], swiftSettings: strict),
    .target(
      name: "CheckpointFiles", dependencies: ["Checksums", "MeshCore"], swiftSettings: strict),
    // Generated from Protos/ by Protos/generate.sh, and a budget for its memory.
    .target(name: "CMeshWire", linkerSettings: [.linkedLibrary("protobuf-c")]),
    .target(
      name: "MeshWire", dependencies: ["CMeshWire", "Checksums", "ElementTypes", "MeshCore"],
      swiftSettings: strict),
    .target(
      name: "MeshJournal",
      dependencies: ["Checksums", .product(name: "GRDB", package: "GRDB.swift")],
      swiftSettings: strict),
    .target(
      name: "FoldEngine",
      dependencies: ["MeshCore", "AttentionKernels", "KernelBody", "Checksums"],
      swiftSettings: strict),
    .target(
      name: "MeshSimulation",
      dependencies: ["MeshCore", "FoldEngine", "AttentionKernels", "Checksums"],
      swiftSettings: strict),
    .target(
      name: "MeshRuntime",
      dependencies: [
        "MeshCore", "FoldEngine", "AttentionKernels", "CheckpointFiles", "Checksums",
        "ElementTypes", "TensorFiles", "MeshJournal", "MeshWire", "ZeroMQ", "CSystem",
      ],
      swiftSettings: strict),
    // What operators look at: metrics, health and the dashboard, over HTTP.
    .target(
      name: "MeshHTTP",
      dependencies: [
        "MeshCore", "MeshRuntime", .product(name: "FlyingFox", package: "FlyingFox"),
        .product(name: "FlyingSocks", package: "FlyingFox"),
      ],
      swiftSettings: strict),
    .target(
      name: "MeshBench",
      dependencies: [
        "MeshRuntime", "MeshCore", "FoldEngine", "AttentionKernels", "Checksums", "ElementTypes",
        "TensorFiles", "MeshWire", "ZeroMQ",
      ],
      swiftSettings: strict),
    // Faults in real processes and on their connections.
    .target(
      name: "MeshChaos",
      dependencies: [
        "MeshBench", "MeshRuntime", "MeshCore", "AttentionKernels", "Checksums", "ElementTypes",
        "ZeroMQ", "CSystem",
      ],
      swiftSettings: strict),
    .executableTarget(
      name: "attnmesh",
      dependencies: [
        "MeshBench", "MeshChaos", "MeshHTTP", "MeshRuntime", "MeshSimulation", "MeshView",
        "MeshCore", "AttentionKernels", "CheckpointFiles", "ElementTypes", "TensorFiles", "ZeroMQ",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ],
      swiftSettings: strict),

    // Tests.
    .testTarget(
      name: "AttentionKernelsTests", dependencies: ["AttentionKernels"], swiftSettings: strict),
    .testTarget(
      name: "AttentionMasksTests", dependencies: ["AttentionMasks"], swiftSettings: strict),
    .testTarget(
      name: "TensorFilesTests", dependencies: ["TensorFiles", "ElementTypes"], swiftSettings: strict
    ),
    .testTarget(name: "ChecksumsTests", dependencies: ["Checksums"], swiftSettings: strict),
    .testTarget(
      name: "CheckpointFilesTests", dependencies: ["CheckpointFiles", "Checksums", "MeshCore"],
      swiftSettings: strict),
    .testTarget(name: "ZeroMQTests", dependencies: ["ZeroMQ"], swiftSettings: strict),
    .testTarget(
      name: "MeshCoreTests", dependencies: ["MeshCore", "Checksums", "ElementTypes"],
      swiftSettings: strict),
    .testTarget(
      name: "MeshSimulationTests",
      dependencies: [
        "MeshSimulation", "FoldEngine", "MeshCore", "AttentionKernels", "Checksums", "ElementTypes",
      ],
      swiftSettings: strict),
    .testTarget(
      name: "MeshIntegrationTests",
      dependencies: [
        "attnmesh", "MeshChaos", "MeshRuntime", "MeshCore", "AttentionKernels", "Checksums",
        "ElementTypes", "TensorFiles", "MeshWire", "ZeroMQ",
      ],
      exclude: ["Fixtures"], swiftSettings: strict),
    .testTarget(
      name: "MeshChaosTests",
      dependencies: ["attnmesh", "MeshChaos", "MeshCore", "MeshRuntime", "ZeroMQ"],
      swiftSettings: strict),
    .testTarget(
      name: "MeshViewTests", dependencies: ["MeshView", "MeshCore", "ElementTypes"],
      swiftSettings: strict),
    .testTarget(
      name: "MeshJournalTests", dependencies: ["MeshJournal"], swiftSettings: strict),
    .testTarget(
      name: "MeshRuntimeTests",
      dependencies: [
        "MeshRuntime", "MeshCore", "MeshJournal", "FoldEngine", "AttentionKernels", "Checksums",
        "ElementTypes", "ZeroMQ", "CSystem",
      ],
      swiftSettings: strict),
    .testTarget(
      name: "MeshWireTests", dependencies: ["Checksums", "ElementTypes", "MeshCore", "MeshWire"],
      swiftSettings: strict),
  ]
)
