internal import Checksums
package import MeshCore
internal import MeshWire
internal import ZeroMQ

/// Calls a coordinator. Belongs to one thread.
package final class MeshClient {
  /// Where the coordinator's control socket is.
  package let endpoint: String
  private let credentials: MeshCredentials?
  private let context: Context
  private let control: OwnedSocket
  private let controlMonitor: SocketMonitor
  private var store: OwnedSocket?
  private let role: Role
  private let name: String
  private var random = SystemRandomNumberGenerator()
  /// How long to wait for a coordinator that has answered before: it may be restarted.
  package let patience: Duration
  /// Told when a coordinator that is waited for falls silent, and when it answers again.
  package var notify: (String) -> Void = { _ in }
  private var isSilent = false

  /// - Parameters:
  ///   - name: who calls, for people and fair queueing: user@host.
  ///   - credentials: keys of a mesh that has them; they say who calls, then.
  package init(
    endpoint: String, role: Role = .operator, name: String, credentials: MeshCredentials? = nil,
    patience: Duration = .seconds(60)
  ) throws(MeshError) {
    self.endpoint = endpoint
    self.role = role
    self.name = name
    self.credentials = credentials
    self.patience = patience
    // libzmq takes the port modulo 65,536 and would wait for somebody else.
    if endpoint.hasPrefix("tcp://"),
      let port = endpoint.split(separator: ":").last, Int(port).map({ $0 > 65_535 }) == true
    {
      throw MeshError(.badInput, "\(endpoint): there is no port \(port); give tcp://HOST:PORT")
    }
    do throws(ZeroMQError) {
      context = try Context()
      var options = Sockets.control(credentials?.toCoordinator ?? .none)
      options.routingID = Sockets.routingID(random.next(), 0)
      control = try OwnedSocket(.dealer, context: context, options: options)
      controlMonitor = try SocketMonitor(control)
      try control.socket.connect(endpoint)
    } catch {
      throw MeshError(.badInput, "\(endpoint): \(error.description); give tcp://HOST:PORT")
    }
  }

  private var unreachable: MeshError {
    MeshError(
      .unreachable,
      "no coordinator answers at \(endpoint): is `attnmesh coordinator` running there, and can this"
        + " machine reach it?"
        + (credentials == nil ? "" : " Is --coordinator-key the key that it has now?"))
  }

  /// Calls a method of the control socket.
  ///
  /// - Parameters:
  ///   - patience: how long the call may take. It is sent again under the same request id when
  ///     there is no answer, so that a lost message costs a moment and not the call.
  ///   - grace: how much longer to wait for the answer. A call that asks for events is answered
  ///     within its short patience, but not by a coordinator that is late itself.
  ///   - isCancelled: asked several times a second.
  package func call(
    _ request: CallRequest, patience: Duration = .seconds(10), grace: Duration = .zero,
    isCancelled: () -> Bool = { false }
  ) throws(MeshError) -> CallOutcome {
    let id = RequestID(high: random.next(), low: random.next())
    let start = MonotonicClock.now
    let answerDue = start + patience
    let end = answerDue + grace
    var nextSend = start
    var poller = Poller()
    poller.watch(control)
    var refusal: String?
    while MonotonicClock.now < end {
      if isCancelled() { throw MeshError(.interrupted, "interrupted") }
      if patience + grace >= self.patience { tellSilence(since: start) }
      do throws(ZeroMQError) {
        if MonotonicClock.now >= nextSend {
          let header = CallHeader(
            request: id, role: role, client: name, method: request.method.rawValue,
            remaining: max(.milliseconds(100), answerDue - MonotonicClock.now))
          let frame = ControlFrame.call(header, .success(request))
          let isSent = try control.socket.send(Message(header: Frame(frame.encode()))) == .sent
          nextSend = MonotonicClock.now + (isSent ? .seconds(2) : .milliseconds(20))
        }
        try poller.wait(upTo: min(.milliseconds(50), max(.zero, nextSend - MonotonicClock.now)))
        if refusal == nil { refusal = try controlMonitor.refusal(hasKeys: credentials != nil) }
        while let message = try control.socket.receive() {
          guard let outcome = reply(to: id, in: message) else { continue }
          if isSilent { notify("the coordinator at \(endpoint) answers again") }
          isSilent = false
          return outcome
        }
      } catch {
        throw MeshError(.unreachable, "\(endpoint): \(error.description)")
      }
      if let refusal { throw MeshError(.badInput, "the coordinator at \(endpoint): \(refusal)") }
    }
    throw unreachable
  }

  private func tellSilence(since start: Duration) {
    guard !isSilent, MonotonicClock.now - start >= .seconds(3) else { return }
    isSilent = true
    notify(
      "no coordinator answers at \(endpoint); waiting for it for up to"
        + " \(patience.components.seconds) s")
  }

  private func reply(to id: RequestID, in message: borrowing Message) -> CallOutcome? {
    let frame = message.header.withUnsafeBytes { try? ControlFrame(decoding: $0) }
    guard case .reply(id, let outcome) = frame else { return nil }
    return outcome
  }

  /// Waits until so many workers have joined.
  ///
  /// - Throws: they didn't within half a minute.
  package func waitForWorkers(
    _ count: Int, isCancelled: () -> Bool
  ) throws(MeshError) {
    let end = MonotonicClock.now + .seconds(30)
    var position: UInt64 = 0
    var found = 0
    while MonotonicClock.now < end {
      guard case .workers(let workers) = try call(.workers, isCancelled: isCancelled).orThrow()
      else { break }
      found = workers.present.count
      if found >= count { return }
      // Returns as soon as one more joins.
      let request = EventsRequest(after: position, job: nil)
      let outcome = try call(
        .events(request), patience: .seconds(2), grace: .seconds(10), isCancelled: isCancelled)
      if case .success(.events(let reply)) = outcome { position = reply.next }
    }
    throw MeshError(.jobFailed, "only \(found) of \(count) workers started within 30 s")
  }

  // MARK: Bulk

  /// Connects to the store that a reply of the coordinator named.
  package func connectStore(_ endpoint: String) throws(MeshError) {
    do throws(ZeroMQError) {
      var options = Sockets.data(credentials?.toCoordinator ?? .none)
      options.routingID = Sockets.routingID(random.next(), 0)
      let socket = try OwnedSocket(.dealer, context: context, options: options)
      try socket.socket.connect(endpoint)
      store = socket
    } catch {
      throw MeshError(.unreachable, "\(endpoint): \(error.description)")
    }
  }

  /// Sends bytes of an input tensor; returns how many of it are there.
  package func upload(
    _ job: JobID, _ tensor: InputTensor, at offset: Int, _ bytes: UnsafeRawBufferPointer,
    isCancelled: () -> Bool
  ) throws(MeshError) -> Int {
    let request = StoreRequest.upload(UploadRequest(job: job, tensor: tensor, offset: offset))
    let chunk = Chunk(offset: offset, count: bytes.count, checksum: crc32c(bytes))
    var received = 0
    try exchange(request, chunk: { chunk.frame(bytes) }, isCancelled) { reply, _ in
      guard case .uploaded(let uploaded) = reply else { return false }
      received = uploaded.received
      return true
    }
    return received
  }

  /// Reads bytes of a result tensor, verified; returns how many.
  package func read(
    _ job: JobID, _ tensor: OutputTensor, at offset: Int, isCancelled: () -> Bool,
    _ body: (UnsafeRawBufferPointer) throws(MeshError) -> Void
  ) throws(MeshError) -> Int {
    let request = StoreRequest.read(
      ReadRequest(job: job, tensor: tensor, offset: offset, count: Limits.payloadBytesMaximum))
    var count = 0
    var problem: MeshError?
    try exchange(request, chunk: { nil }, isCancelled) { reply, payload in
      guard case .read(let read) = reply, read.offset == offset,
        let chunk = try? PayloadFrame<Chunk>(decoding: payload),
        (try? chunk.verify(in: payload)) != nil
      else { return false }
      count = chunk.message.count
      do throws(MeshError) {
        try body(chunk.payload(in: payload))
      } catch {
        problem = error
      }
      return true
    }
    if let problem { throw problem }
    return count
  }

  /// One call on the data socket: sent again under the same id until it is answered.
  private func exchange(
    _ request: StoreRequest, chunk: () -> Frame?, _ isCancelled: () -> Bool,
    _ accept: (StoreReply, UnsafeRawBufferPointer) -> Bool
  ) throws(MeshError) {
    guard let store else { preconditionFailure("the store isn't connected") }
    let id = RequestID(high: random.next(), low: random.next())
    let end = MonotonicClock.now + max(.seconds(30), patience)
    var nextSend = MonotonicClock.now
    var poller = Poller()
    poller.watch(store)
    while MonotonicClock.now < end {
      if isCancelled() { throw MeshError(.interrupted, "interrupted") }
      do throws(ZeroMQError) {
        if MonotonicClock.now >= nextSend {
          let header = CallHeader(
            request: id, role: role, client: name, method: request.method.rawValue,
            remaining: end - MonotonicClock.now)
          let frame = DataFrame.call(header, .success(request))
          let message = Message(header: Frame(frame.encode()), payload: chunk())
          let isSent = try store.socket.send(message) == .sent
          nextSend = MonotonicClock.now + (isSent ? .seconds(5) : .milliseconds(20))
        }
        try poller.wait(upTo: .milliseconds(50))
      } catch {
        throw MeshError(.unreachable, "\(endpoint): \(error.description)")
      }
      if try receive(store, id, accept) { return }
    }
    throw unreachable
  }

  private func receive(
    _ store: OwnedSocket, _ id: RequestID,
    _ accept: (StoreReply, UnsafeRawBufferPointer) -> Bool
  ) throws(MeshError) -> Bool {
    while let message = try? store.socket.receive() {
      let frame = message.header.withUnsafeBytes { try? DataFrame(decoding: $0) }
      guard case .reply(id, let outcome) = frame else { continue }
      switch outcome {
      case .failure(let failure): throw failure.meshError
      case .success(let reply):
        switch message.payload {
        case .some(let payload):
          if payload.withUnsafeBytes({ accept(reply, $0) }) { return true }
        case .none:
          if accept(reply, UnsafeRawBufferPointer(start: nil, count: 0)) { return true }
        }
      }
    }
    return false
  }
}

extension Chunk {
  /// The frame in which it travels.
  func frame(_ bytes: UnsafeRawBufferPointer) -> Frame? {
    guard let count = frameBytes else { return nil }
    return Frame(count: count) { write(bytes, to: $0) }
  }
}

extension CallFailure {
  /// What a refused call means to somebody at a terminal.
  package var meshError: MeshError {
    switch code {
    case .invalidArgument, .resourceExhausted, .notFound, .alreadyExists, .failedPrecondition,
      .outOfRange, .permissionDenied, .unimplemented, .unauthenticated:
      MeshError(.badInput, message)
    case .unavailable, .deadlineExceeded: MeshError(.unreachable, message)
    default: MeshError(.jobFailed, message)
    }
  }
}
