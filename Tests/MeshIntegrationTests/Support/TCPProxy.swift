import Glibc
import MeshChaos
import Synchronization

/// Passes TCP connections on to another port of this machine, until it is told to stop copying or
/// to cut them.
final class TCPProxy: Sendable {
  private enum Mode { case copying, stalled, cut }

  let port: Int
  private let target: Int
  private let listener: Int32
  private let mode = Mutex(Mode.copying)
  private let isClosed = Atomic<Bool>(false)

  /// - Parameters:
  ///   - target: port to connect to.
  ///   - port: where to listen; 0 for any.
  init(to target: Int, port wanted: Int = 0) throws {
    self.target = target
    let listener = newSocket()
    var yes: Int32 = 1
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, 4)
    guard loopback(wanted, { bind(listener, $0, $1) }) == 0, listen(listener, 64) == 0 else {
      throw HarnessError("no proxy: \(errno)")
    }
    self.listener = listener
    port = boundPort(listener)
    Thread.detach { self.accept() }
  }

  var endpoint: String { "tcp://127.0.0.1:\(port)" }

  /// Keeps the connections open and passes nothing on: a network that swallows everything.
  func stall() { mode.withLock { $0 = .stalled } }

  /// Passes on again, what came in the meantime too.
  func resume() { mode.withLock { $0 = .copying } }

  /// Ends all connections, and takes no others.
  func cut() { mode.withLock { $0 = .cut } }

  func close() { isClosed.store(true, ordering: .relaxed) }

  private static let ports = Mutex(LoopbackPorts())

  /// A port that is free, and so are the next ones. None that a connection could be given meanwhile.
  static func freePort(beside more: Int = 0) throws -> Int {
    try ports.withLock { try $0.take(1 + more) }
  }

  private var isOver: Bool { isClosed.load(ordering: .relaxed) }

  private func accept() {
    defer { Glibc.close(listener) }
    while !isOver {
      guard isReadable(listener) else { continue }
      let client = Glibc.accept(listener, nil, nil)
      guard client >= 0 else { continue }
      _ = fcntl(client, F_SETFD, FD_CLOEXEC)
      let server = newSocket()
      guard mode.withLock({ $0 != .cut }), loopback(target, { connect(server, $0, $1) }) == 0
      else {
        Glibc.close(client)
        Glibc.close(server)
        continue
      }
      Thread.detach { self.copy(client, server) }
    }
  }

  /// Both directions of one connection, on one thread.
  private func copy(_ client: Int32, _ server: Int32) {
    defer {
      Glibc.close(client)
      Glibc.close(server)
    }
    var buffer = [UInt8](repeating: 0, count: 1 << 16)
    while !isOver {
      switch mode.withLock({ $0 }) {
      case .cut: return
      case .stalled: usleep(2_000)
      case .copying:
        var both = [client, server].map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
        guard poll(&both, 2, 20) > 0 else { continue }
        for (source, target) in [(0, server), (1, client)] where both[source].revents != 0 {
          let count = read(both[source].fd, &buffer, buffer.count)
          guard count > 0, write(target, buffer, count) else { return }
        }
      }
    }
  }

  private func write(_ target: Int32, _ buffer: [UInt8], _ count: Int) -> Bool {
    var done = 0
    while done < count, !isOver {
      let sent = buffer.withUnsafeBytes {
        send(target, $0.baseAddress?.advanced(by: done), count - done, Int32(MSG_NOSIGNAL))
      }
      guard sent > 0 else { return false }
      done += sent
    }
    return true
  }

  private func isReadable(_ file: Int32) -> Bool {
    var one = pollfd(fd: file, events: Int16(POLLIN), revents: 0)
    return poll(&one, 1, 20) > 0
  }
}

/// A thread that nobody waits for.
private enum Thread {
  final class Body {
    let run: () -> Void
    init(_ run: @escaping () -> Void) { self.run = run }
  }

  static func detach(_ body: @escaping @Sendable () -> Void) {
    var thread = pthread_t()
    let argument = Unmanaged.passRetained(Body(body)).toOpaque()
    pthread_create(
      &thread, nil,
      { argument in
        if let argument { Unmanaged<Body>.fromOpaque(argument).takeRetainedValue().run() }
        return nil
      }, argument)
    pthread_detach(thread)
  }
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

private func boundPort(_ file: Int32) -> Int {
  var address = sockaddr_in()
  var size = socklen_t(MemoryLayout<sockaddr_in>.size)
  _ = withUnsafeMutablePointer(to: &address) {
    $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(file, $0, &size) }
  }
  return Int(in_port_t(bigEndian: address.sin_port))
}

/// Not inherited: a connection that some other process has open too doesn't end when it is closed.
private func newSocket() -> Int32 {
  socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
}
