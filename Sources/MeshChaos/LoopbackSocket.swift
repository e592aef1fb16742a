internal import Glibc
internal import MeshRuntime

/// TCP sockets on 127.0.0.1. None is inherited: a connection that some other process has open too
/// doesn't end when it is closed.
enum LoopbackSocket {
  /// An unconnected socket that never blocks.
  static func make() throws(MeshError) -> Int32 {
    let flags = SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue
    let file = socket(AF_INET, Int32(flags), 0)
    guard file >= 0 else { throw failure("socket") }
    return file
  }

  /// A socket that has a port and doesn't listen: who connects is refused.
  static func bound(to port: Int) throws(MeshError) -> Int32 {
    let file = try make()
    set(file, SOL_SOCKET, SO_REUSEADDR, 1)
    guard withAddress(port, { bind(file, $0, $1) }) == 0 else {
      let error = failure("bind to port \(port)")
      close(file)
      throw error
    }
    return file
  }

  /// Lets others connect to a bound socket.
  static func listen(_ file: Int32) -> Bool { Glibc.listen(file, 128) == 0 }

  /// Begins to connect.
  static func connecting(to port: Int) throws(MeshError) -> Int32 {
    let file = try make()
    set(file, Int32(IPPROTO_TCP), TCP_NODELAY, 1)
    guard withAddress(port, { connect(file, $0, $1) }) == 0 || errno == EINPROGRESS else {
      let error = failure("connect to port \(port)")
      close(file)
      throw error
    }
    return file
  }

  /// Whether a connection came about. One to itself, as the kernel makes it when it happens to choose
  /// the port that nobody listens on, did not.
  static func isConnected(_ file: Int32) -> Bool {
    var status: Int32 = 0
    var size = socklen_t(MemoryLayout<Int32>.size)
    getsockopt(file, SOL_SOCKET, SO_ERROR, &status, &size)
    guard status == 0, let peer = peerPort(file) else { return false }
    return peer != port(of: file)
  }

  /// Closes so that the other side sees a reset.
  static func reset(_ file: Int32) {
    var abortive = linger(l_onoff: 1, l_linger: 0)
    setsockopt(file, SOL_SOCKET, SO_LINGER, &abortive, socklen_t(MemoryLayout<linger>.size))
    close(file)
  }

  static func set(_ file: Int32, _ level: Int32, _ option: Int32, _ value: Int32) {
    var value = value
    setsockopt(file, level, option, &value, socklen_t(MemoryLayout<Int32>.size))
  }

  static func port(of file: Int32) -> Int? { port(file, getsockname) }
  static func peerPort(_ file: Int32) -> Int? { port(file, getpeername) }

  private static func port(
    _ file: Int32,
    _ name: (Int32, UnsafeMutablePointer<sockaddr>, UnsafeMutablePointer<socklen_t>) -> Int32
  ) -> Int? {
    var address = sockaddr_in()
    var size = socklen_t(MemoryLayout<sockaddr_in>.size)
    let status = withUnsafeMutablePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { name(file, $0, &size) }
    }
    return status == 0 ? Int(in_port_t(bigEndian: address.sin_port)) : nil
  }

  private static func withAddress(
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

  private static func failure(_ operation: String) -> MeshError {
    MeshError(.jobFailed, "\(operation): \(String(cString: strerror(errno)))")
  }
}
