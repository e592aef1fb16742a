import Glibc
import Synchronization

/// What went wrong before a test could compare anything.
struct HarnessError: Error, CustomStringConvertible {
  let description: String
  init(_ description: String) { self.description = description }
}

/// Waits are bounded by this and by nothing else: a hang is a failure, slowness is not.
let watchdogSeconds = 120

/// How a connection ended.
enum Ending: Equatable {
  case closed
  case reset
}

/// A connection that blocks.
final class Connection: Sendable {
  let file: Int32

  init(file: Int32) {
    self.file = file
    var limit = timeval(tv_sec: watchdogSeconds, tv_usec: 0)
    setsockopt(file, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
  }

  /// Connects from a port that `announce` is told before the other side can see it.
  convenience init(to port: Int, announce: (Int) -> Void = { _ in }) throws {
    self.init(file: newSocket())
    _ = loopback(0) { bind(file, $0, $1) }
    announce(boundPort(file))
    guard loopback(port, { connect(file, $0, $1) }) == 0 else {
      throw HarnessError(errno == ECONNREFUSED ? "refused" : "connect: \(errno)")
    }
  }

  deinit { close(file) }

  func send(_ bytes: [UInt8]) throws {
    var done = 0
    while done < bytes.count {
      let sent = bytes.withUnsafeBytes {
        Glibc.send(
          file, $0.baseAddress?.advanced(by: done), bytes.count - done, Int32(MSG_NOSIGNAL))
      }
      guard sent > 0 else { throw HarnessError("send: \(errno)") }
      done += sent
    }
  }

  /// Says that nothing more will be sent.
  func finish() { shutdown(file, Int32(SHUT_WR)) }

  func receive(_ count: Int) throws -> [UInt8] {
    var bytes: [UInt8] = []
    while bytes.count < count {
      guard let more = try some(count - bytes.count) else {
        throw HarnessError("ended after \(bytes.count) of \(count) bytes")
      }
      bytes += more
    }
    return bytes
  }

  /// What comes until the end, and the end.
  func receiveEnd() throws -> (bytes: [UInt8], ending: Ending) {
    var bytes: [UInt8] = []
    do {
      while let more = try some(1 << 16) { bytes += more }
      return (bytes, .closed)
    } catch is Reset {
      return (bytes, .reset)
    }
  }

  private struct Reset: Error {}

  private func some(_ count: Int) throws -> [UInt8]? {
    var buffer = [UInt8](repeating: 0, count: count)
    let received = recv(file, &buffer, count, 0)
    if received < 0, errno == ECONNRESET { throw Reset() }
    guard received >= 0 else { throw HarnessError("waited in vain for \(count) bytes: \(errno)") }
    return received == 0 ? nil : Array(buffer[..<received])
  }
}

/// Takes connections; the test speaks for the other side.
final class Listener: Sendable {
  private let file: Int32
  let port: Int

  init() throws {
    let file = newSocket()
    self.file = file
    guard loopback(0, { bind(file, $0, $1) }) == 0, listen(file, 64) == 0 else {
      throw HarnessError("listen: \(errno)")
    }
    port = boundPort(file)
  }

  deinit { close(file) }

  func accept() throws -> Connection {
    var ready = pollfd(fd: file, events: Int16(POLLIN), revents: 0)
    guard poll(&ready, 1, Int32(watchdogSeconds * 1_000)) == 1 else {
      throw HarnessError("nobody connected")
    }
    return Connection(file: Glibc.accept(file, nil, nil))
  }

  /// Whether somebody connected whom nobody took yet.
  var isWaitedFor: Bool {
    var ready = pollfd(fd: file, events: Int16(POLLIN), revents: 0)
    return poll(&ready, 1, 0) == 1
  }
}

/// Asks again and again until it is so; fails when the watchdog barks.
func eventually(_ what: String, isTrue: () throws -> Bool) throws {
  let clock = ContinuousClock()
  let end = clock.now + .seconds(watchdogSeconds)
  while try !isTrue() {
    guard clock.now < end else { throw HarnessError("waited in vain for \(what)") }
    usleep(3_000)
  }
}

private func newSocket() -> Int32 {
  socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
}

private func boundPort(_ file: Int32) -> Int {
  var address = sockaddr_in()
  var size = socklen_t(MemoryLayout<sockaddr_in>.size)
  _ = withUnsafeMutablePointer(to: &address) {
    $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(file, $0, &size) }
  }
  return Int(in_port_t(bigEndian: address.sin_port))
}

private func loopback(
  _ port: Int, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Int32
) -> Int32 {
  var address = sockaddr_in()
  address.sin_family = sa_family_t(AF_INET)
  address.sin_port = in_port_t(port).bigEndian
  address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
  return withUnsafePointer(to: &address) {
    $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
      body($0, socklen_t(MemoryLayout<sockaddr_in>.size))
    }
  }
}
