internal import Foundation

/// Finds the process that has a connection, as `ss -p` does.
enum ConnectionOwner {
  /// The process among `candidates` whose connection comes from `port` of this machine; nil when none
  /// has it, or has it no more.
  static func process(withPort port: Int, among candidates: [pid_t]) -> pid_t? {
    guard let inode = inode(ofPort: port) else { return nil }
    let wanted = "socket:[\(inode)]"
    return candidates.first { process in
      let files = "/proc/\(process)/fd"
      return names(inDirectory: files).contains { link("\(files)/\($0)") == wanted }
    }
  }

  /// The inode of the socket that is connected from 127.0.0.1:`port`.
  private static func inode(ofPort port: Int) -> Substring? {
    let digits = String(port, radix: 16, uppercase: true)
    let local = "0100007F:" + String(repeating: "0", count: 4 - digits.count) + digits
    for line in contents(ofFile: "/proc/net/tcp").split(separator: "\n").dropFirst() {
      // Slot, local and remote address, state, queues, timer, retransmits, user, timeout, inode.
      let fields = line.split(separator: " ")
      // A listener has no remote port.
      if fields.count > 9, fields[1] == local, !fields[2].hasSuffix(":0000") { return fields[9] }
    }
    return nil
  }

  private static func link(_ path: String) -> String {
    var buffer = [CChar](repeating: 0, count: 64)
    let count = readlink(path, &buffer, buffer.count)
    return String(decoding: buffer.prefix(max(0, count)).map(UInt8.init), as: UTF8.self)
  }

  private static func names(inDirectory path: String) -> [String] {
    (try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []
  }
}
