internal import CSystem
internal import Glibc
internal import MeshCore
internal import MeshRuntime
internal import ZeroMQ

/// The thread of a proxy: one poll over its listener, its connections and its orders. It sleeps until
/// one of them has something, or until bytes are due.
final class ProxyLoop {
  /// What the proxy's owner wants. Done when `done` is signalled.
  enum Order: Sendable {
    case set(ProxySchedule, sender: String?)
    case reset(sender: String?)
    /// Publish the counters.
    case count
    case stop
  }

  /// The schedule for one sender, or for all that have none of their own.
  private struct Rule {
    let sender: String?
    let schedule: ProxySchedule
    let start: Duration
    var faults: LinkFaults
    var end: Duration?
  }

  private static let connectionsMaximum = 256

  private let port: Int
  private let targetPort: Int
  private let orders: Mailbox<Order>
  private let done: Mailbox<Void>
  private let sender: (Int) -> String?
  private let publish: (FaultProxy.Counters) -> Void
  private var random: SplitMix64
  private var listener: Int32
  private var isListening = true
  private var rules: [Rule] = []
  private var connections: [ProxyConnection] = []
  private var counters = FaultProxy.Counters()
  private var flippedBefore = 0
  private var buffer = [UInt8](repeating: 0, count: 1 << 16)

  /// - Parameters:
  ///   - listener: bound to `port` and listening.
  ///   - sender: who has a connection from a port.
  ///   - publish: told the counters with every order.
  init(
    listener: Int32, port: Int, targetPort: Int, seed: UInt64, orders: Mailbox<Order>,
    done: Mailbox<Void>, sender: @escaping (Int) -> String?,
    publish: @escaping (FaultProxy.Counters) -> Void
  ) {
    self.listener = listener
    self.port = port
    self.targetPort = targetPort
    self.orders = orders
    self.done = done
    self.sender = sender
    self.publish = publish
    random = SplitMix64(seed: seed)
    rules = [Self.rule(.always(.pass), sender: nil, at: MonotonicClock.now)]
  }

  /// Runs until it is told to stop.
  func run() {
    while turn() {}
    for index in connections.indices { connections[index].reset() }
    if listener >= 0 { close(listener) }
    _ = done.post(())
  }

  private func turn() -> Bool {
    let now = MonotonicClock.now
    advancePhases(at: now)
    var wake = rules.compactMap(\.end).min()
    var files = [pollfd(fd: orders.fileDescriptor, events: Int16(POLLIN), revents: 0)]
    files.append(pollfd(fd: isListening ? listener : -1, events: Int16(POLLIN), revents: 0))
    for index in connections.indices {
      let interest = connections[index].interest(under: faults(of: connections[index]), at: now)
      let sockets = connections[index].sockets
      for (file, events) in [(sockets.source, interest.source), (sockets.target, interest.target)] {
        files.append(pollfd(fd: events == 0 ? -1 : file, events: events, revents: 0))
      }
      if let time = interest.wake { wake = min(wake ?? time, time) }
    }
    // poll: the count of ready files, 0 when the time is over, or -1 with EINTR or ENOMEM.
    _ = poll(&files, nfds_t(files.count), Self.milliseconds(until: wake, at: now))
    let orders = files[0].revents == 0 ? [] : orders.drain()
    let isGoingOn = carryOut(orders)
    advanceConnections(files.dropFirst(2))
    if files[1].revents != 0 { accept() }
    if !orders.isEmpty { publish(counters) }
    if isGoingOn { for _ in orders { _ = done.post(()) } }
    return isGoingOn
  }

  /// Rounded up: one that wakes too early would spin until the time has come.
  private static func milliseconds(until wake: Duration?, at now: Duration) -> Int32 {
    guard let wake else { return -1 }
    return Int32(min(60_000, max(0, ((wake - now) / .milliseconds(1)).rounded(.up))))
  }

  // MARK: Faults

  private static func rule(
    _ schedule: ProxySchedule, sender: String?, at now: Duration
  ) -> Rule {
    let (faults, end) = schedule.faults(at: .zero)
    return Rule(
      sender: sender, schedule: schedule, start: now, faults: faults, end: end.map { now + $0 })
  }

  private func faults(of connection: ProxyConnection) -> LinkFaults {
    (rules.first { $0.sender != nil && $0.sender == connection.sender } ?? rules[0]).faults
  }

  private func advancePhases(at now: Duration) {
    for index in rules.indices {
      guard let end = rules[index].end, end <= now else { continue }
      let rule = rules[index]
      let (faults, next) = rule.schedule.faults(at: now - rule.start)
      rules[index].faults = faults
      rules[index].end = next.map { rule.start + $0 }
      begin(rule.sender)
    }
  }

  /// Puts changed faults in force.
  private func begin(_ sender: String?) {
    for index in connections.indices where sender == nil || connections[index].sender == sender {
      connections[index].beginFaults()
    }
    if rules[0].faults.isRefusing == isListening { isListening ? refuse() : listen() }
  }

  private func carryOut(_ orders: [Order]) -> Bool {
    var isGoingOn = true
    for order in orders {
      switch order {
      case .set(let schedule, let sender):
        rules.removeAll { $0.sender == sender }
        let rule = Self.rule(schedule, sender: sender, at: MonotonicClock.now)
        // The one for all others stands first.
        rules.insert(rule, at: sender == nil ? 0 : rules.endIndex)
        begin(sender)
      case .reset(let sender):
        for index in connections.indices where sender == nil || connections[index].sender == sender
        {
          connections[index].reset()
          counters.resets += 1
        }
      case .count: break
      case .stop: isGoingOn = false
      }
    }
    return isGoingOn
  }

  // MARK: Connections

  /// Who connects is refused by the kernel: the port is bound and nobody listens.
  private func refuse() {
    close(listener)
    isListening = false
    listener = (try? LoopbackSocket.bound(to: port)) ?? -1
  }

  private func listen() {
    if listener < 0 { listener = (try? LoopbackSocket.bound(to: port)) ?? -1 }
    isListening = listener >= 0 && LoopbackSocket.listen(listener)
  }

  private func accept() {
    let file = accept4(
      listener, nil, nil, Int32(SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue))
    guard file >= 0 else { return }
    guard connections.count < Self.connectionsMaximum else { return LoopbackSocket.reset(file) }
    LoopbackSocket.set(file, Int32(IPPROTO_TCP), TCP_NODELAY, 1)
    let name = LoopbackSocket.peerPort(file).flatMap(sender)
    let connection = ProxyConnection(
      source: file, sender: name, targetPort: targetPort, seed: random.next())
    guard !faults(of: connection).isRefusing else { return LoopbackSocket.reset(file) }
    connections.append(connection)
    counters.accepted += 1
  }

  private func advanceConnections(_ files: ArraySlice<pollfd>) {
    let now = MonotonicClock.now
    for (index, first) in zip(
      connections.indices, stride(from: files.startIndex, to: files.endIndex, by: 2))
    {
      guard !connections[index].isOver else { continue }
      let out = connections[index].advance(
        under: faults(of: connections[index]), at: now,
        ready: (files[first].revents, files[first + 1].revents), buffer: &buffer)
      counters.bytesToTarget += out.toTarget
      counters.bytesToSource += out.toSource
    }
    counters.bitsFlipped = flippedBefore + connections.reduce(0) { $0 + $1.bitsFlipped }
    flippedBefore += connections.reduce(0) { $0 + ($1.isOver ? $1.bitsFlipped : 0) }
    connections.removeAll(where: \.isOver)
    counters.open = connections.count
  }
}
