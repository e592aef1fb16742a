/// What the shell does for a job, in order. Each machine of the job's run has effects of its own.
package enum JobEffect: Sendable {
  /// The table of the job changed: other peers, other hosts.
  case adopt(Assignment)
  case tile(TileEffect)
  case step(StepEffect)
  case copy(CopyEffect)
  case held(HeldEffect)
  case restore(RestoreEffect)
  case result(ResultEffect)
  case pass(PassEffect)
}

/// Of tiles: asked for, given to others, kept, packed.
package enum TileEffect: Sendable {
  case pull(Pull, from: Worker.Source)
  case answer(PullAnswer, Pull, to: Worker.Link)
  /// Keep the next part of a tile, which has just arrived.
  case keepPart(TileID, part: Int, Payload)
  /// Send one part that is kept.
  case serve(TileID, part: Int, to: Worker.Link)
  /// Bring a resident tile into the layout that the kernel reads: K/V of all heads, or the rows of
  /// a query tile, which need no frames afterwards. Done before folds that are asked for later begin.
  case pack(TileID)
  /// Also of a tile whose packing hasn't begun.
  case unpack(TileID)
  /// The frames of a tile are no longer wanted.
  case forget(TileID)
}

/// Of hosted ranks: what the compute threads do. Folds, snapshots and results are done in the order in
/// which they are asked for.
package enum StepEffect: Sendable {
  /// Make room for a virtual rank.
  case host(VRank, Epoch)
  /// Do some steps of a virtual rank, ascending, for every row of it.
  case fold(VRank, Epoch, steps: Range<Int>)
  /// Compute once more what a step published, from the tiles that it reads.
  case replay(TileID)
  /// Normalise and digest the result.
  case finish(VRank, Epoch)
  /// The result is final: its memory is free, and its checkpoints are.
  case retire(VRank, Epoch)
  /// Another worker has the rank: its memory is free. Checkpoints stay.
  case abandon(VRank, Epoch)
}

/// Of copies of this worker's ranks.
package enum CopyEffect: Sendable {
  /// Copy the messages `first...` of a rank's state, behind the folds asked for so far.
  case snapshot(VRank, Epoch, next: Int, first: Int)
  case sendCopy(CopyHeader, to: Worker.Source)
  /// Write messages `first...` of the snapshot to a checkpoint slot, 0 or 1, and all of some tiles that the
  /// rank published, and sync it.
  case persist(VRank, Epoch, slot: Int, next: Int, first: Int, tiles: [TileID])
  case dropSnapshot(VRank)
}

/// Of copies of others' ranks in this worker's memory.
package enum HeldEffect: Sendable {
  /// Keep the message of a copy that has just arrived.
  case keepCopy(CopyHeader, Payload)
  /// Messages `first...` that were kept replace those of the copy before: it is whole. Of published tiles
  /// it has these, new and old.
  case completeCopy(VRank, first: Int, tiles: [TileID])
  /// What was kept of a copy that won't become whole.
  case dropPartialCopy(VRank)
  case dropCopy(VRank)
  case receipt(CopyReceipt, to: Worker.Link)
  case stateAnswer(StateAnswer, to: Worker.Link)
  case serveCopy(CopyHeader, to: Worker.Link)
}

/// Of state to go on from.
package enum RestoreEffect: Sendable {
  /// Load the state from the copy in this worker's memory, whatever the disk does.
  case restoreHeld(VRank, Epoch)
  /// Load the state from the best checkpoint.
  case restoreSlot(VRank, Epoch)
  /// The checkpoint is not waited for any more: from now on nothing that is still read of it may get
  /// into the state.
  case endLoad(VRank, Epoch)
  case pullState(StatePull, from: Worker.Source)
  /// Load the message of a copy that has just arrived into the rank's state.
  case loadState(CopyHeader, Payload)
}

/// Of results on their way to the store.
package enum ResultEffect: Sendable {
  case sendResult(VRank, Epoch, message: Int)
  case sendFinal(VRank, Epoch)
}

/// Between producers and readers of what travels.
package enum PassEffect: Sendable {
  case askPass(PassQuestion, to: Worker.Source)
  case answerPass(PassAnswer, to: Worker.Link)
}
