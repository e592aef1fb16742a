internal import MeshCore
internal import MeshRuntime
internal import MeshWire
internal import ZeroMQ

/// One run over one connection: a thread that serves, and this one that receives.
final class WireRun {
  enum Kind {
    /// Messages of the same sizes, which nobody looks at.
    case raw
    case tiles
    /// Tiles over CURVE.
    case curve
  }

  private let kind: Kind
  private let tiles: WireTiles
  private let socket: OwnedSocket
  private let server: DedicatedThread
  private let authenticator: Authenticator?
  /// Messages that weren't the tile that was asked for.
  private(set) var refused = 0

  init(_ kind: Kind, _ tiles: WireTiles) throws(ZeroMQError) {
    self.kind = kind
    self.tiles = tiles
    let context = try Context()
    var (serving, asking) = (SocketSecurity.none, SocketSecurity.none)
    if kind == .curve {
      let keys = try CurveKeyPair.make()
      authenticator = try Authenticator(context) { _ in .admit }
      serving = .server(keys)
      asking = .client(try CurveKeyPair.make(), serverKey: keys.publicKey)
    } else {
      authenticator = nil
    }
    let router = Handover(
      try OwnedSocket(.router, context: context, options: Sockets.data(serving)))
    let endpoint = try router.take().socket.bind("tcp://127.0.0.1:*")
    let (frames, job, planTag) = (tiles.frames, tiles.job, tiles.planTag)
    server = try DedicatedThread(name: "serve") {
      let service = WireService(
        router: router.take(), frames: frames, job: job, planTag: planTag)
      try? service.run()
    }
    socket = try OwnedSocket(.dealer, context: Context(), options: Sockets.data(asking))
    try socket.socket.connect(endpoint)
  }

  /// Receives so many tiles; returns the seconds that it took, and the CPU seconds of both sides.
  func receive(_ count: Int) throws(ZeroMQError) -> (wall: Double, processor: Double) {
    // Until the connection is there.
    while try !ask(0) { try wait() }
    try take()
    let (start, processorStart) = (MonotonicClock.now, processorSeconds)
    var (asked, taken) = (0, 0)
    while taken < count {
      while asked < count, asked - taken < Limits.windowTiles, try ask(asked) { asked += 1 }
      try take()
      taken += 1
    }
    let seconds = ((MonotonicClock.now - start).seconds, processorSeconds - processorStart)
    while try socket.socket.send(Message(header: Frame([]))) != .sent { try wait() }
    server.join()
    authenticator?.stop()
    return seconds
  }

  private func ask(_ number: Int) throws(ZeroMQError) -> Bool {
    let tile = number % tiles.frames.count
    let pull = Pull(
      job: tiles.job, planTag: tiles.planTag, tile: .keyValue(tile), firstPart: 0,
      creditBytes: tiles.payloadBytes, worker: WorkerID(incarnation: 1), vrank: VRank(0),
      epoch: Epoch(term: 1, counter: 1))
    return try socket.socket.send(Message(header: Frame(DataFrame.pull(pull).encode()))) == .sent
  }

  private func take() throws(ZeroMQError) {
    while true {
      if let message = try socket.socket.receive() {
        if kind != .raw, !isTaken(message) { refused += 1 }
        return
      }
      try wait()
    }
  }

  private func isTaken(_ message: borrowing Message) -> Bool {
    let frame = message.header.withUnsafeBytes { try? DataFrame(decoding: $0) }
    guard case .part(let header) = frame else { return false }
    switch message.payload {
    case .some(let payload): return tiles.take(payload, header)
    case .none: return false
    }
  }

  private func wait() throws(ZeroMQError) {
    var poller = Poller()
    poller.watch(socket)
    try poller.wait(upTo: .milliseconds(100))
  }
}

/// Serves tiles as they are asked for, until an empty message comes.
private struct WireService {
  let router: OwnedSocket
  let stored: [StoredFrame]
  let job: JobID
  let planTag: UInt64

  init(router: OwnedSocket, frames: [[UInt8]], job: JobID, planTag: UInt64) {
    self.router = router
    stored = frames.map { StoredFrame(Frame($0)) }
    self.job = job
    self.planTag = planTag
  }

  func run() throws(ZeroMQError) {
    var poller = Poller()
    poller.watch(router)
    while true {
      guard let request = try router.socket.receive() else {
        try poller.wait(upTo: .seconds(1))
        continue
      }
      let frame = request.header.withUnsafeBytes { try? DataFrame(decoding: $0) }
      guard case .pull(let pull) = frame else { return }
      let header = PartHeader(job: job, planTag: planTag, tile: pull.tile, part: 0)
      var message = Message(
        routingID: request.routingID, header: Frame(DataFrame.part(header).encode()),
        payload: stored[pull.tile.index].copy())
      while try router.socket.send(&message) == .wouldBlock {
        try poller.wait(upTo: .milliseconds(1))
      }
    }
  }
}
