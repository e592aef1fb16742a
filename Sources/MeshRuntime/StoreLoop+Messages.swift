internal import Checksums
internal import MeshCore
internal import MeshWire
internal import ZeroMQ

/// What clients and workers ask of the store.
extension StoreLoop {
  func receive(
    _ frame: DataFrame, payload: borrowing Frame?, from link: [UInt8], key: PublicKey?
  ) throws(WireError) {
    switch frame {
    case .pull(let pull): serve(pull, to: link, key: key)
    case .blocksPull(let pull): serve(pull, to: link)
    case .state(let header):
      let status = try take(header, payload: payload, key: key)
      guard let message = messageIndex(header) else { return }
      send(
        .receipt(
          ResultReceipt(
            job: header.job, vrank: header.vrank, epoch: header.epoch, message: message,
            status: status)),
        to: link)
    case .vrankFinal(let end): take(end, from: link, key: key)
    case .call(let header, let request):
      answer(header, request, payload: payload, to: link)
    // The store asks nobody, and keeps no copies.
    case .answer, .part, .receipt, .reply, .copy, .copyReceipt, .statePull, .stateAnswer,
      .statePart, .blocks, .passQuestion, .passAnswer:
      break
    }
  }

  // MARK: Tiles

  private func serve(_ pull: Pull, to link: [UInt8], key: PublicKey?) {
    let header = PartHeader(job: pull.job, planTag: pull.planTag, tile: pull.tile, part: 0)
    guard let stored = jobs[pull.job], let run = stored.run, run.planTag == pull.planTag,
      let checksums = stored.checksums, pull.tile.tensor.isStored,
      (0..<run.plan.tileCount(pull.tile.tensor)).contains(pull.tile.index)
    else { return send(.answer(.no, to: header), to: link) }
    guard stored.admits(pull.epoch, for: pull.vrank, key: key) else {
      return send(.answer(.stale, to: header), to: link)
    }
    send(.answer(.have, to: header), to: link)
    var credit = pull.creditBytes
    var part = max(0, pull.firstPart)
    while part < run.plan.partCount(pull.tile.tensor) {
      let bytes = run.plan.payloadBytes(of: pull.tile, part: part)
      guard bytes <= credit else { return }
      credit -= bytes
      do throws(CallFailure) {
        try serve(pull, part: part, plan: run.plan, stored, checksums, to: link)
      } catch {
        report(.failed(pull.job, error))
        return send(.answer(.lost, to: header), to: link)
      }
      part += 1
    }
  }

  private func serve(
    _ pull: Pull, part: Int, plan: Plan, _ stored: StoredJob, _ checksums: TileChecksums,
    to link: [UInt8]
  ) throws(CallFailure) {
    let header = PartHeader(job: pull.job, planTag: pull.planTag, tile: pull.tile, part: part)
    var message = plan.message(of: pull.tile, part: part, job: pull.job, planTag: pull.planTag)
    let expected = checksums.checksum(of: pull.tile, part: part, in: plan)
    message.checksum = expected
    guard let count = message.frameBytes else { return }
    var failure: CallFailure?
    let frame = Frame(count: count) { target in
      message.write(to: target) { payload in
        do throws(CallFailure) {
          try stored.files.reader.read(plan.inputRuns(of: pull.tile, part: part), into: payload)
        } catch {
          failure = error
        }
      }
    }
    if let failure { throw failure }
    guard message.checksum == expected else {
      throw CallFailure(.dataLoss, "\(pull.tile) was changed on the coordinator's disk")
    }
    send(.part(header), payload: frame, to: link)
  }

  /// The next bytes of a block map. Any worker may have them: whoever waits for them isn't a host yet.
  private func serve(_ pull: BlocksPull, to link: [UInt8]) {
    guard let stored = jobs[pull.job], stored.run != nil, !stored.areInputsDropped else { return }
    let reader = stored.files.reader
    let total = reader.byteCount(.blockMap)
    guard (0..<total).contains(pull.offset) else { return }
    let count = min(total - pull.offset, Limits.payloadBytesMaximum)
    do throws(CallFailure) {
      let frame = try chunk(at: pull.offset, count: count) { payload throws(CallFailure) in
        try reader.read(.blockMap, at: pull.offset, into: payload)
      }
      send(.blocks(pull), payload: frame, to: link)
    } catch {
      report(.failed(pull.job, error))
    }
  }

  // MARK: Results

  private func messageIndex(_ header: StateHeader) -> Int? {
    jobs[header.job]?.run?.places.message(header.tile, part: header.part)
  }

  private func take(
    _ header: StateHeader, payload: borrowing Frame?, key: PublicKey?
  ) throws(WireError) -> StatusCode {
    guard let stored = jobs[header.job], let run = stored.run, run.planTag == header.planTag,
      run.places.message(header.tile, part: header.part) != nil,
      run.plan.owner(of: header.tile) == header.vrank
    else { return .notFound }
    guard stored.admits(header.epoch, for: header.vrank, key: key) else {
      return .failedPrecondition
    }
    // What is final doesn't change any more.
    if run.intake.isFinal[header.vrank.index] { return .ok }
    switch payload {
    case .none: throw .missingField("payload")
    case .some(let frame):
      return try frame.withUnsafeBytes { bytes throws(WireError) in
        try take(bytes, header, run.plan, stored)
      }
    }
  }

