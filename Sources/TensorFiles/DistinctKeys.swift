/// Finds a key that an object has twice, in memory and time that grow with the number of keys alone:
/// a header may have millions of them.
struct DistinctKeys {
  private struct Key {
    let hash: Int
    let start: UInt32
    let end: UInt32
    let isEscaped: Bool

    var literal: JSONString.Literal {
      JSONString.Literal(start: Int(start), end: Int(end), isEscaped: isEscaped)
    }
  }

  private var keys: [Key] = []

  /// Takes a key of a text, which is shorter than 4 GiB.
  mutating func add(_ literal: JSONString.Literal, bytes: [UInt8]) {
    var hasher = Hasher()
    bytes.withUnsafeBytes { hasher.combine(bytes: $0) }
    keys.append(
      Key(
        hash: hasher.finalize(), start: UInt32(literal.start), end: UInt32(literal.end),
        isEscaped: literal.isEscaped))
  }

  /// The bytes of a key that is there twice, escapes resolved; nil where there is none.
  consuming func firstDuplicate(in text: [UInt8]) -> [UInt8]? {
    keys.sort { $0.hash < $1.hash }
    for (index, key) in keys.enumerated() {
      var other = index + 1
      // Equal hashes are almost always equal keys.
      while other < keys.count, keys[other].hash == key.hash {
        let bytes = JSONString.bytes(of: key.literal, in: text)
        if JSONString.bytes(of: keys[other].literal, in: text) == bytes { return bytes }
        other += 1
      }
    }
    return nil
  }
}
