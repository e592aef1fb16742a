internal import MeshCore

/// What is in every state: in accumulators, snapshots, copies and checkpoints.
extension Ledger {
  /// I1 and I2: every message's rows get exactly the tile that is next for them.
  func folded(_ steps: Range<Int>, into rank: SimulatedRank, by worker: WorkerProcess) {
    for message in rank.places.indices {
      // The first step begins the state anew.
      if steps.lowerBound == 0 { rank.folded[message] = 0 }
      let needed = rank.places[message].needed
      for tile in rank.steps[steps] {
        guard let place = needed.place(of: tile) else { continue }
        let next = rank.folded[message]
        if place < next {
          fail(
            .exactTiles, "\(worker.name) folds tile \(tile) into rank \(rank.vrank) a second time")
        } else if place > next {
          fail(
            .foldOrder,
            "\(worker.name) folds tile \(tile) into rank \(rank.vrank) before \(needed[next])")
        }
        rank.folded[message] = place + 1
      }
    }
  }

  func finished(_ rank: SimulatedRank, by worker: WorkerProcess) {
    for (place, folded) in zip(rank.places, rank.folded) where folded != place.needed.count {
      fail(
        .exactTiles,
        "\(worker.name) finishes rank \(rank.vrank) with \(folded) of \(place.needed.count) tiles")
    }
  }

  func snapshotTaken(
    _ messages: [StateMessage?], of rank: SimulatedRank, next: Int, by worker: WorkerProcess
  ) {
    for (place, message) in zip(rank.places, messages) {
      guard let message else { continue }
      if message.folded != place.folded(after: next) {
        fail(
          .exactTiles,
          "\(worker.name)'s snapshot of rank \(rank.vrank) says \(next) and holds \(message.folded)"
        )
      }
      check(message, place, rank.vrank, "snapshot", worker)
    }
  }

  /// The bits of a state are those of the oracle.
  private func check(
    _ message: StateMessage, _ place: MessagePlace, _ vrank: VRank, _ what: String,
    _ worker: WorkerProcess
  ) {
    guard let oracle = job.oracle,
      let right = oracle.state(queryTile: place.queryTile, part: place.part, folded: message.folded)
    else { return }
    if message.payload != right {
      fail(.bits, "a \(what) of rank \(vrank) in \(worker.name) has other bits than the oracle")
    }
  }

  /// I5: a copy that became whole is what it says.
  func completed(_ held: HeldState, of vrank: VRank, by worker: WorkerProcess, _ plan: Plan) {
    copies.insert(Protected(vrank: vrank, next: held.next))
    for (place, message) in zip(plan.places(of: vrank), held.whole) {
      guard let message else {
        fail(
          .trueCopies,
          "\(worker.name)'s copy of rank \(vrank) is told whole, and a message is missing")
        continue
      }
      if message.folded != place.folded(after: held.next) {
        fail(
          .trueCopies,
          "\(worker.name)'s copy of rank \(vrank) says \(held.next) and holds \(message.folded)")
      }
    }
  }

  func loaded(
    _ state: StateMessage, message: Int, of vrank: VRank, by worker: WorkerProcess, _ plan: Plan
  ) {
    check(state, plan.places(of: vrank)[message], vrank, "state to go on from", worker)
  }

  /// I5: a state that was restored is what it was told to be.
  func restored(_ vrank: VRank, next: Int, by worker: WorkerProcess) {
    guard let rank = worker.job?.ranks[vrank.index] else { return }
    for (place, folded) in zip(rank.places, rank.folded) where folded != place.folded(after: next) {
      fail(
        .trueCopies,
        "rank \(vrank) restored in \(worker.name) says \(next) and holds \(folded)")
    }
  }

  // MARK: Checkpoints

  func slotEpoch(of vrank: VRank, in slots: SlotDirectory) -> Epoch {
    slots.epochs(of: vrank).max() ?? .lowest
  }

  /// - Parameter highest: the highest epoch that the directory had files of before the write.
  func persisted(_ write: SlotDirectory.Write, by worker: WorkerProcess, highest: Epoch) {
    if write.epoch < highest {
      fail(
        .staleEpoch,
        "a checkpoint of rank \(write.vrank) was written under \(write.epoch) after \(highest)")
    }
    checkpoints.insert(Protected(vrank: write.vrank, next: write.next))
    // The rank is final, or its job over: nobody will read it.
    if worker.slots.isUnlinked(write, by: worker.index) { return }
    // What rots unnoticed is known as bad when it is read.
    if worker.slots.isDamaged(write, by: worker.index) { return }
    guard let best = worker.slots.best(of: write.vrank, upTo: write.epoch),
      let plan = worker.job?.plan
    else {
      return fail(.trueCopies, "a checkpoint of rank \(write.vrank) can't be read back")
    }
    for (place, message) in zip(plan.places(of: write.vrank), best.slot.messages)
    where message.folded != place.folded(after: best.slot.next) {
      fail(
        .trueCopies,
        "a checkpoint of rank \(write.vrank) says \(best.slot.next) and holds \(message.folded)")
    }
  }
}
