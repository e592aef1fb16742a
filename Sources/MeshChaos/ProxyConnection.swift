internal import Glibc

/// One connection through a proxy: the socket of who connected, the one to the target, and the bytes
/// under way between them.
struct ProxyConnection {
  /// What the two sockets are polled for (0 for not at all), and when to look again without an event.
  struct Interest {
    var source: Int16 = 0
    var target: Int16 = 0
    var wake: Duration?

    mutating func wake(at time: Duration) { wake = min(wake ?? time, time) }
  }

  /// How far the socket to the target is.
  private enum Target {
    /// In a black hole nobody connects.
    case none
    case connecting(Int32)
    case open(Int32)
  }

  /// One direction, with what the sockets told of it.
  private struct Direction {
    var stream: ProxyStream
    /// The receiver's socket is full.
    var isBlocked = false
    /// The receiver is gone, and the sender mustn't learn of it yet.
    var isBroken = false
    /// The receiver knows that the sender is done.
    var isShut = false
  }

  /// Who connected, if that is known.
  let sender: String?
  private let source: Int32
  private let targetPort: Int
  private var target = Target.none
  private var forth: Direction
  private var back: Direction
  private(set) var isOver = false

  init(source: Int32, sender: String?, targetPort: Int, seed: UInt64) {
    self.source = source
    self.sender = sender
    self.targetPort = targetPort
    forth = Direction(stream: ProxyStream(seed: seed))
    back = Direction(stream: ProxyStream(seed: seed &+ 1))
  }

  /// The socket to the target; -1, which polls ignore, when there is none.
  var sockets: (source: Int32, target: Int32) {
    switch target {
    case .none: (source, -1)
    case .connecting(let file), .open(let file): (source, file)
    }
  }

  var bitsFlipped: Int { forth.stream.bitsFlipped + back.stream.bitsFlipped }

  mutating func beginFaults() {
    forth.stream.beginFaults()
    back.stream.beginFaults()
  }

  /// What to wait for. A socket without interest isn't polled at all: that it was closed would be
  /// told again and again.
  mutating func interest(under faults: LinkFaults, at now: Duration) -> Interest {
    var interest = Interest()
    switch target {
    case .none: if !faults.isBlackHole { interest.wake(at: now) }
    case .connecting: interest.target = Int16(POLLOUT)
    case .open:
      Self.add(&forth, faults.toTarget, now, &interest, from: \.source, to: \.target)
      Self.add(&back, faults.toSource, now, &interest, from: \.target, to: \.source)
    }
    return interest
  }

  private static func add(
    _ direction: inout Direction, _ faults: DirectionFaults, _ now: Duration,
    _ interest: inout Interest, from: WritableKeyPath<Interest, Int16>,
    to: WritableKeyPath<Interest, Int16>
  ) {
    let stream = direction.stream
    if !stream.isEnded, !faults.isStalled, !direction.isBroken, stream.room > 0 {
      interest[keyPath: from] |= Int16(POLLIN)
    }
    switch direction.stream.due(under: faults, at: now) {
    case .now:
      if direction.isBlocked {
        interest[keyPath: to] |= Int16(POLLOUT)
      } else {
        interest.wake(at: now)
      }
    case .at(let time): interest.wake(at: time)
    case .never: break
    }
  }

  /// Does what can be done now.
  ///
  /// - Parameters:
  ///   - ready: what poll said of the two sockets.
  ///   - buffer: to read into.
  /// - Returns: bytes that went out, to the target and back.
  mutating func advance(
    under faults: LinkFaults, at now: Duration, ready: (source: Int16, target: Int16),
    buffer: inout [UInt8]
  ) -> (toTarget: Int, toSource: Int) {
    switch target {
    case .none where !faults.isBlackHole:
      guard let file = try? LoopbackSocket.connecting(to: targetPort) else {
        reset()
        break
      }
      target = .connecting(file)
    case .connecting(let file) where ready.target != 0:
      if LoopbackSocket.isConnected(file) { target = .open(file) } else { reset() }
    case .open(let file):
      if ready.source != 0 { back.isBlocked = false }
      if ready.target != 0 { forth.isBlocked = false }
      let out = (
        pump(\.forth, faults.toTarget, now, source, file, ready.source, &buffer),
        isOver ? 0 : pump(\.back, faults.toSource, now, file, source, ready.target, &buffer)
      )
      if !isOver { endIfDone(under: faults) }
      return out
    default: break
    }
    return (0, 0)
  }

  private mutating func pump(
    _ direction: WritableKeyPath<Self, Direction>, _ faults: DirectionFaults, _ now: Duration,
    _ from: Int32, _ to: Int32, _ ready: Int16, _ buffer: inout [UInt8]
  ) -> Int {
    let room = self[keyPath: direction].stream.room
    if ready != 0, !faults.isStalled, room > 0, !self[keyPath: direction].stream.isEnded,
      !self[keyPath: direction].isBroken
    {
      let count = recv(from, &buffer, min(buffer.count, room), 0)
      if count > 0 {
        self[keyPath: direction].stream.take(buffer[..<count], under: faults, at: now)
      } else if count == 0 {
        self[keyPath: direction].stream.isEnded = true
      } else if errno != EAGAIN, errno != EINTR {
        reset()
        return 0
      }
    }
    return push(direction, faults, now, to)
  }

  /// Gives the receiver what is due; one piece a turn where pieces are wanted.
  private mutating func push(
    _ direction: WritableKeyPath<Self, Direction>, _ faults: DirectionFaults, _ now: Duration,
    _ to: Int32
  ) -> Int {
    var total = 0
    while !self[keyPath: direction].isBlocked, !self[keyPath: direction].isBroken,
      case .now(let count) = self[keyPath: direction].stream.due(under: faults, at: now)
    {
      let sent = self[keyPath: direction].stream.send(count, under: faults, at: now) {
        Glibc.send(to, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
      }
      if sent > 0 {
        total += sent
      } else if errno == EAGAIN {
        self[keyPath: direction].isBlocked = true
      } else if errno != EINTR {
        self[keyPath: direction].isBroken = true
      }
      if faults.sliceBytesMaximum != nil { break }
    }
    return total
  }

  /// Passes on what the two sides did: done sending, gone, or cut by a fault.
  private mutating func endIfDone(under faults: LinkFaults) {
    if forth.stream.isSpent(under: faults.toTarget) || back.stream.isSpent(under: faults.toSource) {
      return close()
    }
    // That the receiver is gone is news which travels the other way.
    if forth.isBroken, !faults.toSource.isStalled { return reset() }
    if back.isBroken, !faults.toTarget.isStalled { return reset() }
    guard case .open(let file) = target else { return }
    if forth.stream.isFinished, !forth.isShut, !faults.toTarget.isStalled {
      shutdown(file, Int32(SHUT_WR))
      forth.isShut = true
    }
    if back.stream.isFinished, !back.isShut, !faults.toSource.isStalled {
      shutdown(source, Int32(SHUT_WR))
      back.isShut = true
    }
    if forth.isShut, back.isShut { close() }
  }

  /// Ends the connection as a crash does.
  mutating func reset() { end(LoopbackSocket.reset) }

  /// Ends it in order.
  mutating func close() { end { _ = Glibc.close($0) } }

  private mutating func end(_ body: (Int32) -> Void) {
    guard !isOver else { return }
    isOver = true
    body(sockets.source)
    if sockets.target >= 0 { body(sockets.target) }
  }
}
