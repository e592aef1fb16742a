extension NpyHeader {
  /// The bytes before the data of a version 1.0 file, padded to a multiple of 64 as numpy does.
  /// The description is numpy's, the shape has at most `TensorFileLimits.rankMaximum` dimensions.
  static func bytes(description: String, shape: [Int]) -> [UInt8] {
    let dimensions = shape.map { String($0) }.joined(separator: ", ")
    let tuple = shape.count == 1 ? "(\(dimensions),)" : "(\(dimensions))"
    var text = Array(
      "{'descr': '\(description)', 'fortran_order': False, 'shape': \(tuple), }".utf8)
    let unpadded = magic.count + 4 + text.count + 1
    text += [UInt8](repeating: 32, count: (64 - unpadded % 64) % 64)
    text.append(10)
    return magic + [1, 0, UInt8(text.count & 255), UInt8(text.count >> 8)] + text
  }
}
