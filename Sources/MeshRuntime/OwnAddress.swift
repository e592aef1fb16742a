internal import Foundation

/// How others reach this machine.
package enum OwnAddress {
  /// What others are told of an address that was bound. One that stands for all of this machine's
  /// addresses means nothing to them: they are told the machine's name, which they look up each time they
  /// connect, so that it may move to another address.
  package static func told(
    of bound: String, hostName: String = ProcessInfo.processInfo.hostName
  ) -> String {
    for wildcard in ["tcp://0.0.0.0:", "tcp://[::]:"] where bound.hasPrefix(wildcard) {
      return "tcp://\(hostName):\(bound.dropFirst(wildcard.count))"
    }
    return bound
  }
}
