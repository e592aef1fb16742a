/// Why bytes are not a message. The receiver drops them, counts them and goes on.
package enum WireError: Error, Hashable, Sendable, CustomStringConvertible {
  /// A frame beyond its cap; nothing of it was read.
  case tooLarge(bytes: Int, limit: Int)
  /// Ends within a field.
  case truncated
  /// Not what protobuf or the strictness rules of the protocol allow.
  case malformed(String)
  case unknownVersion(Int)
  /// A frame without a body, or with one that this build doesn't know.
  case unknownKind
  case missingField(String)
  /// A number, name or shape that the protocol doesn't allow.
  case outOfRange(String)
  case checksumMismatch

  package var description: String {
    switch self {
    case .tooLarge(let bytes, let limit): "a frame of \(bytes) bytes; at most \(limit)"
    case .truncated: "the message ends too early"
    case .malformed(let reason): "malformed: \(reason)"
    case .unknownVersion(let version): "protocol version \(version) is not known"
    case .unknownKind: "a message of no known kind"
    case .missingField(let field): "\(field) is missing"
    case .outOfRange(let reason): "out of range: \(reason)"
    case .checksumMismatch: "the payload doesn't have its checksum"
    }
  }
}
