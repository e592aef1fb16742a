internal import CZeroMQ
internal import Glibc
internal import Synchronization

/// The only door into a loop's thread: a bounded queue with a file descriptor to poll.
package final class Mailbox<Event: Sendable>: Sendable {
  private let events = Mutex<[Event]>([])

  /// Readable while events wait; it may also be readable once when none do.
  package let fileDescriptor: Int32

  /// How many events may wait.
  package let capacity: Int

  /// Creates an empty mailbox.
  ///
  /// - Throws: `EMFILE`, `ENFILE`, `ENOMEM`.
  package init(capacity: Int) throws(ZeroMQError) {
    precondition(capacity > 0, "a mailbox must have room")
    // eventfd: the descriptor, or -1 with EINVAL, EMFILE, ENFILE, ENODEV, ENOMEM.
    let descriptor = eventfd(0, Int32(EFD_CLOEXEC | EFD_NONBLOCK))
    guard descriptor >= 0 else { throw ZeroMQError(code: errno, operation: "eventfd") }
    self.fileDescriptor = descriptor
    self.capacity = capacity
  }

  deinit {
    // close: 0, or -1 with EINTR or EIO, closed all the same.
    close(fileDescriptor)
  }

  /// Adds an event, from any thread.
  ///
  /// - Returns: whether there was room.
  package func post(_ event: Event) -> Bool {
    let (accepted, first) = events.withLock { events in
      if events.count >= capacity { return (false, false) }
      events.append(event)
      return (true, events.count == 1)
    }
    // Only the event that ends emptiness wakes the reader, which takes all there are.
    if first { signal() }
    return accepted
  }

  /// Takes all events, in the order of their arrival.
  package func drain() -> [Event] {
    // The descriptor is reset before the queue is emptied: a post in between finds the queue
    // empty or is taken now, and the other order could lose its signal.
    reset()
    return events.withLock { events in
      let taken = events
      events = []
      return taken
    }
  }

  private func signal() {
    var one: UInt64 = 1
    // write to an eventfd: 8, or -1 with EINTR, or with EAGAIN when it is signalled already.
    while write(fileDescriptor, &one, 8) == -1 && errno == EINTR {}
  }

  private func reset() {
    var count: UInt64 = 0
    // read from an eventfd: 8, or -1 with EINTR, or with EAGAIN when it was not signalled.
    while read(fileDescriptor, &count, 8) == -1 && errno == EINTR {}
  }
}
