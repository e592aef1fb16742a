/// Why a command ends early: one line for a person, and the exit code.
package struct MeshError: Error, CustomStringConvertible {
  /// Exit codes that scripts rely on.
  package enum Kind: Int32, Sendable {
    case jobFailed = 1
    case badInput = 2
    case unreachable = 3
    /// As of timeout(1).
    case timedOut = 124
    case interrupted = 130
  }

  package let kind: Kind
  package let message: String

  package init(_ kind: Kind, _ message: String) {
    self.kind = kind
    self.message = message
  }

  package var description: String { message }
}
