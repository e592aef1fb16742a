internal import ElementTypes

/// The header of a .safetensors file, checked as a whole: a file is refused for any fault in it,
/// also where the fault is in a tensor nobody asked for.
struct SafetensorsHeader {
  /// Longest JSON header accepted; the format itself allows 100 MB.
  static let byteCountMaximum = 1 << 20
  /// Most tensors accepted in one file.
  static let tensorCountMaximum = 4096

  /// One tensor's entry. `begin` and `end` are byte offsets within the data.
  struct Entry {
    let name: String
    let type: SafetensorsType
    let shape: [Int]
    let begin: Int
    let end: Int
  }

  /// Every tensor, in the order of its bytes in the file.
  let entries: [Entry]
  /// Byte offset of the data in the file.
  let dataOffset: Int

  /// Reads and checks the header.
  ///
  /// - Throws: `.malformed` or `.system`, naming the file.
  init(of file: borrowing RegularFile) throws(TensorFileError) {
    let path = file.path
    guard file.byteCount >= 8 else {
      throw TensorFileError(
        .malformed, path, "is not a .safetensors file: it has \(file.byteCount) bytes")
    }
    let prefix = try file.bytes(at: 0, count: 8)
    let length = prefix.reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
    guard length <= UInt64(SafetensorsHeader.byteCountMaximum) else {
      throw TensorFileError(
        .malformed, path,
        "its header claims \(length) bytes; at most \(SafetensorsHeader.byteCountMaximum) are read")
    }
    dataOffset = 8 + Int(length)
    guard dataOffset <= file.byteCount else {
      throw TensorFileError(
        .malformed, path,
        "ends within its header: \(dataOffset) bytes expected, \(file.byteCount) found")
    }
    let text = try file.bytes(at: 8, count: Int(length))
    guard text.first == UInt8(ascii: "{") else {
      throw TensorFileError(
        .malformed, path, "is not a .safetensors file: its header does not begin with {")
    }
    guard String(validating: text, as: UTF8.self) != nil else {
      throw TensorFileError(.malformed, path, "its header is not valid UTF-8")
    }
    var parser = SafetensorsParser(text, path: path)
    let parsed = try parser.parse()
    entries = parsed.sorted { ($0.begin, $0.end) < ($1.begin, $1.end) }
    try checkCoverage(of: file)
  }

  /// The entry of the tensor asked for, or the only one.
  ///
  /// - Throws: `.location` with the names there are, where the choice is missing or unknown.
  func entry(named name: String?, path: String) throws(TensorFileError) -> Entry {
    if let name {
      // By bytes: String equality would let two names differ only in Unicode normalisation.
      if let entry = entries.first(where: { $0.name.utf8.elementsEqual(name.utf8) }) {
        return entry
      }
      throw TensorFileError(
        .location, path, "has no tensor '\(printable(name))'; it holds \(names)")
    }
    if entries.count == 1 { return entries[0] }
    throw TensorFileError(
      .location, path, "holds \(names)", advice: "choose one, as FILE.safetensors:NAME")
  }

  /// The names of the first eight tensors, and how many more there are.
  private var names: String {
    if entries.isEmpty { return "no tensors" }
    let shown = entries.prefix(8).map { "'\(printable($0.name))'" }.joined(separator: ", ")
    return entries.count > 8 ? "\(shown) and \(entries.count - 8) more" : shown
  }

  /// Checks that the tensors cover the data from its first byte to its last, side by side.
  private func checkCoverage(of file: borrowing RegularFile) throws(TensorFileError) {
    var covered = 0
    for entry in entries {
      let name = "tensor '\(printable(entry.name))'"
      guard entry.begin <= entry.end else {
        throw TensorFileError(
          .malformed, file.path, "\(name) ends (\(entry.end)) before it begins (\(entry.begin))")
      }
      guard entry.begin == covered else {
        let fault = entry.begin < covered ? "overlaps the one before it" : "leaves a hole before it"
        throw TensorFileError(
          .malformed, file.path,
          "\(name) \(fault): it begins at \(entry.begin), the data so far ends at \(covered)")
      }
      guard let byteCount = entry.type.byteCount(ofShape: entry.shape) else {
        throw TensorFileError(
          .malformed, file.path, "\(name) has a shape that no number of bytes can hold")
      }
      guard byteCount == entry.end - entry.begin else {
        throw TensorFileError(
          .malformed, file.path,
          "\(name) has \(entry.end - entry.begin) bytes, its shape and dtype need \(byteCount)")
      }
      covered = entry.end
    }
    let present = file.byteCount - dataOffset
    if covered > present {
      throw TensorFileError(
        .malformed, file.path,
        "is cut short: its header promises \(covered) bytes of data, \(present) are there",
        advice: "copy it again")
    }
    if covered < present {
      throw TensorFileError(
        .malformed, file.path,
        "goes on after its data: its header promises \(covered) bytes, \(present) are there")
    }
  }
}
