import Glibc

/// .npy files that the writer would never write.
enum NpyFile {
  /// - Parameters:
  ///   - header: the dictionary, as it stands.
  ///   - dataBytes: zeros that follow.
  static func write(_ path: String, header: String, dataBytes: Int, version: UInt8 = 1) {
    var text = Array(header.utf8)
    text += [UInt8](repeating: 32, count: (64 - (text.count + 11) % 64) % 64) + [10]
    let length =
      version == 1
      ? [UInt8(text.count & 255), UInt8(text.count >> 8)]
      : (0..<4).map { UInt8(truncatingIfNeeded: text.count >> (8 * $0)) }
    write(
      path,
      [0x93] + Array("NUMPY".utf8) + [version, 0] + length + text
        + [UInt8](repeating: 0, count: dataBytes))
  }

  static func write(
    _ path: String, type: String = "<f4", order: String = "False", shape: [Int],
    elementBytes: Int = 4
  ) {
    let dimensions = shape.map { "\($0), " }.joined()
    write(
      path,
      header: "{'descr': '\(type)', 'fortran_order': \(order), 'shape': (\(dimensions)), }",
      dataBytes: shape.reduce(elementBytes, *))
  }

  static func write(_ path: String, _ bytes: [UInt8]) {
    let file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
    defer { close(file) }
    _ = Glibc.write(file, bytes, bytes.count)
  }
}
