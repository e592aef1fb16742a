internal import MeshCore

/// What is in every state: in accumulators, snapshots, copies and checkpoints.
extension Ledger {
  /// I1 and I2: every message's rows get exactly the tile that is next for them.
  func folded(_ tiles: Range<Int>, into rank: SimulatedRank, by worker: WorkerProcess) {
    for message in rank.places.indices {
      // The first tile begins the state anew.
      if tiles.lowerBound == 0 { rank.folded[message] = 0 }
      let needed = rank.places[message].needed
      for tile in tiles where tile < needed {
        let next = rank.folded[message]
        if tile < next {
          fail(
            .exactTiles, "\(worker.name) folds tile \(tile) into rank \(rank.vrank) a second time")
        } else if tile > next {
          fail(
            .foldOrder, "\(worker.name) folds tile \(tile) into rank \(rank.vrank) before \(next)")
        }
        rank.folded[message] = tile + 1
      }
    }
  }

  func finished(_ rank: SimulatedRank, by worker: WorkerProcess) {
    for (place, folded) in zip(rank.places, rank.folded) where folded != place.needed {
      fail(
        .exactTiles,
        "\(worker.name) finishes rank \(rank.vrank) with \(folded) of \(place.needed) tiles")
    }
  }

  func snapshotTaken(
    _ messages: [StateMessage?], of rank: SimulatedRank, next: Int, by worker: WorkerProcess
  ) {
    for (place, message) in zip(rank.places, messages) {
      guard let message else { continue }
      if message.folded != min(next, place.needed) {
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
    _ message: StateMessage, _ place: (queryTile: Int, part: Int, needed: Int), _ vrank: VRank,
    _ what: String, _ worker: WorkerProcess
  ) {
    guard let oracle = job.oracle,
      let right = oracle.state(queryTile: place.queryTile, part: place.part, next: message.folded)
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
      if message.folded != min(held.next, place.needed) {
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
    for (place, folded) in zip(rank.places, rank.folded) where folded != min(next, place.needed) {
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
    where message.folded != min(best.slot.next, place.needed) {
      fail(
        .trueCopies,
        "a checkpoint of rank \(write.vrank) says \(best.slot.next) and holds \(message.folded)")
    }
  }
}
