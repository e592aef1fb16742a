internal import AttentionMasks

/// Who can take part in a job: how it is cut for the workers that are here, and what is said where
/// none of them has the memory for its share.
extension Coordinator {
  typealias Fit = JobFit<Member>

  /// Cuts a job for the workers that have the memory for their share.
  ///
  /// - Parameters:
  ///   - blocks: the job's block map, once it has come.
  ///   - workers: none to see what the job would take of a single one.
  func fit(
    _ spec: AttentionJob, blocks: BlockMap? = nil, isProtected: Bool, on workers: [Member]
  ) -> Fit {
    Fit(
      spec, blocks: blocks, isProtected: isProtected, on: workers,
      memoryBytes: \.hello.memoryBytes, threads: \.hello.threads)
  }

  /// Workers that a job may be given, in the order of the ring. Spares are left out, unless there are
  /// only spares; so are workers that are about to go, and those that are cordoned.
  var workersForJobs: [Member] { ableForJobs.sorted { naturalOrder($0.name, $1.name) } }

  /// The same in no order.
  var ableForJobs: [Member] {
    let able = members.filter(\.isOpen)
    let active = able.filter { !$0.hello.isSpare }
    return active.isEmpty ? able : active
  }

  /// What a job lacks for which no worker has the memory, and why each of them can't take part.
  func memoryLack(_ fit: Fit) -> String {
    let others = members.sorted { naturalOrder($0.name, $1.name) }.map(whyNot)
    let shown = others.prefix(6).joined(separator: ", ")
    let more = others.count > 6 ? ", and \(others.count - 6) more" : ""
    let count = fit.used.count
    return "the job needs up to \(bytes(fit.estimate.workerBytes)) of memory per worker with"
      + " \(count) \(count == 1 ? "worker" : "workers"); 0 of the \(members.count) here can take"
      + " part: \(shown)\(more); add workers, or give them more --memory"
  }

  private func whyNot(_ member: Member) -> String {
    if member.isDraining { return "\(member.name) is leaving" }
    if member.isCordoned { return "\(member.name) is cordoned" }
    return "\(member.name) has \(bytes(member.hello.memoryBytes))"
  }

  /// Workers that have nothing to do for a job since they have too little memory for a share of it.
  private func tooSmall(for record: JobRecord) -> [Member] {
    switch record.state {
    case .running:
      return members.filter { member in
        member.isOpen && !member.hello.isSpare
          && !record.estimate.fits(member.hello)
          && record.run?.openRanks(of: member.id).isEmpty == true
      }
    case .queued: return members.filter { $0.isOpen && record.unfitWorkers.contains($0.id) }
    default: return []
    }
  }

  /// Whether a worker has too little memory for the job that runs, or for one that waits for memory.
  func isTooSmall(_ worker: WorkerID) -> Bool {
    let waiting = jobs.firstIndex { $0.state == .queued && !$0.unfitWorkers.isEmpty }
    guard let index = activeIndex ?? waiting else { return false }
    return tooSmall(for: jobs[index]).contains { $0.id == worker }
  }

  /// Who takes no part in a running job for want of memory; empty when there is nobody.
  func memoryNote(_ record: JobRecord) -> String {
    guard record.state == .running else { return "" }
    let small = tooSmall(for: record).sorted { naturalOrder($0.name, $1.name) }
    return memoryNote(small, needed: record.estimate.workerBytes)
  }

  func memoryNote(_ small: [Member], needed: Int) -> String {
    guard !small.isEmpty else { return "" }
    let shown = small.prefix(4).map { "\($0.name) (\(bytes($0.hello.memoryBytes)))" }
    let more = small.count > 4 ? " and \(small.count - 4) more" : ""
    return "without \(shown.joined(separator: ", "))\(more): it takes \(bytes(needed)) of memory"
  }
}
