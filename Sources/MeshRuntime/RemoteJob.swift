internal import Checksums
package import MeshCore

/// One job at a coordinator, from submit to result, as a client sees it.
package struct RemoteJob {
  private let client: MeshClient
  private let isCancelled: () -> Bool
  package let id: JobID
  package let admission: SubmitReply

  /// Submits a job and sends its tensors.
  ///
  /// - Parameters:
  ///   - progress: told bytes sent and to send.
  ///   - admitted: told the job's id before the first byte is sent.
  package init(
    submitting inputs: some JobSource, deadlineSeconds: Double, isProtected: Bool = true,
    name: String = "", client: MeshClient, isCancelled: @escaping () -> Bool,
    admitted: (SubmitReply) -> Void = { _ in },
    progress: (Int, Int) -> Void
  ) throws(MeshError) {
    self.client = client
    self.isCancelled = isCancelled
    let request = SubmitRequest(
      spec: inputs.spec, deadlineSeconds: deadlineSeconds, isProtected: isProtected, name: name)
    let outcome = try client.call(.submit(request), isCancelled: isCancelled)
    guard case .submitted(let reply) = try outcome.orThrow() else { throw Self.strange }
    id = reply.job
    admission = reply
    admitted(reply)
    do throws(MeshError) {
      try client.connectStore(reply.storeEndpoint)
      try upload(inputs, progress)
      try inputs.checkUnchanged()
      // Digesting takes a while for large tensors.
      let patience = Duration.seconds(60 + inputs.spec.inputBytes >> 26)
      let start = try client.call(.start(id), patience: patience, isCancelled: isCancelled)
      _ = try start.orThrow()
    } catch {
      if error.kind == .unreachable, !client.isConnected { throw error }
      // A job that ended while its tensors were on their way has nothing in the store: say why.
      if error.kind != .interrupted, let status = try? status(),
        let reason = Self.failure(status)
      {
        throw reason
      }
      _ = try? client.call(.cancel(id), patience: .seconds(2))
      throw error
    }
  }

  /// What the coordinator would answer to a submit, which it doesn't note.
  package static func admission(
    of inputs: some JobSource, isProtected: Bool, client: MeshClient
  ) throws(MeshError) -> SubmitReply {
    let request = SubmitRequest(
      spec: inputs.spec, deadlineSeconds: 0, isProtected: isProtected, isDryRun: true)
    guard case .submitted(let reply) = try client.call(.submit(request)).orThrow() else {
      throw Self.strange
    }
    return reply
  }

  /// Why a job won't have a result; nil when it may.
  private static func failure(_ status: JobStatus) -> MeshError? {
    let job = status.summary
    switch job.state {
    case .failed: return MeshError(.jobFailed, "job \(job.job) failed: \(job.reason)")
    case .cancelled: return MeshError(.jobFailed, "job \(job.job) was \(job.reason)")
    default: return nil
    }
  }

  /// Comes back to a job.
  package init(
    _ id: JobID, client: MeshClient, isCancelled: @escaping () -> Bool
  ) {
    self.id = id
    self.client = client
    self.isCancelled = isCancelled
    admission = SubmitReply(job: id, storeEndpoint: "", workerBytes: 0, diskBytes: 0)
  }

  private static var strange: MeshError {
    MeshError(.unreachable, "the coordinator gave an answer to something else")
  }

  private func upload(_ inputs: some JobSource, _ progress: (Int, Int) -> Void) throws(MeshError) {
    let total = inputs.spec.inputBytes
    var sent = 0
    let buffer = UnsafeMutableRawBufferPointer.allocate(
      byteCount: Limits.payloadBytesMaximum, alignment: 64)
    defer { buffer.deallocate() }
    for tensor in inputs.spec.inputTensors {
      var offset = 0
      let count = inputs.spec.byteCount(tensor)
      while offset < count {
        let part = UnsafeMutableRawBufferPointer(
          rebasing: buffer[..<min(buffer.count, count - offset)])
        try inputs.read(tensor, at: offset, into: part)
        let received = try client.upload(
          id, tensor, at: offset, UnsafeRawBufferPointer(part), isCancelled: isCancelled)
        guard received > offset else { throw Self.strange }
        offset = received
        progress(sent + offset, total)
      }
      sent += count
    }
  }

  package func status() throws(MeshError) -> JobStatus {
    let outcome = try client.call(.status(id), isCancelled: isCancelled)
    guard case .status(let status) = try outcome.orThrow() else { throw Self.strange }
    return status
  }

  /// Follows the job to its end, also over a restart of its coordinator: one that was there may be
  /// away for as long as the client's patience lasts.
  ///
  /// - Parameters:
  ///   - interval: after which it looks again, also when nothing has happened, for the progress.
  ///   - progress: told the status as it changes.
  /// - Returns: the last status: done.
  /// - Throws: the job failed, was cancelled, or the coordinator is gone.
  package func wait(
    interval: Duration = .milliseconds(400), progress: (JobStatus) -> Void
  ) throws(MeshError) -> JobStatus {
    var (position, term): (UInt64, UInt64) = (0, 0)
    var notice = WaitNotice()
    // Whoever was admitted has talked to it.
    var wasKnown = !admission.storeEndpoint.isEmpty
    while true {
      let outcome = try client.call(
        .status(id), patience: wasKnown ? client.patience : nil, isCancelled: isCancelled)
      if wasKnown, case .failure(let failure) = outcome, failure.code == .notFound {
        throw MeshError(
          .unreachable,
          "the coordinator was restarted and no longer knows job \(id): submit it again")
      }
      guard case .status(let status) = try outcome.orThrow() else { throw Self.strange }
      wasKnown = true
      progress(status)
      tellWait(status, &notice)
      if status.summary.state == .done { return status }
      if let failure = Self.failure(status) { throw failure }
      // Returns at the next event of the job, or soon enough to redraw progress.
      let request = EventsRequest(after: position, job: id, term: term)
      let events = try? client.call(
        .events(request), patience: interval, grace: .seconds(2), endsWithConnection: true,
        isCancelled: isCancelled)
      guard case .success(.events(let reply)) = events else {
        // Too many wait for events already, or nobody answers: look again in a while.
        sleep(seconds: 0.4)
        continue
      }
      (position, term) = (reply.next, reply.term)
    }
  }

  /// Says what a job waits for that doesn't run. That it is another's turn is nothing to say at once.
  private func tellWait(_ status: JobStatus, _ notice: inout WaitNotice) {
    let job = status.summary
    guard job.state == .queued, !job.reason.isEmpty || job.ageSeconds >= 1 else { return }
    var what =
      job.reason.isEmpty ? "waits for its turn, as number \(status.queuePosition)" : job.reason
    if what == "waits for workers" {
      what += "; start some with: attnmesh worker --coordinator \(client.endpoint)"
    }
    notice.tell(
      job.reason.isEmpty ? "turn" : job.reason, "job \(job.job) \(what)", client.notify)
  }

  /// Cancels the job.
  package func cancel() throws(MeshError) {
    _ = try client.call(.cancel(id), patience: .seconds(2)).orThrow()
  }

  /// Reads the result of a finished job into files, and checks its digests.
  package func fetch(
    into files: borrowing ResultFiles, withLogSumExp: Bool, progress: (Int, Int) -> Void
  ) throws(MeshError) -> JobStatus {
    try fetch(withLogSumExp ? [.output, .logSumExp] : [.output], progress: progress) {
      (tensor, offset, bytes) throws(MeshError) in
      try files.write(tensor, at: offset, bytes)
    }
  }

  /// Reads tensors of the result of a finished job, and checks their digests.
  ///
  /// - Parameters:
  ///   - tensors: in the order in which they are wanted.
  ///   - progress: told bytes read and to be read.
  ///   - take: given the float32 bytes of each tensor in order, with the offset of the first of them.
  package func fetch(
    _ tensors: [OutputTensor], progress: (Int, Int) -> Void,
    take: (OutputTensor, Int, UnsafeRawBufferPointer) throws(MeshError) -> Void
  ) throws(MeshError) -> JobStatus {
    let outcome = try client.call(
      .result(id), patience: client.patience, isCancelled: isCancelled)
    guard case .result(let reply) = try outcome.orThrow() else { throw Self.strange }
    try client.connectStore(reply.storeEndpoint)
    let spec = reply.status.summary.spec
    guard tensors.allSatisfy({ spec.outputTensors.contains($0) }) else {
      throw MeshError(
        .badInput,
        "job \(id) \(spec.isBackward ? "computes gradients" : "computes no gradients")")
    }
    let total = tensors.reduce(0) { $0 + spec.byteCount($1) }
    var done = 0
    for tensor in tensors {
      try fetch(tensor, spec.byteCount(tensor), reply.status.digest(of: tensor)) {
        (offset, bytes) throws(MeshError) in
        try take(tensor, offset, bytes)
        progress(done + offset + bytes.count, total)
      }
      done += spec.byteCount(tensor)
    }
    return reply.status
  }

  private func fetch(
    _ tensor: OutputTensor, _ count: Int, _ digest: Digest?,
    take: (Int, UnsafeRawBufferPointer) throws(MeshError) -> Void
  ) throws(MeshError) {
    let hasher = SHA256()
    var offset = 0
    while offset < count {
      let read = try client.read(id, tensor, at: offset, isCancelled: isCancelled) {
        (bytes) throws(MeshError) in
        hasher.update(bytes)
        try take(offset, bytes)
      }
      guard read > 0 else { throw Self.strange }
      offset += read
    }
    guard hasher.finish() == digest else {
      throw MeshError(
        .jobFailed, "the result of job \(id) was damaged on its way; fetch it again")
    }
  }

  /// Lets the coordinator forget the result. If that fails the result expires by itself: the output
  /// is whole either way.
  package func discard() {
    _ = try? client.call(.discard(id), patience: .seconds(5))
  }
}

extension CallOutcome {
  /// The reply, or the refusal as somebody at a terminal should read it.
  package func orThrow() throws(MeshError) -> CallReply {
    switch self {
    case .success(let reply): return reply
    case .failure(let failure): throw failure.meshError
    }
  }
}
