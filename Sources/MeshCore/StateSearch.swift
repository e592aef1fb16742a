/// Finds the state of a rank that another worker had: in memories, the best first, then on disk; where there
/// is none, the rank begins again.
struct StateSearch: Sendable {
  private let vrank: VRank
  private let epoch: Epoch
  private let steps: RankSteps
  /// Memories that may have a copy, and haven't been asked.
  private var sources: [WorkerID]
  private var hasTriedSlots = false
  /// Published tiles that came with the copy that is being pulled.
  private var tiles: [TileID] = []
  /// Times that the last source was silent.
  private var silences = 0
  private var stage = Stage.idle

  /// Where the search is.
  private enum Stage: Sendable {
    case idle
    /// A peer was asked.
    case pulling(WorkerID, Pulling)
    /// The shell reads a copy in memory, or a checkpoint, which is waited for until the deadline.
    case loading(deadline: Duration?)
  }

  /// A copy on its way here.
  private struct Pulling: Sendable {
    /// What the holder said that it has: steps, and messages; nil until it has answered.
    var copy: (next: Int, count: Int)?
    var received = 0
    var asked: Int
    var deadline: Duration
  }

  /// What a rank goes on from; `state` is nil where there is nothing.
  struct Found {
    var state: WorkerMessage.Restored?
    var tiles: [TileID] = []
    /// In whose memory it is.
    var source: WorkerID?
  }

  init(of rank: HostedRank, in sources: [WorkerID]) {
    vrank = rank.vrank
    epoch = rank.epoch
    steps = rank.steps
    self.sources = sources
  }

  /// Whether the source that is asked now is the last one, and worth asking again.
  private var isLastChance: Bool { sources.isEmpty && silences < Limits.copyRepeatsMaximum }

  /// Asks the next source, if none is being asked.
  ///
  /// - Parameter isHeld: whether there is a copy in this worker's own memory.
  mutating func proceed(
    _ view: JobView, isHeld: Bool, at now: Duration, into effects: inout Effects
  ) -> Found? {
    guard case .idle = stage else { return nil }
    while !sources.isEmpty {
      let source = sources.removeFirst()
      if source == view.worker {
        guard isHeld else { continue }
        // Memory answers: only a disk may not.
        stage = .loading(deadline: nil)
        effects.append(.restoreHeld(vrank, epoch))
        return nil
      }
      guard view.assignment.peer(of: source) != nil, view.isReachable(source) else { continue }
      pull(from: source, nil, received: 0, view, at: now, into: &effects)
      return nil
    }
    guard view.hasSlots, !hasTriedSlots else { return Found() }
    hasTriedSlots = true
    stage = .loading(deadline: now + view.plan.slotPatience(of: vrank))
    effects.append(.restoreSlot(vrank, epoch))
    return nil
  }

  private mutating func pull(
    from source: WorkerID, _ copy: (next: Int, count: Int)?, received: Int, _ view: JobView,
    at now: Duration, into effects: inout Effects
  ) {
    let end = min(
      received + Limits.copyMessagesOutstanding, copy?.count ?? view.plan.messageCount(of: vrank))
    stage = .pulling(
      source,
      Pulling(copy: copy, received: received, asked: end, deadline: now + Limits.copyTimeout))
    if received == 0 { tiles = [] }
    effects.append(
      .pullState(
        StatePull(
          job: view.job, planTag: view.planTag, vrank: vrank, epoch: epoch,
          messages: received..<end),
        from: .peer(source)))
  }

  // MARK: From a peer's memory

  /// What a holder says that it has.
  mutating func receive(
    _ answer: StateAnswer, from source: Worker.Source, _ plan: Plan, at now: Duration
  ) {
    guard case .pulling(let asked, var pulling) = stage, source == .peer(asked) else { return }
    let states = plan.messageCount(of: vrank)
    let isUsable =
      answer.status == .ok && (1...steps.count).contains(answer.next)
      && (states...states + plan.publishedParts(of: steps)).contains(answer.count)
      && pulling.copy.map { $0 == (answer.next, answer.count) } ?? true
    guard isUsable else {
      stage = .idle
      return
    }
    pulling.copy = (answer.next, answer.count)
    pulling.deadline = now + Limits.copyTimeout
    stage = .pulling(asked, pulling)
  }

  /// Whether a message of a copy is the next one of what is being pulled.
  func takes(_ header: CopyHeader, from source: Worker.Source, _ plan: Plan) -> Bool {
    guard case .pulling(let asked, let pulling) = stage, let copy = pulling.copy else {
      return false
    }
    return source == .peer(asked) && header.epoch == epoch && header.next == copy.next
      && header.count == copy.count
      && header.message == pulling.received && pulling.received < pulling.asked
      && plan.isPossible(header)
  }

  /// Takes the next message.
  mutating func receive(
    _ header: CopyHeader, _ payload: Payload, from source: Worker.Source, _ view: JobView,
    at now: Duration, into effects: inout Effects
  ) -> Found? {
    guard takes(header, from: source, view.plan), case .pulling(let asked, var pulling) = stage
    else { return nil }
    effects.append(.loadState(header, payload))
    if let tile = header.tile, header.part == 0 { tiles.append(tile) }
    if header.message + 1 == header.count {
      let state = WorkerMessage.Restored(tier: .memory, next: header.next)
      return Found(state: state, tiles: tiles, source: asked)
    }
    if header.message + 1 == pulling.asked {
      pull(
        from: asked, pulling.copy, received: header.message + 1, view, at: now, into: &effects)
      return nil
    }
    pulling.received += 1
    pulling.deadline = now + Limits.copyTimeout
    stage = .pulling(asked, pulling)
    return nil
  }

  /// The connection to a source broke, or a message of it is damaged: the next one is asked, and the
  /// last one again at the deadline.
  mutating func giveUp(_ source: Worker.Source) {
    guard case .pulling(let asked, _) = stage, source == .peer(asked), !isLastChance else {
      return
    }
    stage = .idle
  }

  // MARK: What the shell reads

  /// The shell has read a state, or found none.
  mutating func loaded(_ state: WorkerMessage.Restored?, _ tiles: [TileID]) -> Found? {
    guard case .loading = stage else { return nil }
    guard let state else {
      stage = .idle
      return nil
    }
    return Found(state: state, tiles: tiles)
  }

  // MARK: What doesn't come

  /// A silent source is left for the next one; the last one is asked again, since to begin again costs
  /// more than to wait for a message that was lost, or for a process that was stopped. A disk that blocks and
  /// gives no error isn't waited for: the rank begins again without its checkpoint.
  mutating func expire(_ view: JobView, at now: Duration, into effects: inout Effects) {
    switch stage {
    case .pulling(let asked, let pulling) where now >= pulling.deadline:
      guard isLastChance else {
        stage = .idle
        return
      }
      silences += 1
      pull(from: asked, pulling.copy, received: pulling.received, view, at: now, into: &effects)
    case .loading(let deadline?) where now >= deadline:
      stage = .idle
      effects.append(.endLoad(vrank, epoch))
      effects.alarm(vrank, "a checkpoint isn't read after", view.plan)
    case .idle, .pulling, .loading: break
    }
  }
}
