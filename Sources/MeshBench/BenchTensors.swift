internal import ElementTypes
internal import Foundation
package import MeshCore
package import MeshRuntime
internal import TensorFiles

/// Query, key and value files of a benchmark, in a directory that goes with this value.
package final class BenchTensors: Sendable {
  /// Heads and tokens of generated tensors; float16, as models keep theirs.
  package struct Shape: Sendable {
    package var queryHeads: Int
    package var keyHeads: Int
    package var tokens: Int
    package var headDimension: Int

    package init(queryHeads: Int, keyHeads: Int, tokens: Int, headDimension: Int) {
      self.queryHeads = queryHeads
      self.keyHeads = keyHeads
      self.tokens = tokens
      self.headDimension = headDimension
    }
  }

  private let directory: String

  /// - Parameter parent: an existing directory; nil for that of temporary files.
  private init(in parent: String? = nil) throws(MeshError) {
    let parent = parent ?? FileManager.default.temporaryDirectory.path
    var template = Array("\(parent)/attnmesh-bench-XXXXXX".utf8CString)
    guard mkdtemp(&template) != nil else {
      throw MeshError(.badInput, "\(parent): \(String(cString: strerror(errno)))")
    }
    directory = template.withUnsafeBytes { String(decoding: $0.dropLast(), as: UTF8.self) }
  }

  deinit { try? FileManager.default.removeItem(atPath: directory) }

  /// Tensors from one seed. Queries are spread three times as far as keys, so that some logits
  /// matter more than others, as in a model.
  package convenience init(
    _ shape: Shape, seed: UInt64, in parent: String? = nil
  ) throws(MeshError) {
    try self.init(in: parent)
    var random = SplitMix64(seed: seed)
    for (name, heads, spread) in [
      ("q", shape.queryHeads, Float(3)), ("k", shape.keyHeads, 1), ("v", shape.keyHeads, 1),
    ] {
      let dimensions = [heads, shape.tokens, shape.headDimension]
      let floats = (0..<dimensions.reduce(1, *)).map { _ in random.normal() * spread }
      let bytes = UnsafeMutableRawBufferPointer.allocate(byteCount: floats.count * 2, alignment: 64)
      defer { bytes.deallocate() }
      floats.withUnsafeBufferPointer { ElementType.float16.encode($0, into: bytes) }
      try write(name, dimensions, .float16) { (writer) throws(TensorFileError) in
        try writer.write(at: 0, bytes: UnsafeRawBufferPointer(bytes))
      }
    }
  }

  /// Files [heads, tokens, d], cut or repeated along their tokens to `tokens` of them.
  package convenience init(
    repeating query: String, _ key: String, _ value: String, tokens: Int
  ) throws(MeshError) {
    try self.init()
    for (name, path) in [("q", query), ("k", key), ("v", value)] {
      let file = try Self.reading { () throws(TensorFileError) in
        try TensorFile(TensorLocation.parse(path))
      }
      guard file.shape.count == 3 else {
        throw MeshError(.badInput, "\(path): shape \(file.shape); it must be [heads, tokens, d]")
      }
      try repeatTokens(of: file, tokens: tokens, as: name)
    }
  }

  private func repeatTokens(
    of file: TensorFile, tokens: Int, as name: String
  ) throws(MeshError) {
    let rowBytes = file.shape[2] * file.element.byteCount
    let (have, want) = (file.shape[1] * rowBytes, tokens * rowBytes)
    let head = UnsafeMutableRawBufferPointer.allocate(byteCount: have, alignment: 64)
    defer { head.deallocate() }
    try write(name, [file.shape[0], tokens, file.shape[2]], file.element) {
      (writer) throws(TensorFileError) in
      for index in 0..<file.shape[0] {
        try file.read(at: index * have, into: head)
        for start in stride(from: 0, to: want, by: have) {
          let part = head[..<min(have, want - start)]
          try writer.write(
            at: index * want + start, bytes: UnsafeRawBufferPointer(rebasing: part))
        }
      }
    }
  }

  private func write(
    _ name: String, _ shape: [Int], _ element: ElementType,
    _ body: (borrowing TensorWriter) throws(TensorFileError) -> Void
  ) throws(MeshError) {
    let path = path(name)
    try Self.reading { () throws(TensorFileError) in
      let writer = try TensorWriter(TensorLocation.parse(path), element: element, shape: shape)
      try body(writer)
      try writer.commit()
    }
  }

  private static func reading<Result>(
    _ body: () throws(TensorFileError) -> Result
  ) throws(MeshError) -> Result {
    do throws(TensorFileError) {
      return try body()
    } catch {
      throw MeshError(.badInput, error.description)
    }
  }

  private func path(_ name: String) -> String { "\(directory)/\(name).npy" }

  /// Where a benchmark may put a result: gone with the tensors.
  package var scratchPath: String { path("o") }

  /// Where a benchmark may let a process leave its report.
  var reportPath: String { "\(directory)/report.json" }

  /// The tensors as flags of a process that computes the same job.
  func flags(mask: MaskRule) -> [String] {
    [
      "--query", path("q"), "--key", path("k"), "--value", path("v"), "--output", scratchPath,
      "--mask", mask.name,
    ]
  }

  /// The tensors as a job, with the scale 1/√d.
  ///
  /// - Parameter blockMap: a file of the blocks that `mask` has.
  package func inputs(
    mask: MaskRule, blockMap: String? = nil, layout: Layout? = nil, vranks: Int = 0
  ) throws(MeshError) -> JobInputs {
    try JobInputs(
      query: path("q"), key: path("k"), value: path("v"),
      options: JobInputs.Options(
        mask: mask, blockMap: blockMap, scale: nil, layout: layout, precision: .float32,
        vranks: vranks))
  }

  /// Writes a block map of one row of blocks, for all queries and heads, beside the tensors.
  func blockMap(_ columns: [Bool]) throws(MeshError) -> String {
    let path = path("map")
    try Self.reading { () throws(TensorFileError) in
      try TruthFile.write(columns, shape: [1, columns.count], to: path)
    }
    return path
  }
}

extension SplitMix64 {
  /// A number from N(0, 1), near enough: the sum of twelve uniform ones (Irwin and Hall) less six.
  mutating func normal() -> Float {
    var sum: Float = 0
    for _ in 0..<3 {
      let bits = next()
      for shift in stride(from: UInt64(0), to: 64, by: 16) {
        sum += Float((bits >> shift) & 0xFFFF) * 0x1p-16
      }
    }
    return sum - 6
  }
}
