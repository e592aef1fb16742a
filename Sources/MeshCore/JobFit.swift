package import AttentionMasks

/// A job, cut for the workers that have the memory for their share of it: the rule of admission, also
/// for whoever only wants to know what it would say.
package struct JobFit<Host> {
  package let plan: Plan
  /// Those that would be given ranks.
  package let used: [Host]
  /// What it takes of each of them.
  package let estimate: MemoryEstimate
  /// Those that were left out, since they have too little memory.
  package let small: [Host]
  /// Whether those that are used have enough.
  package let isPossible: Bool

  /// Without those that haven't the memory the others' shares are larger: it may be that nobody is left
  /// who could take part.
  ///
  /// - Parameters:
  ///   - blocks: the job's block map; nil where it has none, or its contents haven't come yet: then as
  ///     much is needed as without one.
  ///   - workers: none to see what the job would take of a single one.
  package init(
    _ spec: AttentionJob, blocks: BlockMap? = nil, isProtected: Bool, on workers: [Host],
    memoryBytes: (Host) -> Int, threads: (Host) -> Int
  ) {
    var able = Array(workers.indices)
    while true {
      let count = max(1, able.count)
      let plan = Plan(
        job: spec, vrankCount: spec.vrankCount(workers: count), blocks: blocks ?? spec.blocksUnknown
      )
      let used = able.prefix(plan.vrankCount)
      let estimate = MemoryEstimate(
        plan: plan, workers: min(count, plan.vrankCount), isProtected: isProtected,
        threads: used.map { threads(workers[$0]) }.max() ?? MemoryEstimate.threadsUnknown)
      func fits(_ index: Int) -> Bool {
        estimate.fits(memoryBytes: memoryBytes(workers[index]), threads: threads(workers[index]))
      }
      let fitting = able.filter(fits)
      let isPossible = used.allSatisfy(fits)
      if isPossible || fitting.isEmpty {
        self.plan = plan
        self.used = used.map { workers[$0] }
        self.estimate = estimate
        small = workers.indices.filter { !able.contains($0) }.map { workers[$0] }
        self.isPossible = isPossible
        return
      }
      able = fitting
    }
  }
}

extension [WorkerStatus] {
  /// Workers that a job may be given, in the order of the ring. Spares are left out, unless there are
  /// only spares; so are workers that are about to go, and those that are cordoned.
  package var forJobs: [WorkerStatus] {
    let active = filter { $0.standing == .active || $0.standing == .tooSmall }
    let able = active.isEmpty ? filter { $0.standing == .spare } : active
    return able.sorted { naturalOrder($0.name, $1.name) }
  }
}
