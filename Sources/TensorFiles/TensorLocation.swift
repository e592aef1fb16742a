/// Where a tensor is, as written on the command line: `x.npy`, `x.safetensors:name`, or
/// `x.safetensors` where the file holds one tensor.
package struct TensorLocation: Sendable, CustomStringConvertible {
  /// The file format, chosen by the path alone.
  package enum Format: Sendable {
    /// One numpy array.
    case npy
    /// One tensor of a safetensors file; nil means its only one.
    case safetensors(tensor: String?)
  }

  /// The path of the file.
  package let path: String
  /// The format, and which tensor of it.
  package let format: Format

  /// Parses a location. The first `.safetensors:` ends the path, so a tensor name may hold colons;
  /// a path that itself contains `.safetensors:` cannot be named.
  ///
  /// - Throws: `.location` where the text is empty, holds a NUL, has another extension or an empty
  ///   tensor name.
  package static func parse(_ text: String) throws(TensorFileError) -> TensorLocation {
    let bytes = Array(text.utf8)
    if bytes.isEmpty {
      throw TensorFileError(.location, "''", "an empty path names no tensor")
    }
    // The system would silently stop at a NUL and open some other file.
    if bytes.contains(0) {
      throw TensorFileError(.location, text, "a path cannot hold a NUL byte")
    }
    // By bytes, not Characters: a combining mark after the colon would hide it.
    let mark = Array(".safetensors".utf8)
    if let end = firstEnd(of: mark + [UInt8(ascii: ":")], in: bytes) {
      let name = String(decoding: bytes[end...], as: UTF8.self)
      if name.isEmpty {
        throw TensorFileError(
          .location, text, "the tensor name after the colon is empty",
          advice: "write FILE.safetensors:NAME")
      }
      let path = String(decoding: bytes[..<(end - 1)], as: UTF8.self)
      return TensorLocation(path: path, format: .safetensors(tensor: name))
    }
    if bytes.suffix(mark.count).elementsEqual(mark) {
      return TensorLocation(path: text, format: .safetensors(tensor: nil))
    }
    if bytes.suffix(4).elementsEqual(".npy".utf8) {
      return TensorLocation(path: text, format: .npy)
    }
    throw TensorFileError(
      .location, text, "not a tensor file by its name",
      advice: "use a path ending in .npy, or FILE.safetensors:NAME")
  }

  /// The location as it is written on the command line.
  package var description: String {
    switch format {
    case .npy, .safetensors(tensor: nil): path
    case .safetensors(let tensor?): "\(path):\(tensor)"
    }
  }

  /// The index after the first occurrence of a pattern.
  private static func firstEnd(of pattern: [UInt8], in bytes: [UInt8]) -> Int? {
    guard bytes.count >= pattern.count else { return nil }
    for start in 0...(bytes.count - pattern.count) {
      let end = start + pattern.count
      if bytes[start..<end].elementsEqual(pattern) { return end }
    }
    return nil
  }
}
