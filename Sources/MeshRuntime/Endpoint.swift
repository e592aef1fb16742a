internal import Glibc
internal import ZeroMQ

/// The address of a socket as people give it: tcp://HOST:PORT, or ipc://PATH on this machine.
package struct Endpoint: Hashable, Sendable, CustomStringConvertible {
  package enum Host: Hashable, Sendable {
    /// All addresses of this machine: `*`, 0.0.0.0 or [::].
    case every(isIPv6: Bool)
    case ipv4(String)
    /// Without brackets.
    case ipv6(String)
    /// To be looked up.
    case name(String)
    /// Of a socket in the file system; it has no port.
    case path(String)
  }

  package let host: Host
  /// Nil for any that is free: `*` or 0.
  package var port: Int?

  /// - Parameter flag: what the user called it, for the error.
  package init(_ text: String, flag: String) throws(MeshError) {
    if text.hasPrefix("ipc://"), text.utf8.count > 6, !text.utf8.contains(0) {
      self.init(host: .path(String(text.dropFirst(6))), port: nil)
      return
    }
    func problem(_ why: String) -> MeshError { MeshError(.badInput, "\(flag) \(text): \(why)") }
    guard text.hasPrefix("tcp://"), let colon = text.lastIndex(of: ":"),
      colon > text.index(text.startIndex, offsetBy: 5)
    else { throw problem("it must be tcp://HOST:PORT") }
    let port = text[text.index(after: colon)...]
    let number = port == "*" ? 0 : Int(port)
    guard let number, (0...65_535).contains(number) else {
      throw problem("there is no port \(port); it must be tcp://HOST:PORT")
    }
    let host = text[text.index(text.startIndex, offsetBy: 6)..<colon]
    if host.contains(":"), host.first != "[" {
      throw problem("an IPv6 address goes in brackets, as in tcp://[::1]:\(port)")
    }
    guard let host = Self.host(host) else {
      throw problem("\(host) is no address and can't be a name; it must be tcp://HOST:PORT")
    }
    self.init(host: host, port: number == 0 ? nil : number)
  }

  package init(host: Host, port: Int?) {
    self.host = host
    self.port = port
  }

  private static func host(_ text: Substring) -> Host? {
    if text == "*" { return .every(isIPv6: false) }
    // What it means must not depend on which of its addresses is found first.
    if text == "localhost" { return .ipv4("127.0.0.1") }
    if text.first == "[" {
      guard text.last == "]" else { return nil }
      let address = String(text.dropFirst().dropLast())
      var binary = in6_addr()
      // A link-local address has the interface behind it: fe80::1%eth0.
      let bare = String(address.prefix { $0 != "%" })
      guard inet_pton(AF_INET6, bare, &binary) == 1 else { return nil }
      let isEvery = withUnsafeBytes(of: binary) { $0.allSatisfy { $0 == 0 } }
      return isEvery ? .every(isIPv6: true) : .ipv6(address)
    }
    var binary = in_addr()
    if inet_pton(AF_INET, String(text), &binary) == 1 {
      return binary.s_addr == 0 ? .every(isIPv6: false) : .ipv4(String(text))
    }
    func isNamePart(_ byte: UInt8) -> Bool {
      switch byte {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"),
        UInt8(ascii: "."):
        true
      default: false
      }
    }
    // Numbers and dots that are no address would be looked up as one all the same, or as none.
    guard !text.isEmpty, text.utf8.allSatisfy(isNamePart),
      !text.utf8.allSatisfy({ (0x30...0x39).contains($0) || $0 == UInt8(ascii: ".") })
    else { return nil }
    return .name(String(text))
  }

  package var description: String {
    let port = port.map(String.init) ?? "*"
    switch host {
    case .every(let isIPv6): return isIPv6 ? "tcp://[::]:\(port)" : "tcp://0.0.0.0:\(port)"
    case .ipv4(let address), .name(let address): return "tcp://\(address):\(port)"
    case .ipv6(let address): return "tcp://[\(address)]:\(port)"
    case .path(let path): return "ipc://\(path)"
    }
  }

  /// Whether only this machine reaches it.
  package var isLoopback: Bool {
    switch host {
    case .path: true
    case .ipv4(let address): address.hasPrefix("127.")
    case .ipv6(let address): address == "::1"
    // A name may begin like an address, and lead anywhere.
    case .every, .name: false
    }
  }

  /// Whether a socket that binds or connects to it has to speak IPv6.
  package var isIPv6: Bool {
    switch host {
    case .ipv6, .every(isIPv6: true): true
    case .every, .ipv4, .name, .path: false
    }
  }

  /// One port further: a coordinator's data socket stands beside its control socket.
  package var next: Endpoint { Endpoint(host: host, port: port.map { $0 + 1 }) }

  /// Where a process on this machine reaches a socket that is bound to this.
  package var local: Endpoint {
    guard case .every(let isIPv6) = host else { return self }
    return Endpoint(host: isIPv6 ? .ipv6("::1") : .ipv4("127.0.0.1"), port: port)
  }
}

