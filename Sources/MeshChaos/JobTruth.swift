internal import AttentionKernels
internal import Checksums
internal import Foundation
internal import MeshBench
internal import MeshCore
internal import MeshRuntime

/// SHA-256 of the two files of a result.
struct ResultDigests: Hashable, Sendable {
  var output: Digest
  var logSumExp: Digest

  /// Writes a result to two files in a directory and digests them.
  static func writing(
    to directory: String, shape: [Int],
    _ body: (borrowing ResultFiles) throws -> Void
  ) throws(MeshError) -> ResultDigests {
    let paths = ["\(directory)/output.npy", "\(directory)/lse.npy"]
    defer { for path in paths { unlink(path) } }
    let files = try ResultFiles(
      output: paths[0], element: .float32, logSumExp: paths[1], shape: shape)
    do {
      try body(files)
      try files.commit()
      return ResultDigests(output: try digest(paths[0]), logSumExp: try digest(paths[1]))
    } catch {
      throw error as? MeshError ?? MeshError(.jobFailed, "\(error)")
    }
  }

  private static func digest(_ path: String) throws -> Digest {
    let hasher = SHA256()
    let file = try FileHandle(forReadingFrom: URL(fileURLWithPath: path))
    defer { try? file.close() }
    while let bytes = try file.read(upToCount: 1 << 20), !bytes.isEmpty {
      bytes.withUnsafeBytes { hasher.update($0) }
    }
    return hasher.finish()
  }
}

/// Jobs' tensors and the results of undisturbed runs, made once for each shape. Belongs to one thread.
final class JobTruth {
  /// A job, and what it has to give.
  struct Known {
    let inputs: JobInputs
    let digests: ResultDigests
  }

  private let seed: UInt64
  private let directory: RunDirectory
  private var known: [JobShape: (tensors: BenchTensors, digests: ResultDigests)] = [:]

  init(seed: UInt64, directory: RunDirectory) {
    self.seed = seed
    self.directory = directory
  }

  func known(
    _ shape: JobShape, vranks: Int, isCancelled: () -> Bool
  ) throws(MeshError) -> Known {
    if let (tensors, digests) = known[shape] {
      return Known(inputs: try tensors.inputs(mask: shape.mask, vranks: vranks), digests: digests)
    }
    let tensors = try BenchTensors(shape.tensors, seed: seed, in: directory.path)
    let inputs = try tensors.inputs(mask: shape.mask)
    let digests = try ResultDigests.writing(to: directory.path, shape: inputs.shape) { files in
      let run = try InProcessAttention(
        inputs: inputs, kernel: AttentionKernel(level: try KernelLevel.chosen()), threads: 2)
      _ = try run.run(into: files, progress: { _, _ in }, isCancelled: isCancelled)
    }
    known[shape] = (tensors, digests)
    return try known(shape, vranks: vranks, isCancelled: isCancelled)
  }
}
