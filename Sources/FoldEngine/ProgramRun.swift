package import MeshCore

/// All steps of some virtual ranks, one after the other in the one order of all steps: what a mesh
/// computes, without a mesh.
///
/// What a step reads is packed before it, and goes once no later step reads it. The queue may be at
/// earlier steps meanwhile, at most `Limits.windowTiles` of them.
package struct ProgramRun<Engine: ProgramEngine> {
  /// Hands over the payload of one part of a tile that none of the ranks publishes.
  package typealias Source = (
    _ tile: TileID, _ part: Int, _ take: (UnsafeRawBufferPointer) -> Void
  ) throws -> Void

  /// A step that is done.
  package struct DoneStep {
    package let vrank: VRank
    package let step: Int
    package let publication: Publication?
  }

  /// A rank's steps, and the first of them that wasn't given to the queue.
  private struct Progress {
    let vrank: VRank
    let steps: RankSteps
    var next = 0

    var order: StepOrder? { next < steps.count ? steps.order(next) : nil }
  }

  private struct Unfinished {
    let vrank: VRank
    let step: Int
    let work: Engine.Work
  }

  private let plan: Plan
  private let engine: Engine
  private var ranks: [Progress]
  private var packed: Set<TileID> = []
  /// What was given to the queue and may not be done, in order.
  private var unfinished: [Unfinished] = []

  /// - Parameters:
  ///   - vranks: whose steps are done; by default all.
  ///   - engine: one for this plan. The ranks stay hosted by it: states and results are asked of it.
  package init(plan: Plan, vranks: [VRank]? = nil, engine: Engine) {
    self.plan = plan
    self.engine = engine
    ranks = (vranks ?? plan.vranks).map { Progress(vrank: $0, steps: plan.steps(of: $0)) }
  }

  /// Does all steps.
  ///
  /// - Parameters:
  ///   - queue: who does their work, and nobody else's meanwhile. However the run ends, nothing of it is
  ///     left there.
  ///   - source: asked for one part at a time, before the first step that reads the tile.
  ///   - stepDone: told every step in order once it is done; throws to end the run.
  /// - Throws: what `source` or `stepDone` throws; tiles may be left in the engine then.
  package consuming func run(
    on queue: some WorkQueue, source: Source, stepDone: (DoneStep) throws -> Void
  ) rethrows {
    defer { queue.cancel() }
    for rank in ranks {
      engine.host(rank.vrank)
      guard !rank.steps.isEmpty else { continue }
      for tile in plan.queryTiles(of: rank.vrank) { try pack(.query(tile), source) }
    }
    while let first = first() {
      let (vrank, step) = (ranks[first].vrank, ranks[first].next)
      let reads = ranks[first].steps.reads(step)
      for tile in reads {
        // Its producer's step was given before, and may not be done.
        while isPublished(tile), !packed.contains(tile) {
          precondition(!unfinished.isEmpty, "\(tile) is read before it is published")
          try settle(queue, unfinished: unfinished.count - 1, stepDone)
        }
        if packed.insert(tile).inserted { try pack(tile, source) }
      }
      let work = engine.work(of: vrank, steps: step..<step + 1)
      queue.submit(work)
      unfinished.append(Unfinished(vrank: vrank, step: step, work: work))
      ranks[first].next += 1
      // The work keeps what it reads.
      for tile in reads where !isRead(tile) {
        engine.unpack(tile)
        packed.remove(tile)
      }
      try settle(queue, unfinished: Limits.windowTiles, stepDone)
    }
    while !unfinished.isEmpty {
      try settle(queue, unfinished: unfinished.count - 1, stepDone)
    }
  }

  /// The rank whose next step comes first; of equals the first.
  private func first() -> Int? {
    ranks.indices.compactMap { index in ranks[index].order.map { (index, $0) } }
      .min { $0.1 < $1.1 }?.0
  }

  /// Whether one of the ranks publishes a tile.
  private func isPublished(_ tile: TileID) -> Bool {
    !tile.tensor.isStored && ranks.contains { $0.steps.step(publishing: tile) != nil }
  }

  /// Whether a step that wasn't given to the queue reads a tile.
  private func isRead(_ tile: TileID) -> Bool {
    ranks.contains { $0.steps.read(tile, in: $0.next..<$0.steps.count) }
  }

  private func pack(_ tile: TileID, _ source: Source) rethrows {
    for part in 0..<plan.partCount(tile.tensor) {
      try source(tile, part) { engine.pack(tile, part: part, payload: $0) }
    }
  }

  /// Waits until no more than so many steps are unfinished, and takes what those that are done published.
  private mutating func settle(
    _ queue: some WorkQueue, unfinished count: Int, _ stepDone: (DoneStep) throws -> Void
  ) rethrows {
    let left = queue.wait(unfinished: count)
    while unfinished.count > left {
      let done = unfinished.removeFirst()
      let publication = done.work.publications.first
      if let publication, isRead(publication.tile) {
        packed.insert(publication.tile)
        for (part, payload) in publication.parts.enumerated() {
          engine.pack(publication.tile, part: part, payload: payload.bytes)
        }
      }
      try stepDone(
        DoneStep(vrank: done.vrank, step: done.step, publication: publication))
    }
  }
}
