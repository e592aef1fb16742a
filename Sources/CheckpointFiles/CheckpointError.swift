internal import Glibc
package import MeshCore

/// Why a checkpoint could not be written or read, as one line for the event log.
package enum CheckpointError: Error, Sendable, Equatable, CustomStringConvertible {
  /// The disk, the quota or the allowed file size is used up.
  case noSpace(operation: String)
  /// The operating system refused, with this errno. What was to be written is not durable.
  case io(operation: String, code: Int32)
  /// The epoch is over: a checkpoint of a higher one exists, or the own file was removed. The
  /// highest epoch known here.
  case stale(Epoch)
  /// The stored bytes aren't the ones that were written.
  case corrupt(String)
  /// The file can't take this state: it would overwrite its newest one, or build upon one it hasn't got.
  case unfit(String)

  package var description: String {
    switch self {
    case .noSpace(let operation): "cannot \(operation): no space is left"
    case .io(let operation, let code): "cannot \(operation): \(String(cString: strerror(code)))"
    case .stale(let epoch): "this epoch is over; the highest known is \(epoch)"
    case .corrupt(let problem), .unfit(let problem): "\(problem)"
    }
  }

  /// A failed system call: the errno it left behind, and what was being done. The errno comes first
  /// so that it is read before anything else is evaluated, which might change it.
  static func system(_ code: Int32, _ operation: String) -> CheckpointError {
    switch code {
    case ENOSPC, EDQUOT, EFBIG: .noSpace(operation: operation)
    default: .io(operation: operation, code: code)
    }
  }
}
