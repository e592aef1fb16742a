internal import CZeroMQ
internal import Glibc

/// What a socket or mailbox is ready for.
package struct Readiness: OptionSet, Sendable, Hashable {
  package let rawValue: Int16

  package init(rawValue: Int16) {
    self.rawValue = rawValue
  }

  /// A message is there.
  package static let readable = Readiness(rawValue: Int16(ZMQ_POLLIN))

  /// A message can be sent, to some peer; a ROUTER is always writable.
  package static let writable = Readiness(rawValue: Int16(ZMQ_POLLOUT))

  /// The file descriptor is in an error state; not reported for sockets.
  package static let failed = Readiness(rawValue: Int16(ZMQ_POLLERR))
}

/// The short list of sockets and mailboxes that one thread waits for.
///
/// It keeps what it watches alive, so a handle in the list is never stale. Look-ups are linear.
package struct Poller {
  private var items: [zmq_pollitem_t] = []
  private var owners: [AnyObject] = []

  package init() {}

  /// Number of things watched.
  package var count: Int { items.count }

  /// Watches a socket, or changes what it is watched for.
  package mutating func watch(_ socket: OwnedSocket, for interest: Readiness = .readable) {
    let handle = socket.socket.handle
    watch(zmq_pollitem_t(socket: handle, fd: -1, events: interest.rawValue, revents: 0), socket)
  }

  /// Watches a mailbox for posts.
  package mutating func watch<Event>(_ mailbox: Mailbox<Event>) {
    let interest = Readiness.readable.rawValue
    watch(
      zmq_pollitem_t(socket: nil, fd: mailbox.fileDescriptor, events: interest, revents: 0),
      mailbox)
  }

  /// Stops watching a socket or mailbox, if it was watched.
  package mutating func forget(_ watched: AnyObject) {
    guard let index = index(of: watched) else { return }
    items.remove(at: index)
    owners.remove(at: index)
  }

  /// Waits until something is ready.
  ///
  /// - Parameter timeout: the longest wait, rounded up to milliseconds; `nil` waits for ever.
  /// - Returns: how many are ready; zero after the timeout, and when a signal cut the wait short.
  /// - Throws: nothing that can happen to live sockets.
  @discardableResult
  package mutating func wait(upTo timeout: Duration?) throws(ZeroMQError) -> Int {
    let milliseconds = timeout.map { Int($0.wholeMilliseconds) } ?? -1
    // zmq_poll: ready items, or -1 with EINTR, ETERM, EFAULT.
    let ready = zmq_poll(&items, Int32(items.count), milliseconds)
    if ready >= 0 { return Int(ready) }
    let code = zmq_errno()
    for index in items.indices { items[index].revents = 0 }
    if code == EINTR { return 0 }
    throw ZeroMQError(code: code, operation: "zmq_poll")
  }

  /// What a watched socket or mailbox was ready for when the last `wait` returned.
  package func readiness(of watched: AnyObject) -> Readiness {
    guard let index = index(of: watched) else { return [] }
    return Readiness(rawValue: items[index].revents)
  }

  private mutating func watch(_ item: zmq_pollitem_t, _ owner: AnyObject) {
    if let index = index(of: owner) {
      items[index].events = item.events
    } else {
      items.append(item)
      owners.append(owner)
    }
  }

  private func index(of owner: AnyObject) -> Int? {
    owners.firstIndex { $0 === owner }
  }
}
