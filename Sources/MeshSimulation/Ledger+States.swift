internal import FoldEngine
internal import MeshCore

/// What is in every state: in accumulators, snapshots, copies and checkpoints.
extension Ledger {
  /// I1 and I2: every message's rows get exactly the tile that is next for them.
  func folded(_ steps: Range<Int>, into rank: SimulatedRank, by worker: WorkerProcess) {
    for message in rank.places.indices {
      // The first step begins the state anew.
      if steps.lowerBound == 0 { rank.folded[message] = 0 }
      for step in steps {
        guard let place = rank.places[message].place(of: step) else { continue }
        let next = rank.folded[message]
        if place < next {
          fail(
            .exactTiles, "\(worker.name) does step \(step) of rank \(rank.vrank) a second time")
        } else if place > next {
          fail(
            .foldOrder,
            "\(worker.name) does step \(step) of rank \(rank.vrank) before others")
        }
        rank.folded[message] = place + 1
      }
    }
  }

  func finished(_ rank: SimulatedRank, by worker: WorkerProcess) {
    for (place, folded) in zip(rank.places, rank.folded) where folded != place.count {
      fail(
        .exactTiles,
        "\(worker.name) finishes rank \(rank.vrank) with \(folded) of \(place.count) steps")
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
      let right = oracle.state(place, folded: message.folded)
    else { return }
    if message.payload != right {
      fail(.bits, "a \(what) of rank \(vrank) in \(worker.name) has other bits than the oracle")
    }
  }

  /// I20: a tile has the bytes that it has in any other run, however often it is published.
  func published(_ publication: SimulatedTile, by worker: WorkerProcess) {
    if let right = job.oracle?.published(publication.tile), right != publication.parts {
      fail(.sameAgain, "\(worker.name) publishes \(publication.tile) with other bytes")
    }
  }

  /// I21: whoever goes on from a copy finds with it what was published before and is never computed again.
  private func check(
    _ tiles: [TileID: [[UInt8]]], of vrank: VRank, next: Int, _ plan: Plan, _ what: String
  ) {
    let steps = plan.steps(of: vrank)
    for step in 0..<min(next, steps.count) {
      guard let tile = steps.publishes(step), tile.tensor != .partial else { continue }
      if tiles[tile] == nil {
        fail(.retention, "\(what) of rank \(vrank) at \(next) is without \(tile)")
      }
    }
    for (tile, parts) in tiles where job.oracle?.published(tile).map({ $0 != parts }) == true {
      fail(.sameAgain, "\(what) of rank \(vrank) has other bytes of \(tile)")
    }
  }

  /// I5: a copy that became whole is what it says.
  func completed(_ held: HeldState, of vrank: VRank, by worker: WorkerProcess, _ plan: Plan) {
    copies.insert(Protected(vrank: vrank, next: held.next))
    check(held.tiles, of: vrank, next: held.next, plan, "\(worker.name)'s copy")
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
