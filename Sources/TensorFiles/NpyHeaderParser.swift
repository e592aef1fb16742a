/// Reads the Python dictionary in a .npy header: `descr`, `fortran_order` and `shape`, each once,
/// in any order. The grammar is flat, so nothing recurses.
struct NpyHeaderParser {
  /// The dictionary's three values.
  struct Dictionary {
    var description = ""
    var isFortranOrdered = false
    var shape: [Int] = []
  }

  private var cursor: ByteCursor
  private let path: String

  init(_ text: [UInt8], path: String) {
    cursor = ByteCursor(text)
    self.path = path
  }

  /// Parses the whole text, which may end in white space.
  mutating func parse() throws(TensorFileError) -> Dictionary {
    var result = Dictionary()
    var seen: [String] = []
    cursor.skipWhitespace()
    try expect("{")
    cursor.skipWhitespace()
    while !cursor.take("}") {
      let key = try takeString()
      if seen.contains(key) { throw malformed("has the key '\(printable(key))' twice") }
      seen.append(key)
      cursor.skipWhitespace()
      try expect(":")
      cursor.skipWhitespace()
      switch key {
      case "descr": result.description = try takeDescription()
      case "fortran_order": result.isFortranOrdered = try takeBoolean()
      case "shape": result.shape = try takeShape()
      default: throw malformed("has the unknown key '\(printable(key))'")
      }
      cursor.skipWhitespace()
      if cursor.take(",") {
        cursor.skipWhitespace()
      } else if cursor.next != UInt8(ascii: "}") {
        throw unexpected("',' or '}'")
      }
    }
    cursor.skipWhitespace()
    if cursor.next != nil { throw unexpected("its end") }
    for key in ["descr", "fortran_order", "shape"] where !seen.contains(key) {
      throw malformed("lacks the key '\(key)'")
    }
    return result
  }

  private mutating func takeDescription() throws(TensorFileError) -> String {
    if cursor.next == UInt8(ascii: "[") || cursor.next == UInt8(ascii: "(") {
      throw TensorFileError(
        .unsupported, path, "holds records (a structured dtype), not numbers",
        advice: "save one field, as array['field'].astype('<f4')")
    }
    return try takeString()
  }

  /// A string in single or double quotes. No key or dtype of a tensor needs an escape.
  private mutating func takeString() throws(TensorFileError) -> String {
    let quote: Unicode.Scalar = cursor.next == UInt8(ascii: "\"") ? "\"" : "'"
    guard cursor.take(quote) else { throw unexpected("a string") }
    var bytes: [UInt8] = []
    while !cursor.take(quote) {
      guard let byte = cursor.take(), byte >= 32, byte != UInt8(ascii: "\\") else {
        throw malformed("has a string with an escape, a line break or no end")
      }
      bytes.append(byte)
    }
    return String(decoding: bytes, as: UTF8.self)
  }

  private mutating func takeBoolean() throws(TensorFileError) -> Bool {
    switch cursor.takeWord() {
    case "True": return true
    case "False": return false
    default: throw unexpected("True or False")
    }
  }

  /// A tuple: `()`, `(3,)`, `(2, 3)`, `(2, 3,)`. `(3)` is a number to Python, and refused.
  private mutating func takeShape() throws(TensorFileError) -> [Int] {
    try expect("(")
    var shape: [Int] = []
    cursor.skipWhitespace()
    while !cursor.take(")") {
      let maximum = TensorFileLimits.rankMaximum
      if shape.count == maximum { throw malformed("has more than \(maximum) dimensions") }
      shape.append(try takeDimension())
      cursor.skipWhitespace()
      if cursor.take(",") {
        cursor.skipWhitespace()
      } else if shape.count == 1 || cursor.next != UInt8(ascii: ")") {
        throw unexpected("',' or ')'")
      }
    }
    return shape
  }

  private mutating func takeDimension() throws(TensorFileError) -> Int {
    do throws(ByteCursor.NumberFault) {
      let dimension = try cursor.takeWholeNumber()
      // numpy under Python 2 wrote some dimensions as long integers: `3L`.
      _ = cursor.take("L")
      return dimension
    } catch {
      switch error {
      case .missing: throw unexpected("a whole number")
      case .negative: throw malformed("has a negative dimension")
      case .overflow: throw malformed("has a dimension above 2^63 - 1")
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
    TensorFileError(.malformed, path, "its header \(what)", advice: "save it again with numpy.save")
  }
}
