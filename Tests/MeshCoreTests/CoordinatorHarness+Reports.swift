import MeshCore

/// What workers report of a job, by the last table that left.
extension CoordinatorHarness {
  /// Two workers or as many as are named, and a job that runs on them.
  static func running(
    on workers: [UInt64] = [1, 2], _ spec: AttentionJob = sampleJob(queries: 600),
    isProtected: Bool = true, stragglers: StragglerPolicy = .report
  ) -> (CoordinatorHarness, JobID, Assignment)? {
    let mesh = CoordinatorHarness(stragglers: stragglers)
    for worker in workers { mesh.join(worker) }
    guard let job = mesh.queue(spec, isProtected: isProtected), let table = mesh.table else {
      return nil
    }
    return (mesh, job, table)
  }

  /// The rank's host tells how far it is, under the epoch of the last table.
  func progress(
    _ vrank: Int, next: Int, copied: Int = 0, durable: Int = 0,
    restored: WorkerMessage.Restored? = nil, isHandedOver: Bool = false, epoch: Epoch? = nil
  ) -> WorkerMessage.Progress {
    let host = table?.hosts[vrank]
    return WorkerMessage.Progress(
      vrank: VRank(vrank), epoch: epoch ?? host?.epoch ?? .lowest, next: next, needed: 0,
      copied: copied, durable: durable, restored: restored, isHandedOver: isHandedOver)
  }

  /// A worker tells that all its ranks are at one tile.
  func report(
    _ worker: UInt64, job: JobID, next: Int, copied: Int = 0, durable: Int = 0,
    restored: WorkerMessage.Restored? = nil, isHandedOver: Bool = false
  ) {
    let ranks = table?.ranks(of: worker) ?? []
    beat(
      worker, job: job,
      progress: ranks.map {
        progress(
          $0, next: next, copied: copied, durable: durable, restored: restored,
          isHandedOver: isHandedOver)
      })
  }

  func next(_ job: JobID, _ vrank: Int) -> Int? { status(job)?.ranks[vrank].next }

  /// A worker tells which copies it holds: pairs of rank and tile.
  func hold(_ worker: UInt64, job: JobID, _ copies: [(vrank: Int, next: Int)]) {
    beat(
      worker, job: job,
      held: copies.map {
        WorkerMessage.HeldCopy(
          vrank: VRank($0.vrank), epoch: Epoch(term: 3, counter: 1), next: $0.next)
      })
  }
}
