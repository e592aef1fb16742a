internal import AttentionMasks

/// The job a worker has: its machines, which keep what they know to themselves, and what goes from one to the
/// other.
package struct WorkerRun: Sendable {
  var view: JobView
  var hosted: HostedRanks
  var cache: TileCache
  var fetching = TileFetch()
  var server = TileServer()
  var copies = CopySender()
  var held = HeldCopies()
  var credit = ResultDelivery.Credit()
  var passes = PassWaiters()
  /// Travelling accumulators that a rank publishes before readers have passed some.
  let outboxTiles: Int

  /// - Parameters:
  ///   - assignment: without a problem, and `worker` is one of its peers.
  ///   - blocks: the job's block map, if it has one.
  init(
    assignment: Assignment, blocks: BlockMap?, worker: WorkerID, windowBytes: Int,
    outboxTiles: Int, hasSlots: Bool, defect: Defect?
  ) {
    let plan = Plan(job: assignment.spec, vrankCount: assignment.vrankCount, blocks: blocks)
    view = JobView(
      assignment: assignment, plan: plan, worker: worker,
      // A checkpoint has rows alone, and not what ranks published.
      hasSlots: hasSlots && !plan.job.isBackward, defect: defect)
    hosted = HostedRanks(defect: defect)
    cache = TileCache(plan: plan, window: TileWindow(plan: plan, budget: windowBytes))
    self.outboxTiles = outboxTiles
  }

  package var job: JobID { view.job }
  package var plan: Plan { view.plan }
  package var assignment: Assignment { view.assignment }
  /// Sorted by virtual rank.
  package var ranks: [HostedRank] { hosted.list }
  package var progress: [WorkerMessage.Progress] { hosted.list.map(\.progress) }
  package var heldCopies: [WorkerMessage.HeldCopy] { held.list }
  /// Peers that can't be connected to, ascending.
  package var unreachable: [WorkerID] { view.unreachable }

  /// Whether a part is the next one of a tile that was asked for. Any source's will do: what comes
  /// late from one that was given up is as good as what the next one sends.
  package func takes(_ part: Int, of tile: TileID) -> Bool {
    guard let request = cache.request(of: tile) else { return false }
    return request.received == part && part < plan.partCount(tile.tensor)
  }

  /// Whether a message of a copy is the next one of a state that is being pulled.
  package func takes(_ header: CopyHeader, from source: Worker.Source) -> Bool {
    guard header.job == job, header.planTag == view.planTag,
      let index = hosted.index(of: header.vrank), let search = hosted[index].restoring
    else { return false }
    return search.takes(header, from: source, plan)
  }

  /// Whatever can be done now, after any event. What is asked for first is done first.
  mutating func proceed(at now: Duration, into effects: inout Effects) {
    seekStates(at: now, into: &effects)
    endRevivals(into: &effects)
    var window = hosted.windowTiles
    cache.unpack(except: window, hosted, into: &effects)
    if fetch(window, at: now, into: &effects) { window = hosted.windowTiles }
    cache.pack(window, hosted, into: &effects)
    hosted.fold(cache, view, outboxTiles: outboxTiles, into: &effects)
    replayReady(into: &effects)
    passOn(at: now, into: &effects)
    copies.proceed(&hosted, view, at: now, into: &effects)
    finishRanks(into: &effects)
    sendResults(at: now, into: &effects)
  }

  /// Time has passed.
  mutating func expire(at now: Duration, into effects: inout Effects) {
    fetching.expire(&cache, for: hosted, view, at: now, into: &effects)
    for index in hosted.indices {
      let step = hosted[index].next
      hosted[index].result?.expire(&credit, at: now, step: step, into: &effects)
    }
    for index in hosted.indices {
      hosted[index].restoring?.expire(view, at: now, into: &effects)
    }
    copies.expire(&hosted, view, at: now, into: &effects)
  }
}
