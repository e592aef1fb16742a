/// A place in a chaos mesh. Its process may be killed and another started there.
package enum MeshMember: Hashable, Comparable, Sendable, CustomStringConvertible {
  case coordinator
  /// Numbers from 1.
  case worker(Int)

  package var description: String {
    switch self {
    case .coordinator: "coordinator"
    case .worker(let number): "w\(number)"
    }
  }

  /// The place of a worker by its name, which is that of its place, or of its place and ".2" for the
  /// second process there.
  package init?(workerName: String) {
    let digits = workerName.dropFirst().prefix { $0 != "." }
    guard workerName.first == "w", let number = Int(digits) else { return nil }
    self = .worker(number)
  }
}
