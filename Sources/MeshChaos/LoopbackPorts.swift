internal import Glibc
package import MeshRuntime

/// Ports for processes that are killed and started again under the same address.
package struct LoopbackPorts {
  private var next: Int
  private let end: Int

  /// Below the ports that the kernel gives to connections: one of those could be taken while its
  /// owner is dead, even by somebody who connects to that very port and so reaches himself.
  package init() {
    let range = contents(ofFile: "/proc/sys/net/ipv4/ip_local_port_range")
    let lowest = range.split(whereSeparator: \.isWhitespace).first.flatMap { Int($0) } ?? 32_768
    end = max(lowest, 12_000)
    // Runs side by side begin at different places.
    next = 10_000 + Int(getpid()) * 61 % max(1, end - 11_000)
  }

  /// Takes ports in a row that nobody listens on.
  ///
  /// - Returns: the first of them.
  package mutating func take(_ count: Int) throws(MeshError) -> Int {
    while next + count <= end {
      let first = next
      next += count
      if (first..<first + count).allSatisfy(Self.isFree) { return first }
    }
    throw MeshError(.jobFailed, "no free ports below \(end)")
  }

  private static func isFree(_ port: Int) -> Bool {
    guard let file = try? LoopbackSocket.bound(to: port) else { return false }
    defer { close(file) }
    return LoopbackSocket.listen(file)
  }
}

/// A small file, such as those of /proc; empty when it can't be read.
func contents(ofFile path: String) -> String {
  let file = open(path, O_RDONLY | O_CLOEXEC)
  guard file >= 0 else { return "" }
  defer { close(file) }
  var all: [UInt8] = []
  var buffer = [UInt8](repeating: 0, count: 1 << 14)
  while case let count = read(file, &buffer, buffer.count), count > 0 { all += buffer[..<count] }
  return String(decoding: all, as: UTF8.self)
}
