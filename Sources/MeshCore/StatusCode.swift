/// Outcome of a call: gRPC's names and numbers.
package enum StatusCode: UInt8, Sendable, CaseIterable, Codable {
  case ok = 0
  case cancelled = 1
  case unknown = 2
  case invalidArgument = 3
  case deadlineExceeded = 4
  case notFound = 5
  case alreadyExists = 6
  case permissionDenied = 7
  case resourceExhausted = 8
  case failedPrecondition = 9
  case aborted = 10
  case outOfRange = 11
  case unimplemented = 12
  case `internal` = 13
  case unavailable = 14
  case dataLoss = 15
  case unauthenticated = 16
}

/// A call that was not done: gRPC's code and one line for a person.
package struct CallFailure: Error, Hashable, Sendable, CustomStringConvertible {
  package let code: StatusCode
  package let message: String

  package init(_ code: StatusCode, _ message: String) {
    self.code = code
    self.message = message
  }

  package var description: String { message }
}
