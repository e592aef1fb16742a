/// Reads the JSON of a .safetensors header, and no other JSON: an object of tensor entries, with an
/// optional `__metadata__` object of strings. The grammar is flat, so nothing recurses.
struct SafetensorsParser {
  private var cursor: ByteCursor
  private let path: String

  init(_ text: [UInt8], path: String) {
    cursor = ByteCursor(text)
    self.path = path
  }

  /// Parses the whole text, which may be padded with spaces at its end.
  mutating func parse() throws(TensorFileError) -> [SafetensorsHeader.Entry] {
    var entries: [SafetensorsHeader.Entry] = []
    var keys: Set<[UInt8]> = []
    try expect("{")
    cursor.skipWhitespace()
    if !cursor.take("}") {
      repeat {
        let name = try takeKey(unlike: &keys)
        if name == Array("__metadata__".utf8) {
          try skipMetadata()
        } else if entries.count == SafetensorsHeader.tensorCountMaximum {
          throw malformed("names more than \(entries.count) tensors")
        } else {
          entries.append(try takeEntry(name: String(decoding: name, as: UTF8.self)))
        }
      } while try continues(until: "}")
    }
    while cursor.take(" ") {}
    if cursor.next != nil { throw unexpected("its end") }
    return entries
  }

  /// A tensor: exactly `dtype`, `shape` and `data_offsets`, in any order.
  private mutating func takeEntry(
    name: String
  ) throws(TensorFileError) -> SafetensorsHeader.Entry {
    var type: SafetensorsType?
    var shape: [Int]?
    var offsets: [Int]?
    var keys: Set<[UInt8]> = []
    try expect("{")
    cursor.skipWhitespace()
    if !cursor.take("}") {
      repeat {
        let key = try takeKey(unlike: &keys)
        switch String(decoding: key, as: UTF8.self) {
        case "dtype": type = try takeType()
        case "shape": shape = try takeNumbers(limit: rankMaximum, of: "dimensions")
        case "data_offsets": offsets = try takeNumbers(limit: 2, of: "data_offsets")
        case let key: throw malformed("has the unknown key '\(printable(key))'")
        }
      } while try continues(until: "}")
    }
    guard let type, let shape, let offsets, offsets.count == 2 else {
      throw malformed(
        "gives tensor '\(printable(name))' no dtype, no shape or not two data_offsets")
    }
    return SafetensorsHeader.Entry(
      name: name, type: type, shape: shape, begin: offsets[0], end: offsets[1])
  }

  private mutating func takeType() throws(TensorFileError) -> SafetensorsType {
    let name = String(decoding: try takeString(), as: UTF8.self)
    guard let type = SafetensorsType(rawValue: name) else {
      throw malformed("has the unknown dtype '\(printable(name))'")
    }
    return type
  }

  /// `__metadata__`: strings by string, which mean nothing here but must be well-formed.
  private mutating func skipMetadata() throws(TensorFileError) {
    var keys: Set<[UInt8]> = []
    try expect("{")
    cursor.skipWhitespace()
    if cursor.take("}") { return }
    repeat {
      _ = try takeKey(unlike: &keys)
      _ = try takeString()
    } while try continues(until: "}")
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

  /// A key and its colon. Keys are compared by their bytes after escapes are resolved.
  private mutating func takeKey(
    unlike keys: inout Set<[UInt8]>
  ) throws(TensorFileError) -> [UInt8] {
    let key = try takeString()
    guard keys.insert(key).inserted else {
      throw malformed("has the key '\(printable(String(decoding: key, as: UTF8.self)))' twice")
    }
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

  private mutating func takeString() throws(TensorFileError) -> [UInt8] {
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

  private func unexpected(_ wanted: String) -> TensorFileError {
    malformed("has something else where \(wanted) belongs (byte \(cursor.position))")
  }

  private func malformed(_ what: String) -> TensorFileError {
    TensorFileError(.malformed, path, "its header \(what)")
  }
}
