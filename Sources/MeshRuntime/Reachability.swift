internal import Glibc
internal import MeshCore
internal import Synchronization
internal import ZeroMQ

/// What the system says about reaching an endpoint: libzmq tries again and again, and tells nobody why.
package enum Reachability: Hashable, Sendable {
  /// Somebody takes connections there.
  case open
  /// The machine is there, and nobody listens.
  case refused
  case unknownName
  /// No answer of any kind.
  case silent
  /// The system's reason.
  case failed(String)

  /// Tries once to connect. May take as long as `patience`, and a look-up of a name.
  package static func of(_ endpoint: Endpoint, patience: Duration = .seconds(1)) -> Reachability {
    let family: Int32
    switch endpoint.host {
    case .path(let path): return ofPath(path)
    case .name(let name):
      let candidates = [false, true].lazy.compactMap { isIPv6 in
        NameLookup.addresses(of: name, isIPv6: isIPv6).first.map { ($0, isIPv6) }
      }
      guard let (address, isIPv6) = candidates.first else { return .unknownName }
      let host: Endpoint.Host = isIPv6 ? .ipv6(address) : .ipv4(address)
      return of(Endpoint(host: host, port: endpoint.port), patience: patience)
    case .ipv4, .every(isIPv6: false): family = AF_INET
    case .ipv6, .every(isIPv6: true): family = AF_INET6
    }
    var hints = addrinfo()
    hints.ai_family = family
    hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
    hints.ai_flags = AI_NUMERICHOST
    var found: UnsafeMutablePointer<addrinfo>?
    let host = endpoint.local.hostText
    guard getaddrinfo(host, "\(endpoint.port ?? 0)", &hints, &found) == 0, let found else {
      return .unknownName
    }
    defer { freeaddrinfo(found) }
    return connect(
      family, found.pointee.ai_addr, found.pointee.ai_addrlen, patience: patience)
  }

  private static func ofPath(_ path: String) -> Reachability {
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    let bytes = Array(path.utf8)
    let isAbstract = bytes.first == UInt8(ascii: "@")
    guard bytes.count < MemoryLayout.size(ofValue: address.sun_path) else {
      return .failed("the path is too long")
    }
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
    if isAbstract { withUnsafeMutableBytes(of: &address.sun_path) { $0[0] = 0 } }
    let header = MemoryLayout<sockaddr_un>.size - MemoryLayout.size(ofValue: address.sun_path)
    let length = header + bytes.count + (isAbstract ? 0 : 1)
    return withUnsafePointer(to: &address) { address in
      address.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        connect(AF_UNIX, $0, socklen_t(length), patience: .zero)
      }
    }
  }

  private static func connect(
    _ family: Int32, _ address: UnsafePointer<sockaddr>, _ length: socklen_t, patience: Duration
  ) -> Reachability {
    let type = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_NONBLOCK.rawValue)
    let file = socket(family, type | Int32(SOCK_CLOEXEC.rawValue), 0)
    guard file >= 0 else { return .failed(String(cString: strerror(errno))) }
    defer { close(file) }
    if Glibc.connect(file, address, length) == 0 { return .open }
    guard errno == EINPROGRESS else { return after(errno) }
    var item = pollfd(fd: file, events: Int16(POLLOUT), revents: 0)
    let milliseconds = Int32(clamping: Int64(patience.seconds * 1_000))
    while poll(&item, 1, milliseconds) < 0 { guard errno == EINTR else { return .silent } }
    guard item.revents != 0 else { return .silent }
    var code: Int32 = 0
    var size = socklen_t(MemoryLayout<Int32>.size)
    getsockopt(file, SOL_SOCKET, SO_ERROR, &code, &size)
    return code == 0 ? .open : after(code)
  }

  private static func after(_ code: Int32) -> Reachability {
    switch code {
    case ECONNREFUSED, ENOENT: .refused
    case ETIMEDOUT: .silent
    case EAGAIN: .open
    default: .failed(String(cString: strerror(code)))
    }
  }

  /// Why no coordinator answers, and what to do next.
  package func explanation(of endpoint: Endpoint, hasKeys: Bool) -> String {
    switch self {
    case .refused:
      "nothing listens there; is `attnmesh coordinator` running, and is the address right?"
    case .unknownName: "the name \(endpoint.hostText) is not known on this machine"
    case .silent:
      "\(endpoint.hostText) gives no answer; is it up, and does a firewall let this through?"
    case .failed(let reason): "\(reason)"
    case .open:
      "something listens there, but doesn't answer as a coordinator"
        + (hasKeys ? "; is --coordinator-key the key that it has now?" : "; is it one?")
    }
  }
}

extension Endpoint {
  /// The host alone, as the system takes it.
  var hostText: String {
    switch host {
    case .every(let isIPv6): isIPv6 ? "::" : "0.0.0.0"
    case .ipv4(let address), .ipv6(let address), .name(let address), .path(let address): address
    }
  }
}

/// Looks on a thread of its own why an endpoint isn't reached: a name server may take its time.
package final class ReachabilityProbe: Sendable {
  private struct State {
    var isLooking = false
    var found: Reachability?
  }

  private let endpoint: Endpoint
  private let state = Mutex(State())

  package init(_ endpoint: Endpoint) { self.endpoint = endpoint }

  /// What was found last; nil before.
  package var found: Reachability? { state.withLock { $0.found } }

  package var isLooking: Bool { state.withLock { $0.isLooking } }

  /// Looks again, unless it does so already.
  package func look() {
    let begins = state.withLock { state in
      defer { state.isLooking = true }
      return !state.isLooking
    }
    guard begins else { return }
    let thread = try? DedicatedThread(name: "reach") { [self] in
      let found = Reachability.of(endpoint)
      state.withLock { $0 = State(isLooking: false, found: found) }
    }
    if thread == nil { state.withLock { $0.isLooking = false } }
  }
}
