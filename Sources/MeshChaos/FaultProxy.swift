internal import Glibc
package import MeshRuntime
internal import Synchronization
internal import ZeroMQ

/// A TCP listener on loopback that passes connections on to another port of this machine, with the
/// faults it is told. Kernels without `tc netem` have no other way to a slow, lossy or cut network.
package final class FaultProxy: Sendable {
  /// What went through it so far.
  package struct Counters: Hashable, Sendable {
    package var accepted = 0
    package var open = 0
    /// Connections that `reset` ended.
    package var resets = 0
    package var bytesToTarget = 0
    package var bytesToSource = 0
    package var bitsFlipped = 0
  }

  /// The counters, where the loop's thread puts them.
  final class Board: Sendable {
    let counters = Mutex(Counters())
  }

  package let port: Int
  private let board = Board()
  private let orders: Mailbox<ProxyLoop.Order>
  private let done: Mailbox<Void>
  private let thread: Mutex<DedicatedThread?>

  /// Starts to listen and to pass on.
  ///
  /// - Parameters:
  ///   - target: port to connect to; nobody needs to listen there yet.
  ///   - port: where to listen; 0 for any.
  ///   - seed: of everything random: jitter, pieces, bits.
  ///   - sender: who has a connection from a port, so that faults can be for one sender alone.
  package init(
    to target: Int, port wanted: Int = 0, seed: UInt64,
    sender: @escaping @Sendable (Int) -> String? = { _ in nil }
  ) throws(MeshError) {
    let listener = try LoopbackSocket.bound(to: wanted)
    guard let bound = LoopbackSocket.port(of: listener), LoopbackSocket.listen(listener) else {
      preconditionFailure("a bound socket has a port and can listen")
    }
    port = bound
    do throws(ZeroMQError) {
      let orders = try Mailbox<ProxyLoop.Order>(capacity: 64)
      let done = try Mailbox<Void>(capacity: 64)
      self.orders = orders
      self.done = done
      let board = self.board
      let loop = try DedicatedThread(name: "proxy") {
        ProxyLoop(
          listener: listener, port: bound, targetPort: target, seed: seed, orders: orders,
          done: done, sender: sender,
          publish: { counters in board.counters.withLock { $0 = counters } }
        ).run()
      }
      thread = Mutex(loop)
    } catch {
      close(listener)
      throw MeshError(.jobFailed, "no proxy: \(error.description)")
    }
  }

  deinit { stop() }

  package var endpoint: String { "tcp://127.0.0.1:\(port)" }

  /// Up to date: what has arrived anywhere has been counted.
  package var counters: Counters {
    perform(.count)
    return board.counters.withLock { $0 }
  }

  /// Puts faults in force, on open connections too.
  ///
  /// - Parameter sender: whose connections; nil for those of everybody who has no faults of its own.
  package func set(_ faults: LinkFaults, from sender: String? = nil) {
    set(.always(faults), from: sender)
  }

  /// Puts changing faults in force, from now on.
  package func set(_ schedule: ProxySchedule, from sender: String? = nil) {
    perform(.set(schedule, sender: sender))
  }

  /// Breaks connections at both ends, as the crash of a machine between them would.
  package func reset(from sender: String? = nil) { perform(.reset(sender: sender)) }

  /// Breaks all connections and gives the port back.
  package func stop() {
    perform(.stop)
    thread.withLock { thread in
      thread?.join()
      thread = nil
    }
  }

  /// Returns when the loop has done it: a fault is there when this returns.
  private func perform(_ order: ProxyLoop.Order) {
    thread.withLock { thread in
      guard thread != nil, orders.post(order) else { return }
      var answer = pollfd(fd: done.fileDescriptor, events: Int16(POLLIN), revents: 0)
      while done.drain().isEmpty { _ = poll(&answer, 1, -1) }
    }
  }
}
