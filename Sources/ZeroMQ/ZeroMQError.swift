internal import CZeroMQ
internal import Glibc

/// A call into libzmq or the system that failed for a reason the caller has to know.
package struct ZeroMQError: Error, Hashable {
  /// The `errno` of the failure; libzmq's own codes start at `ZMQ_HAUSNUMERO`.
  package let code: Int32

  /// The C function that failed.
  package let operation: String

  /// The endpoint it was about, if any.
  package let endpoint: String?

  package init(code: Int32, operation: String, endpoint: String? = nil) {
    self.code = code
    self.operation = operation
    self.endpoint = endpoint
  }

  /// The failure that libzmq has just reported on this thread.
  static func last(_ operation: String, endpoint: String? = nil) -> ZeroMQError {
    ZeroMQError(code: zmq_errno(), operation: operation, endpoint: endpoint)
  }
}

extension ZeroMQError: CustomStringConvertible {
  /// One line: the operation, its endpoint, the reason and its number.
  package var description: String {
    // zmq_strerror: never nil for any code.
    let reason = zmq_strerror(code).map { String(cString: $0) } ?? "unknown"
    let place = endpoint.map { " \($0)" } ?? ""
    return "\(operation)\(place): \(reason) (\(code))"
  }
}

/// Repeats a call as long as a signal interrupts it, and throws when it fails otherwise.
func check(
  _ operation: String, endpoint: String? = nil, _ call: () -> Int32
) throws(ZeroMQError) {
  while call() == -1 {
    let code = zmq_errno()
    if code != EINTR {
      throw ZeroMQError(code: code, operation: operation, endpoint: endpoint)
    }
  }
}
