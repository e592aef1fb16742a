internal import AttentionMasks
package import Checksums
package import MeshCore
internal import MeshWire
package import ZeroMQ

/// The store's half of the coordinator: a thread that owns the data socket and the files. It takes
/// uploads, serves tiles, takes results; what is slow (digests, syncs) is done on an I/O thread.
package final class StoreLoop {
  /// What other threads tell it.
  package enum Order: Sendable {
    case command(StoreCommand)
    case sealed(JobID, Result<Sealed, CallFailure>)
    case verified(VRankFinal, Result<Bool, CallFailure>)
    case finished(JobID, Result<[Digest], CallFailure>)
    case stop
  }

  /// What is found of a job's inputs once all of them are there.
  package struct Sealed: Sendable {
    fileprivate let digests: InputDigests
    fileprivate let blocks: BlockMap?
    fileprivate let checksums: TileChecksums

    /// Reads them, and saves the checksums where the inputs have names.
    init(_ reader: JobReader, of job: JobID, in directory: JobDirectory?) throws(CallFailure) {
      blocks = try reader.blocks()
      digests = InputDigests(
        query: try reader.digest(.query), key: try reader.digest(.key),
        value: try reader.digest(.value), blockMap: blocks.map { SHA256.hash($0.bytes) },
        outputGradient: try reader.digestIfAny(.outputGradient),
        rowStatistics: try reader.digestIfAny(.rowStatistics))
      checksums = try TileChecksums(reader)
      if let directory { try checksums.save(in: directory, of: job, with: reader) }
    }
  }

  private let router: OwnedSocket
  private let orders: Mailbox<Order>
  /// Nil where everybody is admitted.
  private let gate: AllowGate?
  private let tell: @Sendable (StoreEvent) -> Void
  let directory: StoreDirectory
  let reopened: ReopenedJobs
  let background: BackgroundQueue
  var jobs: [JobID: StoredJob] = [:]
  /// Jobs that are done and whose files aren't there, and whose they are: somebody may put the files
  /// back.
  var missing: [JobID: (spec: AttentionJob, client: String)] = [:]
  private var droppedMessages = 0
  private var shim = MessageShim(3)

  /// - Parameters:
  ///   - router: bound.
  ///   - reopened: what was found of an earlier coordinator's jobs.
  ///   - tell: posts to the coordinator's core.
  package init(
    router: OwnedSocket, orders: Mailbox<Order>, directory: StoreDirectory,
    reopened: ReopenedJobs = ReopenedJobs(), background: BackgroundQueue, gate: AllowGate? = nil,
    tell: @escaping @Sendable (StoreEvent) -> Void
  ) {
    self.router = router
    self.orders = orders
    self.directory = directory
    self.reopened = reopened
    self.background = background
    self.gate = gate
    self.tell = tell
  }

  /// Runs until it is told to stop.
  package func run() throws(ZeroMQError) {
    var poller = Poller()
    poller.watch(router)
    poller.watch(orders)
    while true {
      try poller.wait(upTo: nil)
      guard takeOrders() else { return }
      for _ in 0..<16 {
        guard let message = try router.socket.receive() else { break }
        // What a worker was told before it sent this, the store was told before.
        guard takeOrders() else { return }
        if shim == nil { receive(message) } else { passThroughShim(message) }
      }
    }
  }

  /// False when it is to stop.
  private func takeOrders() -> Bool {
    for order in orders.drain() {
      if case .stop = order {
        // Files with names stay for the next coordinator; the others vanish when they are closed.
        jobs.removeAll()
        return false
      }
      act(order)
    }
    return true
  }

  private func passThroughShim(_ message: consuming Message) {
    var shim = shim
    shim?.pass(message, to: receive)
    self.shim = shim
  }

  // MARK: Orders

  private func act(_ order: Order) {
    switch order {
    case .command(let command): act(command)
    case .sealed(let job, let outcome):
      settle(job) { stored in
        switch outcome {
        case .success(let sealed):
          stored.checksums = sealed.checksums
          tell(.sealed(job, sealed.digests, blocks: sealed.blocks))
        case .failure(let failure): tell(.failed(job, failure))
        }
      }
    case .verified(let end, let outcome):
      settle(end.job) { stored in
        stored.setVerifying(end.vrank, false)
        switch outcome {
        case .success(true): tell(.stored(end.job, end.vrank, end.epoch))
        case .success(false): receipt(end, .dataLoss, to: stored.run?.finalLinks[end.vrank.index])
        case .failure(let failure): tell(.failed(end.job, failure))
        }
      }
    case .finished(let job, let outcome):
      settle(job) { _ in
        switch outcome {
        case .success(let digests): tell(.finished(job, digests: digests))
        case .failure(let failure): tell(.failed(job, failure))
        }
      }
    case .stop: break
    }
  }

  /// Ends a piece of background work. Files that were dropped in the meantime go now.
  private func settle(_ job: JobID, _ body: (StoredJob) -> Void) {
    guard let stored = jobs[job] else { return }
    stored.pendingWork -= 1
    guard stored.isDropped else {
      if stored.areInputsDropped, stored.pendingWork == 0 { stored.files.removeInputs() }
      return body(stored)
    }
    remove(job, stored)
  }

  private func act(_ command: StoreCommand) {
    switch command {
    case .create(let job, let spec, let client):
      do throws(CallFailure) {
        jobs[job] = StoredJob(files: try directory.create(job, spec))
        jobs[job]?.client = client
        tell(.created(job))
      } catch {
        tell(.failed(job, error))
      }
    case .seal(let job): seal(job)
    case .reopen(let job, let spec, let client, let needsInputs):
      reopen(job, spec, client: client, needsInputs: needsInputs)
    case .begin(let table, let plan, let isFinal):
      jobs[table.job]?.begin(table, plan: plan, isFinal: isFinal)
    case .fence(let table): jobs[table.job]?.fence(table)
    case .acknowledge(let job, let vrank, let epoch):
      let link = jobs[job]?.markFinal(vrank)
      receipt(VRankFinal.end(job, vrank, epoch), .ok, to: link)
    case .finish(let job): finish(job)
    case .drop(let job, let keepResult):
      missing[job] = nil
      guard let stored = jobs[job] else {
        // What couldn't be created or reopened.
        if !keepResult { directory.remove(job) }
        return tell(.dropped(job))
      }
      if keepResult {
        stored.areInputsDropped = true
        stored.forgetBlocks()
        if stored.pendingWork == 0 { stored.files.removeInputs() }
        return
      }
      stored.isDropped = true
      remove(job, stored)
    }
  }

  private func remove(_ job: JobID, _ stored: StoredJob) {
    guard stored.pendingWork == 0 else { return }
    stored.files.remove()
    jobs[job] = nil
    tell(.dropped(job))
  }

  private func seal(_ job: JobID) {
    guard let stored = jobs[job] else { return }
    if let missing = stored.files.missing {
      return tell(.failed(job, CallFailure(.failedPrecondition, missing)))
    }
    let (reader, directory) = (stored.files.reader, stored.files.directory)
    stored.pendingWork += 1
    background.run { [orders] in
      var outcome: Result<Sealed, CallFailure>
      do throws(CallFailure) {
        outcome = .success(try Sealed(reader, of: job, in: directory))
      } catch {
        outcome = .failure(error)
      }
      _ = orders.post(.sealed(job, outcome))
    }
  }

  private func finish(_ job: JobID) {
    guard let stored = jobs[job] else { return }
    let reader = stored.files.reader
    stored.pendingWork += 1
    background.run { [orders] in
      var outcome: Result<[Digest], CallFailure>
      do throws(CallFailure) {
        outcome = .success(try reader.resultDigests())
      } catch {
        outcome = .failure(error)
      }
      _ = orders.post(.finished(job, outcome))
    }
  }

  /// Compares a rank's stored result with the digest that its worker announced.
  func verify(_ end: VRankFinal, _ stored: StoredJob, plan: Plan) {
    let (reader, isNamed) = (stored.files.reader, stored.files.directory != nil)
    stored.pendingWork += 1
    background.run { [orders] in
      var outcome: Result<Bool, CallFailure>
      do throws(CallFailure) {
        let isRight = try reader.digest(of: end.vrank, plan: plan) == end.digest
        if isRight, isNamed { try reader.syncOutputs() }
        outcome = .success(isRight)
      } catch {
        outcome = .failure(error)
      }
      _ = orders.post(.verified(end, outcome))
    }
  }

  // MARK: Messages

  private func receive(_ message: consuming Message) {
    guard let link = message.routingID else { return }
    let caller = gate?.entry(message.user)
    do throws(WireError) {
      var frame = try message.header.withUnsafeBytes { bytes throws(WireError) in
        try DataFrame(decoding: bytes)
      }
      if gate != nil {
        guard let caller, let allowed = frame.asked(by: caller) else {
          droppedMessages += 1
          if caller == nil, case .call(let header, _) = frame {
            send(.reply(header.request, .failure(.revokedKey)), to: link)
          }
          return
        }
        frame = allowed
      }
      try receive(frame, payload: message.payload, from: link, key: caller?.key)
    } catch {
      // Malformed: dropped and counted, never answered, never fatal.
      droppedMessages += 1
    }
  }

  /// Sends what may be lost: whoever misses it asks again.
  func send(_ frame: DataFrame, payload: consuming Frame? = nil, to link: [UInt8]) {
    let message = Message(routingID: link, header: Frame(frame.encode()), payload: payload)
    let result = try? router.socket.send(message)
    if result != .sent { droppedMessages += 1 }
  }

  func receipt(_ end: VRankFinal, _ status: StatusCode, to link: [UInt8]?) {
    guard let link else { return }
    let receipt = ResultReceipt(
      job: end.job, vrank: end.vrank, epoch: end.epoch, message: -1, status: status)
    send(.receipt(receipt), to: link)
  }

  func report(_ event: StoreEvent) { tell(event) }
}

extension DataFrame {
  /// What it is when somebody with a key sends it; nil for what the key doesn't allow. Tiles and
  /// results are between workers and the store; who calls is who the key says.
  fileprivate func asked(by caller: AllowList.Entry) -> DataFrame? {
    guard case .call(var header, let request) = self else {
      return caller.role == .worker ? self : nil
    }
    (header.role, header.client) = (caller.role, caller.name)
    return .call(header, request)
  }
}

extension VRankFinal {
  /// An end whose digest doesn't matter any more.
  static func end(_ job: JobID, _ vrank: VRank, _ epoch: Epoch) -> VRankFinal {
    VRankFinal(job: job, vrank: vrank, epoch: epoch, digest: SHA256.hash([]))
  }
}
