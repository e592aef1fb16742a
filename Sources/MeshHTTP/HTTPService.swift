internal import FlyingFox
internal import FlyingSocks
internal import Foundation
internal import MeshCore
package import MeshRuntime

/// Serves a site over HTTP. It runs on Swift's own threads, apart from every loop, and reads only what
/// loops have published.
///
/// Sockets, addresses and answers are FlyingFox's. Its server isn't used: it reads heads of any
/// length, of any number of clients, who may take as long as they like.
package final class HTTPService: Sendable {
  /// Where it listens; the port is the one that was bound.
  package let address: HTTPAddress
  private let task: Task<Void, Never>

  /// Binds the address and begins to serve.
  ///
  /// - Parameter flag: what the user called the address, for the error.
  package init(_ address: HTTPAddress, _ site: Site, flag: String = "--http") throws(MeshError) {
    let listener: Socket
    do {
      listener = try Self.listen(address)
    } catch {
      throw MeshError(
        .badInput,
        "\(flag) \(address): can't listen there: \(reason(error)); give another address, or \(flag) off"
      )
    }
    var bound = address
    switch try? listener.sockname() {
    case .ip4(_, let port), .ip6(_, let port): bound = HTTPAddress(host: address.host, port: port)
    case .unix, nil: break
    }
    self.address = bound
    let server = Server(listener: listener, site: site, onlyLocal: address.isLoopback)
    task = Task.detached { await server.run() }
  }

  private static func listen(_ address: HTTPAddress) throws -> Socket {
    let family = try address.family
    let socket = try Socket(domain: Int32(family.family))
    do {
      // No program that is started from here inherits it.
      _ = fcntl(socket.file.rawValue, F_SETFD, FD_CLOEXEC)
      try socket.setValue(true, for: .localAddressReuse)
      try socket.bind(to: family)
    } catch {
      try? socket.close()
      throw error
    }
    try socket.listen(maxPendingConnection: Int32(Limits.httpConnectionsMaximum))
    return socket
  }

  /// Stops serving; connections are closed.
  package func stop() { task.cancel() }
}

/// Accepts connections and serves a bounded number of them at once.
private struct Server: Sendable {
  let listener: Socket
  let site: Site
  let onlyLocal: Bool

  func run() async {
    while !Task.isCancelled {
      // A pool that fails is replaced; its connections end.
      try? await serve(.ePoll(maxEvents: Limits.httpConnectionsMaximum))
      try? await Task.sleep(for: .milliseconds(100))
    }
    try? listener.close()
  }

  private func serve(_ pool: some AsyncSocketPool) async throws {
    try await pool.prepare()
    let socket = try AsyncSocket(socket: listener, pool: pool)
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask { try await pool.run() }
      group.addTask { try await accept(socket) }
      defer { group.cancelAll() }
      try await group.next()
    }
  }

  private func accept(_ socket: AsyncSocket) async throws {
    let open = OpenConnections()
    try await withThrowingDiscardingTaskGroup { group in
      while true {
        try Task.checkCancellation()
        guard let client = try await next(socket) else { continue }
        guard let number = open.add(client.socket.file.rawValue) else {
          try? client.close()
          continue
        }
        group.addTask {
          await HTTPConnection(socket: client, site: site, onlyLocal: onlyLocal)
            .serve { open.noteRequest(of: number) }
          open.remove(number)
          try? client.close()
          open.noteClosed()
        }
      }
    }
  }

  /// Nil when a client went before it was taken, or there are no descriptors for it.
  private func next(_ socket: AsyncSocket) async throws -> AsyncSocket? {
    do {
      return try await socket.accept()
    } catch SocketError.failed {
      try await Task.sleep(for: .milliseconds(20))
      return nil
    }
  }
}
