/// The floating-point types of tensors, in files and on the wire. Little-endian.
@usableFromInline
package enum ElementType: UInt8, Sendable, CaseIterable {
  case float32 = 1
  case float16 = 2
  case bfloat16 = 3

  @_alwaysEmitIntoClient @inline(__always)
  package var byteCount: Int { self == .float32 ? 4 : 2 }

  package var name: String {
    switch self {
    case .float32: "float32"
    case .float16: "float16"
    case .bfloat16: "bfloat16"
    }
  }

  /// The type with this `name`.
  package init?(name: String) {
    guard let match = Self.allCases.first(where: { $0.name == name }) else { return nil }
    self = match
  }
}
