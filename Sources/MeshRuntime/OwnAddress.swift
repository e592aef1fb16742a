internal import Foundation

/// How others reach this machine.
package enum OwnAddress {
  /// What others are told of an address that was bound. One that stands for all of this machine's
  /// addresses means nothing to them: they are told the machine's name, which they look up each time they
  /// connect, so that it may move to another address. A name that isn't known even here, or only as
  /// that of this machine for itself, is no use to them: then they are told the address itself.
  package static func told(
    of bound: String, hostName: String = ProcessInfo.processInfo.hostName
  ) -> String {
    guard let endpoint = try? Endpoint(bound, flag: ""), case .every(let isIPv6) = endpoint.host,
      let port = endpoint.port
    else { return bound }
    let known = [false, isIPv6].contains { isIPv6 in
      NameLookup.addresses(of: hostName, isIPv6: isIPv6).contains {
        !$0.hasPrefix("127.") && $0 != "::1"
      }
    }
    if !known, let address = interfaceAddress(isIPv6: isIPv6) {
      return "\(Endpoint(host: address, port: port))"
    }
    return "tcp://\(hostName):\(port)"
  }

  /// The first address of an interface that leads to other machines.
  private static func interfaceAddress(isIPv6: Bool) -> Endpoint.Host? {
    var list: UnsafeMutablePointer<ifaddrs>?
    // getifaddrs: 0, or -1.
    guard getifaddrs(&list) == 0 else { return nil }
    defer { freeifaddrs(list) }
    var found: Endpoint.Host?
    var next = list
    while let entry = next?.pointee {
      next = entry.ifa_next
      let flags = Int32(bitPattern: entry.ifa_flags)
      guard let address = entry.ifa_addr, flags & Int32(IFF_UP) != 0,
        flags & Int32(IFF_LOOPBACK) == 0
      else { continue }
      let family = Int32(address.pointee.sa_family)
      let length =
        family == AF_INET6 ? MemoryLayout<sockaddr_in6>.size : MemoryLayout<sockaddr_in>.size
      guard family == AF_INET || (isIPv6 && family == AF_INET6) else { continue }
      var text = [CChar](repeating: 0, count: Int(NI_MAXHOST))
      guard
        getnameinfo(
          address, socklen_t(length), &text, socklen_t(text.count), nil, 0, NI_NUMERICHOST) == 0
      else { continue }
      let numeric = text.withUnsafeBytes { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
      if family == AF_INET { return .ipv4(numeric) }
      // One that holds on one link only needs an interface of the other machine.
      if !numeric.hasPrefix("fe80:"), found == nil { found = .ipv6(numeric) }
    }
    return found
  }
}