  private func take(
    _ bytes: UnsafeRawBufferPointer, _ header: StateHeader, _ plan: Plan, _ stored: StoredJob
  ) throws(WireError) -> StatusCode {
    let frame = try PayloadFrame<SoftmaxState>(decoding: bytes)
    let state = frame.message
    guard state.header == header, state.kind == plan.resultKind,
      state.heads == plan.resultHeads(header.tile, part: header.part),
      state.rows == plan.tokens(of: header.tile),
      state.headDimension == plan.job.headDimension,
      state.next == plan.steps(of: header.vrank).count
    else { throw .outOfRange("a result that isn't of its plan") }
    do throws(WireError) {
      try frame.verify(in: bytes)
    } catch {
      return .dataLoss
    }
    do throws(CallFailure) {
      try stored.files.write(
        frame.payload(in: bytes),
        to: plan.outputRuns(header.tile, part: header.part))
    } catch {
      report(.failed(header.job, error))
      return error.code
    }
    return .ok
  }

  private func take(_ end: VRankFinal, from link: [UInt8], key: PublicKey?) {
    guard let stored = jobs[end.job], let run = stored.run,
      run.plan.vranks.contains(end.vrank)
    else { return receipt(end, .notFound, to: link) }
    guard stored.admits(end.epoch, for: end.vrank, key: key) else {
      return receipt(end, .failedPrecondition, to: link)
    }
    stored.awaitFinal(end.vrank, link: link)
    if run.intake.isFinal[end.vrank.index] { return receipt(end, .ok, to: link) }
    // Asked again while it is under way: one answer will do.
    guard !run.isVerifying[end.vrank.index] else { return }
    stored.setVerifying(end.vrank, true)
    verify(end, stored, plan: run.plan)
  }

  // MARK: Calls

  private func answer(
    _ header: CallHeader, _ request: Result<StoreRequest, CallFailure>, payload: borrowing Frame?,
    to link: [UInt8]
  ) {
    do throws(CallFailure) {
      switch try checked(header, request) {
      case .upload(let upload):
        let received = try take(upload, header: header, payload: payload)
        send(
          .reply(header.request, .success(.uploaded(UploadReply(received: received)))), to: link)
      case .read(let read):
        try serve(read, header: header, to: link)
      }
    } catch {
      send(.reply(header.request, .failure(error)), to: link)
    }
  }

  private func checked(
    _ header: CallHeader, _ request: Result<StoreRequest, CallFailure>
  ) throws(CallFailure) -> StoreRequest {
    let request = try request.get()
    if let refusal = request.method.refusal(of: header) { throw refusal }
    return request
  }

  /// The files of a job, for whom they concern: of others' jobs a client learns nothing.
  private func stored(_ job: JobID, _ header: CallHeader) throws(CallFailure) -> StoredJob {
    try lookAgain(for: job, header)
    guard let stored = jobs[job], !stored.isDropped,
      header.role != .client || stored.client == header.client
    else {
      throw CallFailure(.notFound, "job \(job) has nothing in the store")
    }
    return stored
  }

  private func take(
    _ upload: UploadRequest, header: CallHeader, payload: borrowing Frame?
  ) throws(CallFailure) -> Int {
    let stored = try stored(upload.job, header)
    guard stored.files.spec.inputTensors.contains(upload.tensor) else {
      throw CallFailure(.invalidArgument, "job \(upload.job) has no \(upload.tensor)")
    }
    guard stored.checksums == nil, stored.pendingWork == 0 else {
      throw CallFailure(.failedPrecondition, "job \(upload.job) has all its tensors already")
    }
    switch payload {
    case .none: throw CallFailure(.invalidArgument, "an upload without bytes")
    case .some(let frame):
      try frame.withUnsafeBytes { bytes throws(CallFailure) in
        let chunk: PayloadFrame<Chunk>
        do throws(WireError) {
          chunk = try PayloadFrame<Chunk>(decoding: bytes)
          try chunk.verify(in: bytes)
        } catch {
          throw CallFailure(.dataLoss, error.description)
        }
        try stored.files.append(chunk.payload(in: bytes), to: upload.tensor, at: upload.offset)
      }
    }
    report(.received(upload.job))
    return stored.files.received[upload.tensor] ?? 0
  }

  private func serve(
    _ read: ReadRequest, header: CallHeader, to link: [UInt8]
  ) throws(CallFailure) {
    let stored = try stored(read.job, header)
    let reader = stored.files.reader
    let total = reader.byteCount(read.tensor)
    guard read.offset >= 0, read.offset < total else {
      throw CallFailure(.outOfRange, "\(read.tensor) has \(total) bytes; none at \(read.offset)")
    }
    let count = min(read.count, total - read.offset, Limits.payloadBytesMaximum)
    let frame = try chunk(at: read.offset, count: count) { payload throws(CallFailure) in
      try reader.read(read.tensor, at: read.offset, into: payload)
    }
    let reply = ReadReply(offset: read.offset, total: total)
    send(.reply(header.request, .success(.read(reply))), payload: frame, to: link)
  }

  /// The frame of some bytes of a tensor.
  ///
  /// - Parameter count: 1 ... `Limits.payloadBytesMaximum`.
  private func chunk(
    at offset: Int, count: Int,
    _ read: (UnsafeMutableRawBufferPointer) throws(CallFailure) -> Void
  ) throws(CallFailure) -> Frame {
    var chunk = Chunk(offset: offset, count: count, checksum: 0)
    guard let frameBytes = chunk.frameBytes else {
      preconditionFailure("a chunk of \(count) bytes")
    }
    var failure: CallFailure?
    let frame = Frame(count: frameBytes) { target in
      chunk.write(to: target) { payload in
        do throws(CallFailure) {
          try read(payload)
        } catch {
          failure = error
        }
      }
    }
    if let failure { throw failure }
    return frame
  }
}
