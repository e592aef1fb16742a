import ElementTypes
import Foundation
import TensorFiles

/// A tensor in memory: element bytes in row-major order.
struct TensorData: Equatable {
  var element: ElementType
  var shape: [Int]
  var bytes: [UInt8]

  init(element: ElementType, shape: [Int], bytes: [UInt8]) {
    self.element = element
    self.shape = shape
    self.bytes = bytes
  }

  /// Rounds values to `element`.
  init(_ values: [Float], element: ElementType, shape: [Int]) {
    self.init(
      element: element, shape: shape,
      bytes: [UInt8](repeating: 0, count: values.count * element.byteCount))
    values.withUnsafeBufferPointer { floats in
      bytes.withUnsafeMutableBytes { element.encode(floats, into: $0) }
    }
  }

  init(reading location: String) throws {
    let file = try TensorFile(opening: location)
    self.init(
      element: file.element, shape: file.shape,
      bytes: [UInt8](repeating: 0, count: file.byteCount))
    try bytes.withUnsafeMutableBytes { try file.read(at: 0, into: $0) }
  }

  func write(to location: String) throws {
    let writer = try TensorWriter(TensorLocation.parse(location), element: element, shape: shape)
    try bytes.withUnsafeBytes { try writer.write(at: 0, bytes: $0) }
    try writer.commit()
  }

  var floats: [Float] {
    [Float](unsafeUninitializedCapacity: bytes.count / element.byteCount) { buffer, count in
      count = bytes.count / element.byteCount
      let target = UnsafeMutableBufferPointer(rebasing: buffer[..<count])
      bytes.withUnsafeBytes { element.decode($0, into: target) }
    }
  }

  /// The first `heads` heads, `tokens` tokens each; beyond its end the sequence begins again.
  func sliced(heads: Int, tokens: Int) -> TensorData {
    let row = shape[2] * element.byteCount
    var taken: [UInt8] = []
    taken.reserveCapacity(heads * tokens * row)
    for head in 0..<heads {
      var left = tokens
      while left > 0 {
        let count = min(left, shape[1])
        let start = head * shape[1] * row
        taken += bytes[start..<start + count * row]
        left -= count
      }
    }
    return TensorData(element: element, shape: [heads, tokens, shape[2]], bytes: taken)
  }
}

/// Query, key and value of one job.
struct JobTensors {
  var query: TensorData
  var key: TensorData
  var value: TensorData

  /// Real tensors of a language model: 9 query heads, 3 key/value heads, 3,001 tokens, d = 64.
  static func fixture(
    heads: Int = 9, keyHeads: Int = 3, tokens: Int = 3_001
  ) throws -> JobTensors {
    func read(_ name: String, _ heads: Int) throws -> TensorData {
      let directory = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
      let path = directory.deletingLastPathComponent().path + "/Fixtures/\(name).npy"
      return try TensorData(reading: path).sliced(heads: heads, tokens: tokens)
    }
    return JobTensors(
      query: try read("q", heads), key: try read("k", keyHeads), value: try read("v", keyHeads))
  }

  /// Writes the tensors and gives the flags that name them.
  func write(to scratch: Scratch, name: String = "", format: String = "npy") throws -> [String] {
    var flags: [String] = []
    for (flag, tensor) in [("query", query), ("key", key), ("value", value)] {
      let location = scratch.file("\(name)\(flag).\(format)")
      try tensor.write(to: location)
      flags += ["--\(flag)", location]
    }
    return flags
  }
}
