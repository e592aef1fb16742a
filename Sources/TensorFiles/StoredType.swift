package import ElementTypes

/// Numbers as a file has them: what they are, and in which order their bytes stand.
package struct StoredType: Hashable, Sendable {
  enum Kind { case boolean, signed, unsigned, floating, brain }

  let kind: Kind
  let byteCount: Int
  var isBigEndian = false

  /// The type of an element that is read without conversion.
  init(_ element: ElementType) {
    kind = element == .bfloat16 ? .brain : .floating
    byteCount = element.byteCount
  }

  init(_ kind: Kind, _ byteCount: Int) {
    self.kind = kind
    self.byteCount = byteCount
  }

  /// By numpy's `descr`, such as "<f4"; nil for what is no plain number of up to eight bytes.
  init?(numpy description: String) {
    let bytes = Array(description.utf8)
    guard bytes.count == 3, let order = bytes.first, (48...57).contains(bytes[2]) else {
      return nil
    }
    let kinds: [UInt8: Kind] = [
      UInt8(ascii: "b"): .boolean, UInt8(ascii: "i"): .signed, UInt8(ascii: "u"): .unsigned,
      UInt8(ascii: "f"): .floating,
    ]
    let count = Int(bytes[2]) - 48
    guard let kind = kinds[bytes[1]], [1, 2, 4, 8].contains(count), kind != .boolean || count == 1,
      kind != .floating || count > 1
    else { return nil }
    self.init(kind, count)
    switch order {
    // "=" is the order of the machine that wrote it, which is that of nearly all.
    case UInt8(ascii: "<"), UInt8(ascii: "="): break
    case UInt8(ascii: ">"): isBigEndian = count > 1
    case UInt8(ascii: "|") where count == 1: break
    default: return nil
    }
  }

  /// As what it is read; nil for what no attention is computed of.
  package var element: ElementType? {
    switch (kind, byteCount) {
    case (.floating, 2): .float16
    case (.floating, 4), (.floating, 8): .float32
    case (.brain, 2): .bfloat16
    default: nil
    }
  }

  /// Whether the bytes in the file are not those of `element`.
  package var needsConversion: Bool { isBigEndian || (kind == .floating && byteCount == 8) }

  /// As numpy calls it: "float32", "big-endian int64".
  package var name: String {
    let bits = byteCount * 8
    let name =
      switch kind {
      case .boolean: "bool"
      case .signed: "int\(bits)"
      case .unsigned: "uint\(bits)"
      case .floating: "float\(bits)"
      case .brain: "bfloat\(bits)"
      }
    return isBigEndian ? "big-endian \(name)" : name
  }
}
