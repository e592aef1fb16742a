internal import FlyingSocks
internal import Glibc
package import MeshRuntime

/// Where HTTP is served: a numeric address or `localhost`, and a port.
package struct HTTPAddress: Hashable, Sendable, CustomStringConvertible {
  /// Without brackets.
  package let host: String
  /// 0 for any.
  package let port: UInt16

  package init(host: String, port: UInt16) {
    self.host = host
    self.port = port
  }

  /// - Parameter flag: what the user called it, for the error.
  package init(_ text: String, flag: String) throws(MeshError) {
    guard let colon = text.lastIndex(of: ":"), let port = UInt16(text[text.index(after: colon)...])
    else { throw Self.problem(text, flag) }
    var host = text[..<colon]
    if host.first == "[", host.last == "]" { host = host.dropFirst().dropLast() }
    self.init(host: host == "localhost" ? "127.0.0.1" : String(host), port: port)
    guard (try? family) != nil else { throw Self.problem(text, flag) }
  }

  private static func problem(_ text: String, _ flag: String) -> MeshError {
    MeshError(
      .badInput,
      "\(flag) \(text): it must be ADDR:PORT with a numeric address, such as 127.0.0.1:7702, or off"
    )
  }

  package var description: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }

  /// Whether only this machine can reach it.
  package var isLoopback: Bool { host.hasPrefix("127.") || host == "::1" }

  /// Where a client on this machine finds it.
  package var local: HTTPAddress {
    switch host {
    case "0.0.0.0": HTTPAddress(host: "127.0.0.1", port: port)
    case "::": HTTPAddress(host: "::1", port: port)
    default: self
    }
  }

  /// The address as the system takes it.
  var family: any SocketAddress {
    get throws {
      if host.contains(":") {
        return try sockaddr_in6.inet6(ip6: host, port: port)
      }
      return try sockaddr_in.inet(ip4: host, port: port)
    }
  }
}
