/// Reads the JSON of a .safetensors header, and no other JSON: an object of tensor entries, with an
/// optional `__metadata__` object of strings. The grammar is flat, so nothing recurses.
struct SafetensorsParser {
  private var cursor: ByteCursor
  private let text: [UInt8]
  private let path: String

  init(_ text: [UInt8], path: String, at position: Int = 0) {
    cursor = ByteCursor(text, at: position)
    self.text = text
    self.path = path
  }

  /// Parses the whole text, which may be padded with spaces at its end.
  mutating func parse() throws(TensorFileError) -> [SafetensorsEntry] {
    var entries: [SafetensorsEntry] = []
    var keys = DistinctKeys()
    try expect("{")
    cursor.skipWhitespace()
    if !cursor.take("}") {
      repeat {
        let literal = try takeKey()
        let name = JSONString.bytes(of: literal, in: text)
        keys.add(literal, bytes: name)
        if name.elementsEqual("__metadata__".utf8) {
          try skipMetadata()
        } else {
          entries.append(try takeEntry(literal, name: name))
        }
      } while try continues(until: "}")
    }
    while cursor.take(" ") {}
    if cursor.next != nil { throw unexpected("its end") }
    if let twice = keys.firstDuplicate(in: text) { throw duplicate(twice) }
    return entries
  }

  /// A tensor: exactly `dtype`, `shape` and `data_offsets`, in any order.
  private mutating func takeEntry(
    _ literal: JSONString.Literal, name: [UInt8]
  ) throws(TensorFileError) -> SafetensorsEntry {
    var type: SafetensorsType?
    var shape: (start: Int, dimensions: [Int])?
    var offsets: [Int]?
    try expect("{")
    cursor.skipWhitespace()
    if !cursor.take("}") {
      repeat {
        let key = JSONString.bytes(of: try takeKey(), in: text)
        switch String(decoding: key, as: UTF8.self) {
        case "dtype" where type == nil: type = try takeType()
        case "shape" where shape == nil: shape = (cursor.position, try takeShape())
        case "data_offsets" where offsets == nil:
          offsets = try takeNumbers(limit: 2, of: "data_offsets")
        case "dtype", "shape", "data_offsets": throw duplicate(key)
        case let key: throw malformed("has the unknown key '\(printable(key))'")
        }
      } while try continues(until: "}")
    }
    guard let type, let shape, let offsets, offsets.count == 2 else {
      throw malformed("gives \(quoted(name)) no dtype, no shape or not two data_offsets")
    }
    let entry = SafetensorsEntry(
      name: literal, type: type, shapeStart: shape.start, begin: offsets[0], end: offsets[1])
    try check(entry, shape.dimensions, name)
    return entry
  }

  /// Checks that an entry's bytes are those of its shape.
  private func check(
    _ entry: SafetensorsEntry, _ shape: [Int], _ name: [UInt8]
  ) throws(TensorFileError) {
    func fault(_ what: String) -> TensorFileError {
      TensorFileError(.malformed, path, "\(quoted(name)) \(what)")
    }
    guard entry.begin <= entry.end else {
      throw fault("ends (\(entry.end)) before it begins (\(entry.begin))")
    }
    guard let byteCount = entry.type.byteCount(ofShape: shape) else {
      throw fault("has a shape that no number of bytes can hold")
    }
    guard byteCount == entry.end - entry.begin else {
      throw fault(
        "has \(entry.end - entry.begin) bytes, its shape and dtype need \(byteCount)")
    }
  }

  private mutating func takeType() throws(TensorFileError) -> SafetensorsType {
    let name = String(decoding: JSONString.bytes(of: try takeString(), in: text), as: UTF8.self)
    guard let type = SafetensorsType(rawValue: name) else {
      throw malformed("has the unknown dtype '\(printable(name))'")
    }
    return type
  }

  /// `__metadata__`: strings by string, which mean nothing here but must be well-formed.
  private mutating func skipMetadata() throws(TensorFileError) {
    var keys = DistinctKeys()
    try expect("{")
    cursor.skipWhitespace()
    if cursor.take("}") { return }
    repeat {
      let key = try takeKey()
      keys.add(key, bytes: JSONString.bytes(of: key, in: text))
      _ = try takeString()
    } while try continues(until: "}")
    if let twice = keys.firstDuplicate(in: text) { throw duplicate(twice) }
  }

  mutating func takeShape() throws(TensorFileError) -> [Int] {
    try takeNumbers(limit: TensorFileLimits.rankMaximum, of: "dimensions")
  }

  private mutating func takeNumbers(
    limit: Int, of what: String
  ) throws(TensorFileError) -> [Int] {
    var numbers: [Int] = []
    try expect("[")
    cursor.skipWhitespace()
    if cursor.take("]") { return numbers }
    repeat {
      if numbers.count == limit { throw malformed("has more than \(limit) \(what)") }
      do throws(ByteCursor.NumberFault) {
        numbers.append(try cursor.takeWholeNumber())
      } catch {
        switch error {
        case .missing: throw unexpected("a whole number")
        case .negative: throw malformed("has a negative number in its \(what)")
        case .overflow: throw malformed("has a number above 2^63 - 1 in its \(what)")
        }
      }
    } while try continues(until: "]")
    return numbers
  }

  /// A key and its colon.
  private mutating func takeKey() throws(TensorFileError) -> JSONString.Literal {
    let key = try takeString()
    cursor.skipWhitespace()
    try expect(":")
    cursor.skipWhitespace()
    return key
  }

  /// After a member: true where a comma announces another, false at the end.
  private mutating func continues(until end: Unicode.Scalar) throws(TensorFileError) -> Bool {
    cursor.skipWhitespace()
    if cursor.take(end) { return false }
    guard cursor.take(",") else { throw unexpected("',' or '\(end)'") }
    cursor.skipWhitespace()
    return true
  }

  private mutating func takeString() throws(TensorFileError) -> JSONString.Literal {
    do throws(JSONString.Fault) {
      return try JSONString.take(from: &cursor)
    } catch {
      switch error {
      case .missing: throw unexpected("a string")
      case .malformed: throw malformed("has a string with a wrong escape, a line break or no end")
      }
    }
  }

  private mutating func expect(_ character: Unicode.Scalar) throws(TensorFileError) {
    guard cursor.take(character) else { throw unexpected("'\(character)'") }
  }

  private func quoted(_ name: [UInt8]) -> String {
    "tensor '\(printable(String(decoding: name, as: UTF8.self)))'"
  }

  private func duplicate(_ key: [UInt8]) -> TensorFileError {
    malformed("has the key '\(printable(String(decoding: key, as: UTF8.self)))' twice")
  }

  private func unexpected(_ wanted: String) -> TensorFileError {
    malformed("has something else where \(wanted) belongs (byte \(cursor.position))")
  }

  private func malformed(_ what: String) -> TensorFileError {
    TensorFileError(.malformed, path, "its header \(what)")
  }
}
