/// One tensor of a .safetensors header. Small, since there may be millions: its name and its shape stay
/// in the header's text.
struct SafetensorsEntry {
  let type: SafetensorsType
  private let isNameEscaped: Bool
  private let nameStart: UInt32
  private let nameEnd: UInt32
  /// Where its list of dimensions begins.
  private let shapeStart: UInt32
  /// Byte offsets within the data.
  let begin: Int
  let end: Int

  /// The name and the shape are those of a text shorter than 4 GiB.
  init(name: JSONString.Literal, type: SafetensorsType, shapeStart: Int, begin: Int, end: Int) {
    self.type = type
    isNameEscaped = name.isEscaped
    nameStart = UInt32(name.start)
    nameEnd = UInt32(name.end)
    self.shapeStart = UInt32(shapeStart)
    self.begin = begin
    self.end = end
  }

  /// The name's bytes: names may differ only in Unicode normalisation.
  func name(in text: [UInt8]) -> [UInt8] {
    let literal = JSONString.Literal(
      start: Int(nameStart), end: Int(nameEnd), isEscaped: isNameEscaped)
    return JSONString.bytes(of: literal, in: text)
  }

  /// Whether it has this name, without an allocation in the usual case.
  func isNamed(_ name: [UInt8], in text: [UInt8]) -> Bool {
    if isNameEscaped { return self.name(in: text) == name }
    return text[Int(nameStart)..<Int(nameEnd)].elementsEqual(name)
  }

  func shape(in text: [UInt8], path: String) throws(TensorFileError) -> [Int] {
    var parser = SafetensorsParser(text, path: path, at: Int(shapeStart))
    return try parser.takeShape()
  }
}