// MARK: Use

extension Endpoint {
  /// The address to connect to.
  package func forConnecting(flag: String) throws(MeshError) -> Endpoint {
    if case .path = host { return self }
    guard port != nil else {
      throw MeshError(
        .badInput, "\(flag) \(self): nobody can be reached at any port; give the port")
    }
    return local
  }

  /// The address that others are told: one machine's.
  package func forTelling(flag: String) throws(MeshError) -> Endpoint {
    guard case .every = host else { return self }
    throw MeshError(
      .badInput,
      "\(flag) \(self): that is every address of a machine, and leads whoever is told it to itself; give"
        + " the one under which others reach this machine")
  }

  /// The address to bind. A name stands for the address of this machine that it is found to be, unless
  /// it is that of a network interface, which libzmq knows.
  package func forListening(flag: String) throws(MeshError) -> Endpoint {
    guard case .name(let name) = host, if_nametoindex(name) == 0 else { return self }
    for isIPv6 in [false, true] {
      if let address = NameLookup.addresses(of: name, isIPv6: isIPv6).first {
        return Endpoint(host: isIPv6 ? .ipv6(address) : .ipv4(address), port: port)
      }
    }
    throw MeshError(
      .badInput,
      "\(flag) \(self): the name \(name) is not known here; give an address or another name")
  }

  /// Whether a socket that connects to it has to speak IPv6. Names are looked up for that: their IPv4
  /// addresses are preferred, since whoever listens at every address listens there by default.
  package var needsIPv6: Bool {
    guard case .name(let name) = host else { return isIPv6 }
    return NameLookup.addresses(of: name, isIPv6: false).isEmpty
      && !NameLookup.addresses(of: name, isIPv6: true).isEmpty
  }

  /// What others are to be told where the port was chosen by the system.
  package func withPort(of bound: String) -> Endpoint {
    guard port == nil, let bound = try? Endpoint(bound, flag: "") else { return self }
    return Endpoint(host: host, port: bound.port)
  }
}

/// Names and the addresses they stand for.
enum NameLookup {
  /// Numeric addresses of a name; none when it isn't known. May take as long as a name server does.
  static func addresses(of name: String, isIPv6: Bool) -> [String] {
    var hints = addrinfo()
    hints.ai_family = isIPv6 ? AF_INET6 : AF_INET
    hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
    var found: UnsafeMutablePointer<addrinfo>?
    // getaddrinfo: 0, or EAI_NONAME, EAI_AGAIN and others.
    guard getaddrinfo(name, nil, &hints, &found) == 0 else { return [] }
    defer { freeaddrinfo(found) }
    var addresses: [String] = []
    var next = found
    while let entry = next?.pointee {
      var text = [CChar](repeating: 0, count: Int(NI_MAXHOST))
      let status = getnameinfo(
        entry.ai_addr, entry.ai_addrlen, &text, socklen_t(text.count), nil, 0, NI_NUMERICHOST)
      if status == 0 {
        addresses.append(
          text.withUnsafeBytes { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) })
      }
      next = entry.ai_next
    }
    return addresses
  }
}

extension ZeroMQError {
  /// Why an address can't be bound, and what to do about it.
  func bindProblem(_ flag: String) -> String {
    guard operation == "zmq_bind", let endpoint else { return description }
    switch code {
    case EADDRINUSE:
      return "\(endpoint) is in use by another program, maybe another coordinator or worker; give"
        + " \(flag) another address (`ss -ltnp` tells whose it is)"
    case EADDRNOTAVAIL, ENODEV:
      return "\(endpoint) is no address of this machine; give \(flag) one that `ip address` shows"
    case EACCES: return "\(endpoint) may not be used by this user; give \(flag) a port above 1023"
    default: return description
    }
  }
}
