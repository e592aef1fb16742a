internal import Glibc
internal import MeshCore
internal import Synchronization

/// Connections that are served. When there are too many, the one that has asked nothing for the longest
/// gives way: clients who say nothing must not keep out those who do.
final class OpenConnections: Sendable {
  private let state = Mutex(State())

  private struct State {
    /// Those that have asked nothing for the longest first.
    var open: [(number: UInt64, file: Int32)] = []
    var next: UInt64 = 0
    /// Also those that gave way and aren't closed yet.
    var unclosed = 0
  }

  /// - Returns: a number for it; nil if there are too many that aren't closed yet.
  func add(_ file: Int32) -> UInt64? {
    state.withLock { state in
      guard state.unclosed < 2 * Limits.httpConnectionsMaximum else { return nil }
      if state.open.count >= Limits.httpConnectionsMaximum {
        // Its task wakes up and closes it; until then nobody else has its descriptor.
        shutdown(state.open.removeFirst().file, Int32(SHUT_RDWR))
      }
      state.next += 1
      state.unclosed += 1
      state.open.append((state.next, file))
      return state.next
    }
  }

  func noteRequest(of number: UInt64) {
    state.withLock { state in
      guard let place = state.open.firstIndex(where: { $0.number == number }) else { return }
      state.open.append(state.open.remove(at: place))
    }
  }

  /// Called before its descriptor is closed, and may be another's.
  func remove(_ number: UInt64) {
    state.withLock { $0.open.removeAll { $0.number == number } }
  }

  func noteClosed() { state.withLock { $0.unclosed -= 1 } }
}
