internal import ElementTypes

/// The header of a .safetensors file, checked as a whole: a file is refused for any fault in it,
/// also where the fault is in a tensor nobody asked for. Memory is a small multiple of its length.
struct SafetensorsHeader {
  /// Every tensor, in the order of its bytes in the file.
  let entries: [SafetensorsEntry]
  /// The JSON, in which names and shapes stand.
  private let text: [UInt8]
  private let path: String
  /// Byte offset of the data in the file.
  let dataOffset: Int
  /// Bytes of the data, by what the header says.
  let dataBytes: Int

  /// Reads and checks the header; `checkLength` is what remains to be done.
  ///
  /// - Throws: `.malformed` or `.system`, naming the file.
  init(of file: borrowing RegularFile) throws(TensorFileError) {
    path = file.path
    dataOffset = 8 + (try Self.textBytes(of: file))
    guard dataOffset <= file.byteCount else {
      throw TensorFileError(
        .malformed, path,
        "ends within its header: \(dataOffset) bytes expected, \(file.byteCount) found")
    }
    let text = try file.bytes(at: 8, count: dataOffset - 8)
    guard (try? UTF8Span(validating: text.span)) != nil else {
      throw TensorFileError(.malformed, path, "its header is not valid UTF-8")
    }
    self.text = text
    var parser = SafetensorsParser(text, path: path)
    var entries = try parser.parse()
    entries.sort { ($0.begin, $0.end) < ($1.begin, $1.end) }
    self.entries = entries
    dataBytes = entries.last?.end ?? 0
    try checkCoverage()
  }

  /// The length of the JSON, by the first eight bytes of the file.
  static func textBytes(of file: borrowing RegularFile) throws(TensorFileError) -> Int {
    let prefix = try file.bytes(at: 0, count: min(9, file.byteCount))
    guard prefix.count >= 8 else {
      throw try ForeignFile.refusal(
        of: file, expected: ".safetensors",
        otherwise: "is not a .safetensors file: it has \(file.byteCount) bytes")
    }
    let length = prefix[..<8].reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
    guard prefix.count > 8, prefix[8] == UInt8(ascii: "{") else {
      throw try ForeignFile.refusal(
        of: file, expected: ".safetensors",
        otherwise: "is not a .safetensors file: its header does not begin with {")
    }
    let maximum = TensorFileLimits.safetensorsHeaderBytesMaximum
    guard length <= UInt64(maximum) else {
      throw TensorFileError(
        .malformed, file.path,
        "its header claims \(length) bytes; the format allows at most \(maximum)")
    }
    return Int(length)
  }

  func name(of entry: SafetensorsEntry) -> String {
    String(decoding: entry.name(in: text), as: UTF8.self)
  }

  func shape(of entry: SafetensorsEntry) throws(TensorFileError) -> [Int] {
    try entry.shape(in: text, path: path)
  }

  /// The entry of the tensor asked for, or the only one.
  ///
  /// - Throws: `.location` with the names there are, where the choice is missing or unknown.
  func entry(named name: String?) throws(TensorFileError) -> SafetensorsEntry {
    entries[try index(named: name)]
  }

  /// Where that entry stands among all.
  func index(named name: String?) throws(TensorFileError) -> Int {
    let more = entries.count > 8 ? "`attnmesh inspect` lists all" : nil
    if let name {
      // By bytes: String equality would let two names differ only in Unicode normalisation.
      let bytes = Array(name.utf8)
      if let found = entries.firstIndex(where: { $0.isNamed(bytes, in: text) }) { return found }
      throw TensorFileError(
        .location, path, "has no tensor '\(printable(name))'; it holds \(names)", advice: more)
    }
    if entries.count == 1 { return 0 }
    throw TensorFileError(
      .location, path, "holds \(names)",
      advice: "choose one, as FILE.safetensors:NAME" + (more.map { "; \($0)" } ?? ""))
  }

  /// The names of the first eight tensors, and how many more there are.
  private var names: String {
    if entries.isEmpty { return "no tensors" }
    let shown = entries.prefix(8).map { "'\(printable(name(of: $0)))'" }.joined(separator: ", ")
    return entries.count > 8 ? "\(shown) and \(entries.count - 8) more" : shown
  }

  /// Checks that the tensors lie side by side from the first byte of the data.
  private func checkCoverage() throws(TensorFileError) {
    var covered = 0
    for entry in entries {
      guard entry.begin == covered else {
        let fault = entry.begin < covered ? "overlaps the one before it" : "leaves a hole before it"
        throw TensorFileError(
          .malformed, path,
          "tensor '\(printable(name(of: entry)))' \(fault): it begins at \(entry.begin), the data"
            + " so far ends at \(covered)")
      }
      covered = entry.end
    }
  }

  /// Checks that the file holds exactly the data that the header promises.
  func checkLength(of file: borrowing RegularFile) throws(TensorFileError) {
    let present = file.byteCount - dataOffset
    if dataBytes > present {
      throw TensorFileError(
        .malformed, path,
        "is cut short: its header promises \(dataBytes) bytes of data, \(present) are there",
        advice: "copy it again")
    }
    if dataBytes < present {
      throw TensorFileError(
        .malformed, path,
        "goes on after its data: its header promises \(dataBytes) bytes, \(present) are there")
    }
  }
}
