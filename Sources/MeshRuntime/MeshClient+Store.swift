internal import Checksums
package import MeshCore
internal import MeshWire
internal import ZeroMQ

/// Tensors to and from the store.
extension MeshClient {
  /// Connects to the store that a reply of the coordinator named.
  package func connectStore(_ endpoint: String) throws(MeshError) {
    let address = try Endpoint(endpoint, flag: "the coordinator's store")
    if let store, store.endpoint == address, store.news.isConnected { return }
    do throws(ZeroMQError) {
      var options = Sockets.data(credentials?.toCoordinator ?? .none)
      options.routingID = Sockets.routingID(random.next(), 0)
      options.usesIPv6 = needsIPv6 || address.isIPv6
      store = try ClientLink(
        address, options: options, hasKeys: credentials != nil, context: context)
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
    var sending = Sending()
    while MonotonicClock.now < end {
      if isCancelled() { throw MeshError(.interrupted, "interrupted") }
      do throws(ZeroMQError) {
        if sending.isDue(on: store.news) {
          let header = CallHeader(
            request: id, role: role, client: name, method: request.method.rawValue,
            remaining: end - MonotonicClock.now)
          let frame = DataFrame.call(header, .success(request))
          let message = Message(header: Frame(frame.encode()), payload: chunk())
          sending.note(try store.send(message), on: store.news, again: .seconds(5))
        }
        try control.takeNews()
        try store.wait(upTo: .milliseconds(100), forRoom: !sending.isSent)
      } catch {
        throw MeshError(.unreachable, "\(endpoint): \(error.description)")
      }
      if try receive(store.socket, id, accept) { return }
      if let refusal = store.news.refusal {
        throw MeshError(.badInput, "the coordinator at \(endpoint): \(refusal)")
      }
    }
    let why =
      store.news.isConnected
      ? "it is there, but gives no answer"
      : store.reachability.explanation(of: store.endpoint, hasKeys: credentials != nil)
    throw MeshError(
      .unreachable,
      "the store of the coordinator at \(endpoint), \(store.endpoint), can't be reached: \(why)")
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
