import ElementTypes
import Glibc
import TensorFiles
import Testing

/// A directory of its own for one test, removed with everything in it.
final class TemporaryDirectory {
  let path: String

  init() throws {
    var template = Array("/tmp/attnmesh-files-XXXXXX".utf8CString)
    let made = template.withUnsafeMutableBufferPointer { buffer in
      buffer.baseAddress.map { mkdtemp($0) != nil } ?? false
    }
    try #require(made, "no directory for the test")
    path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  deinit {
    for name in names { unlink("\(path)/\(name)") }
    rmdir(path)
  }

  /// Names of everything in the directory, sorted.
  var names: [String] {
    guard let stream = opendir(path) else { return [] }
    defer { closedir(stream) }
    var result: [String] = []
    while let entry = readdir(stream) {
      let name = withUnsafeBytes(of: entry.pointee.d_name) { bytes in
        String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
      }
      if name != "." && name != ".." { result.append(name) }
    }
    return result.sorted()
  }

  /// Writes a file and returns its path. `sparseByteCount` extends it with a hole.
  @discardableResult
  func write(
    _ bytes: [UInt8], as name: String, sparseByteCount: Int? = nil
  ) throws -> String {
    let file = "\(path)/\(name)"
    let descriptor = open(file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
    try #require(descriptor >= 0)
    defer { close(descriptor) }
    try #require(Glibc.write(descriptor, bytes, bytes.count) == bytes.count)
    if let sparseByteCount { try #require(ftruncate(descriptor, off_t(sparseByteCount)) == 0) }
    return file
  }
}

/// The bytes of a hexadecimal literal, white space ignored.
func hexadecimal(_ text: String) -> [UInt8] {
  let digits = text.compactMap { $0.hexDigitValue }
  return stride(from: 0, to: digits.count - 1, by: 2).map {
    UInt8(digits[$0] << 4 | digits[$0 + 1])
  }
}

/// A .npy file with any header text.
func npy(_ header: String, version: UInt8 = 1, data: Int = 0) -> [UInt8] {
  let text = Array(header.utf8)
  let width = version == 1 ? 2 : 4
  let length = (0..<width).map { UInt8(text.count >> (8 * $0) & 255) }
  return [0x93] + Array("NUMPY".utf8) + [version, 0] + length + text
    + [UInt8](repeating: 0, count: data)
}

/// A .npy header with the usual three keys.
func npyHeader(descr: String = "'<f4'", order: String = "False", shape: String) -> String {
  "{'descr': \(descr), 'fortran_order': \(order), 'shape': \(shape), }\n"
}

/// A .safetensors file with any header text.
func safetensors(_ header: String, data: Int = 0) -> [UInt8] {
  let text = Array(header.utf8)
  return (0..<8).map { UInt8(text.count >> (8 * $0) & 255) } + text
    + [UInt8](repeating: 0, count: data)
}

/// Everything in a tensor file, as bytes.
func contents(of file: TensorFile) throws -> [UInt8] {
  var bytes = [UInt8](repeating: 0xAA, count: file.byteCount)
  try bytes.withUnsafeMutableBytes { try file.read(at: 0, into: $0) }
  return bytes
}

/// The error of opening a location; nil where it opens.
func refusal(_ location: String) -> TensorFileError? {
  do throws(TensorFileError) {
    _ = try TensorFile(opening: location)
    return nil
  } catch {
    return error
  }
}

/// Checks that a location is refused in one line that holds every word.
func expectRefusal(
  _ location: String, _ kind: TensorFileError.Kind, _ words: String...,
  sourceLocation: SourceLocation = #_sourceLocation
) {
  guard let error = refusal(location) else {
    Issue.record("\(location) was accepted", sourceLocation: sourceLocation)
    return
  }
  #expect(error.kind == kind, "\(error)", sourceLocation: sourceLocation)
  let line = error.description
  #expect(!line.contains("\n"), sourceLocation: sourceLocation)
  for word in words {
    #expect(line.contains(word), "\(line)", sourceLocation: sourceLocation)
  }
}
