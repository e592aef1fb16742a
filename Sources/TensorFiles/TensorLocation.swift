internal import Glibc

/// Where a tensor is, as written on the command line: `x.npy`, `x.safetensors:name`, `x.safetensors`
/// where the file holds one tensor, or a pipe: `-` for standard input, `/dev/fd/63`, a FIFO.
package struct TensorLocation: Sendable, CustomStringConvertible {
  /// The file format, chosen by the path alone.
  package enum Format: Sendable {
    /// One numpy array.
    case npy
    /// One tensor of a safetensors file; nil means its only one.
    case safetensors(tensor: String?)
    /// What comes through a pipe, which has no extension: its first bytes tell the format.
    case piped(tensor: String?)
  }

  /// The path that means standard input.
  static let standardInput = "-"

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
    if let piped = pipe(text) { return piped }
    throw TensorFileError(
      .location, text, "not a tensor file by its name",
      advice: "use a path ending in .npy, or FILE.safetensors:NAME")
  }

  /// A pipe, by its name or by what is there; nil where it is none.
  private static func pipe(_ text: String) -> TensorLocation? {
    func isPipe(_ path: Substring) -> Bool {
      if path == standardInput || path == "/dev/stdin" || path.hasPrefix("/dev/fd/")
        || path.hasPrefix("/proc/self/fd/")
      {
        return true
      }
      var status = stat()
      return stat(String(path), &status) == 0 && status.st_mode & S_IFMT == S_IFIFO
    }
    if let colon = text.unicodeScalars.firstIndex(of: ":"), isPipe(text[..<colon]) {
      let name = String(text.unicodeScalars[text.unicodeScalars.index(after: colon)...])
      return TensorLocation(
        path: String(text[..<colon]), format: .piped(tensor: name.isEmpty ? nil : name))
    }
    return isPipe(text[...]) ? TensorLocation(path: text, format: .piped(tensor: nil)) : nil
  }

  /// Whether it can be read once only, so that two tensors can't come from it.
  package var isReadOnce: Bool {
    if path == Self.standardInput { return true }
    var status = stat()
    return stat(path, &status) == 0 && [S_IFIFO, S_IFSOCK].contains(status.st_mode & S_IFMT)
  }

  /// Whether both are the same place to read from.
  package func isSameFile(as other: TensorLocation) -> Bool {
    guard let mine = FileIdentity.Node(input: path), let its = FileIdentity.Node(input: other.path)
    else { return path == other.path }
    return mine == its
  }

  /// What people call the file.
  var fileName: String { path == Self.standardInput ? "standard input" : path }

  /// The same place, in the format that its first bytes tell.
  func resolved(by file: borrowing RegularFile) throws(TensorFileError) -> TensorLocation {
    guard case .piped(let name) = format else { return self }
    guard file.byteCount > 0 else { throw .nothingCame(through: fileName) }
    guard try Self.beginsLikeNpy(file) else {
      return TensorLocation(path: path, format: .safetensors(tensor: name))
    }
    guard let name else { return TensorLocation(path: path, format: .npy) }
    throw TensorFileError(
      .location, fileName, "is a .npy file, in which no tensor is called '\(printable(name))'")
  }

  static func beginsLikeNpy(_ file: borrowing RegularFile) throws(TensorFileError) -> Bool {
    let magic = NpyHeader.magic
    return try file.bytes(at: 0, count: min(magic.count, file.byteCount)) == magic
  }

  /// The location as it is written on the command line.
  package var description: String {
    switch format {
    case .npy, .safetensors(tensor: nil), .piped(tensor: nil): path
    case .safetensors(let tensor?), .piped(let tensor?): "\(path):\(tensor)"
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
