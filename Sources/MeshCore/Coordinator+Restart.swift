internal import AttentionMasks

/// A coordinator that takes over from one that died: what was decided holds, under its epochs; what
/// was not on disk never happened.
extension Coordinator {
  /// Reads the jobs of earlier coordinators.
  mutating func restore(
    _ images: [JobImage], blocks: [JobID: BlockMap], at now: Duration
  ) {
    for image in images {
      // A clock that was set must not end a job at once, or never.
      let gap = min(max(0, configuration.wallSeconds - image.writtenAt), 30 * 86_400)
      jobs.append(
        JobRecord(
          image, blocks: blocks[image.job], gap: .milliseconds(Int64(gap * 1_000)), at: now))
      nextNumber = max(nextNumber, image.number + 1)
      let request = SubmitRequest(
        spec: image.spec, deadlineSeconds: image.deadlineSeconds, isProtected: image.isProtected,
        name: image.name ?? "")
      replies.remember(
        .submit(request), id: image.request, .success(.submitted(submitReply(jobs[jobs.count - 1])))
      )
    }
  }

  func submitReply(_ record: JobRecord) -> SubmitReply {
    SubmitReply(
      job: record.id, storeEndpoint: configuration.storeEndpoint,
      workerBytes: record.estimate.workerBytes, diskBytes: record.estimate.diskBytes)
  }

  /// Goes on with every job from where it was: its workers may have folded all the while.
  mutating func takeUpJobs(at now: Duration, into effects: inout [Effect]) {
    let open = jobs.count { !$0.state.isTerminal }
    if open > 0 { gathering.returnsUntil = now + Limits.rejoinTimeout }
    observe(
      Observation(
        .coordinatorRestarted,
        detail: "term \(configuration.term): \(counted(jobs.count, "job")) known, \(open) not ended"
      ),
      at: now, into: &effects)
    for index in jobs.indices { takeUp(index, at: now, into: &effects) }
  }

  private mutating func takeUp(_ index: Int, at now: Duration, into effects: inout [Effect]) {
    let job = jobs[index]
    if let needsInputs = job.state.needsInputs(isDiscarded: job.isDiscarded) {
      effects.append(
        .store(.reopen(job.id, job.spec, client: job.client, needsInputs: needsInputs)))
    }
    switch job.state {
    case .uploading, .sealing:
      fail(
        index, "the coordinator was restarted before all its tensors had arrived; submit it again",
        at: now, into: &effects)
    case .done, .failed, .cancelled: break
    case .queued, .running, .finishing:
      guard !job.lacksBlocks else {
        return fail(
          index, "its block map isn't in the coordinator's store as it was; submit it again",
          at: now, into: &effects)
      }
      guard let run = job.run else { return }
      effects.append(
        .store(.begin(run.table, plan: run.plan, isFinal: run.ranks.map(\.isFinal))))
      if job.state == .finishing { effects.append(.store(.finish(job.id))) }
    }
  }

  /// Workers that don't come back, after a restart or when all were cut off, are lost.
  mutating func expireAwaited(at now: Duration, into effects: inout [Effect]) {
    guard let index = activeIndex, let run = jobs[index].run else { return }
    let late = run.awaited.filter { now >= $0.value }.map(\.key).sorted()
    guard !late.isEmpty else { return }
    for worker in late { jobs[index].run?.awaited[worker] = nil }
    guard jobs[index].state == .running else { return }
    // Of those that were cut off it was told already.
    for worker in late where !run.openRanks(of: worker).isEmpty && !missing.contains(worker) {
      let identity = run.participant(worker).map { run.participants[$0].identity }
      let known = returning.take(worker)
      guard
        let status = known
          ?? identity.map({ WorkerStatus($0, silentSeconds: run.rejoinTimeout.seconds) })
      else { continue }
      tellNotBack(status, at: now, into: &effects)
    }
    giveUp(late, of: index, because: "it did not come back", at: now, into: &effects)
  }
}

extension WorkerStatus {
  /// What is known of a worker that took part in a job and hasn't been heard since.
  fileprivate init(_ identity: JobImage.Participant, silentSeconds: Double) {
    self.init(
      worker: identity.worker, name: identity.name, processID: identity.processID,
      numerics: identity.numerics, level: identity.level, threads: identity.threads, memoryBytes: 0,
      residentBytes: 0, endpoint: "", silentSeconds: silentSeconds, job: nil, vranks: [],
      standing: .lost)
  }
}

extension JobImage {
  /// Whether a coordinator that takes the job up needs its inputs, or only what is there of its result;
  /// nil when it needs no files.
  package var needsInputs: Bool? { state.needsInputs(isDiscarded: isDiscarded) }
}

extension JobState {
  fileprivate func needsInputs(isDiscarded: Bool) -> Bool? {
    switch self {
    // It fails, and its files go.
    case .uploading, .sealing: false
    case .queued, .running, .finishing: true
    case .done: isDiscarded ? nil : false
    case .failed, .cancelled: nil
    }
  }
}
