/// Why a command ends early: one line for a person, and the exit code.
package struct MeshError: Error, CustomStringConvertible {
  package enum Kind: Sendable {
    case jobFailed
    case badInput
    /// The mesh hasn't the disk, the memory or the places that it would take.
    case noRoom
    case unreachable
    case timedOut
    case interrupted

    /// Scripts rely on it.
    package var exitCode: Int32 {
      switch self {
      case .jobFailed: 1
      case .badInput, .noRoom: 2
      case .unreachable: 3
      // As of timeout(1).
      case .timedOut: 124
      case .interrupted: 130
      }
    }
  }

  package let kind: Kind
  package let message: String

  package init(_ kind: Kind, _ message: String) {
    self.kind = kind
    self.message = message
  }

  package var description: String { message }
}
