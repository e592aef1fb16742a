/// Types of tensor elements, with their codes in files and on the wire.
@usableFromInline
package enum ElementType: UInt8, Sendable, CaseIterable {
  case float32 = 1
  case float16 = 2
  case bfloat16 = 3

  /// Bytes of one element.
  @_alwaysEmitIntoClient @inline(__always)
  package var byteCount: Int { self == .float32 ? 4 : 2 }
}
