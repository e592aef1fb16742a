internal import ElementTypes

extension SafetensorsHeader {
  /// The bytes before the data of a file that holds one tensor, padded with spaces so that the data
  /// begins at a multiple of 64. `byteCount` is the tensor's, in bytes.
  static func bytes(
    name: String, element: ElementType, shape: [Int], byteCount: Int
  ) -> [UInt8] {
    let type = SafetensorsType(element).rawValue
    let dimensions = shape.map { String($0) }.joined(separator: ",")
    var text = Array(
      ("{\(JSONString.literal(name)):{\"dtype\":\"\(type)\",\"shape\":[\(dimensions)],"
        + "\"data_offsets\":[0,\(byteCount)]}}").utf8)
    text += [UInt8](repeating: 32, count: (64 - (8 + text.count) % 64) % 64)
    return withUnsafeBytes(of: UInt64(text.count).littleEndian) { Array($0) } + text
  }
}
