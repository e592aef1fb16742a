internal import Synchronization

/// Lets a thread that a disk may block for long write to a rank's state, until that isn't waited for any
/// more: the state is folded by others then.
final class LoadGate: Sendable {
  private let isOpen = Mutex(true)

  /// Does it, if the gate is open; `close` waits for its end.
  ///
  /// - Returns: whether the gate is open.
  func pass(_ write: () -> Void) -> Bool {
    isOpen.withLock { isOpen in
      if isOpen { write() }
      return isOpen
    }
  }

  func close() { isOpen.withLock { $0 = false } }
}
