extension TruthFile {
  /// Writes truth values, row-major, as a .npy file of bool that appears whole or not at all.
  ///
  /// - Throws: as `TensorWriter` where the file can't be written.
  /// - Precondition: `shape` is of as many values.
  package static func write(
    _ values: [Bool], shape: [Int], to path: String
  ) throws(TensorFileError) {
    precondition(shape.reduce(1, *) == values.count, "\(values.count) values, shape \(shape)")
    let file = try OutputFile(path: path)
    let bytes = NpyHeader.bytes(description: "|b1", shape: shape) + values.map { $0 ? 1 : 0 }
    try file.write(at: 0, bytes)
    try file.commit()
  }
}
