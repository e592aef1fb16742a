internal import AttentionMasks

/// One message of a copy of a virtual rank's state, on its way to a holder's memory or back from it.
/// The payload frame, a `SoftmaxState` that isn't normalised, comes with it. Messages of a copy are
/// numbered as those of a result: by query tile and part.
package struct CopyHeader: Hashable, Sendable {
  package var job: JobID
  package var planTag: UInt64
  package var vrank: VRank
  /// Of the host that sends a copy; of the copy when it is sent back.
  package var epoch: Epoch
  /// Steps done in the whole copy: the first `next` K/V tiles that the rank needs are folded.
  package var next: Int
  /// The first message of this copy: what is before it is as in the copy that the holder has, since
  /// rows that see no further key don't change any more.
  package var first: Int
  package var message: Int
  /// Messages that it would have if it were whole: `first ..< count` are sent. Those of the state come first,
  /// and then those of tiles that the rank published and somebody still may need.
  package var count: Int
  /// Of messages of tiles: steps of the copy that the holder has, with the tiles published before.
  package var base: Int
  /// What travelled and was published before this step isn't needed any more.
  package var released: Int
  /// Of which tile the message is, and which part; nil for the state.
  package var tile: TileID?
  package var part: Int

  package init(
    job: JobID, planTag: UInt64, vrank: VRank, epoch: Epoch, next: Int, first: Int, message: Int,
    count: Int, base: Int = 0, released: Int = 0, tile: TileID? = nil, part: Int = 0
  ) {
    self.job = job
    self.planTag = planTag
    self.vrank = vrank
    self.epoch = epoch
    self.next = next
    self.first = first
    self.message = message
    self.count = count
    self.base = base
    self.released = released
    self.tile = tile
    self.part = part
  }
}

extension CopyHeader {
  package func receipt(_ status: StatusCode) -> CopyReceipt {
    CopyReceipt(
      job: job, vrank: vrank, epoch: epoch, next: next, message: message, status: status)
  }
}

/// A holder's answer to a message of a copy. The copy is whole when the last one is acknowledged.
package struct CopyReceipt: Hashable, Sendable {
  package var job: JobID
  package var vrank: VRank
  package var epoch: Epoch
  package var next: Int
  package var message: Int
  /// OK for this message and all before it; FAILED_PRECONDITION for a stale epoch; DATA_LOSS for a
  /// wrong checksum; NOT_FOUND when the holder lacks what comes before `first`; UNAVAILABLE when it
  /// hasn't been told that it holds the rank's copies.
  package var status: StatusCode

  package init(
    job: JobID, vrank: VRank, epoch: Epoch, next: Int, message: Int, status: StatusCode
  ) {
    self.job = job
    self.vrank = vrank
    self.epoch = epoch
    self.next = next
    self.message = message
    self.status = status
  }
}

/// Asks a holder for a copy, a few messages at a time: it is also the credit.
package struct StatePull: Hashable, Sendable {
  package var job: JobID
  package var planTag: UInt64
  package var vrank: VRank
  /// Of the new host: from then on the holder refuses lower ones.
  package var epoch: Epoch
  /// The messages that are wanted.
  package var messages: Range<Int>

  package init(
    job: JobID, planTag: UInt64, vrank: VRank, epoch: Epoch, messages: Range<Int>
  ) {
    self.job = job
    self.planTag = planTag
    self.vrank = vrank
    self.epoch = epoch
    self.messages = messages
  }
}

extension StatePull {
  package func answer(next: Int, count: Int = 0, _ status: StatusCode) -> StateAnswer {
    StateAnswer(job: job, vrank: vrank, epoch: epoch, next: next, count: count, status: status)
  }
}

/// The immediate answer to a `StatePull`; the messages follow when there is a copy.
package struct StateAnswer: Hashable, Sendable {
  package var job: JobID
  package var vrank: VRank
  /// Of the pull.
  package var epoch: Epoch
  /// Steps done in the copy; 0 when there is none.
  package var next: Int
  /// Messages of which it consists.
  package var count: Int
  /// OK; NOT_FOUND when there is no copy; FAILED_PRECONDITION for a stale epoch.
  package var status: StatusCode

  package init(
    job: JobID, vrank: VRank, epoch: Epoch, next: Int, count: Int, status: StatusCode
  ) {
    self.job = job
    self.vrank = vrank
    self.epoch = epoch
    self.next = next
    self.count = count
    self.status = status
  }
}

extension Plan {
  /// Messages of which the state of a virtual rank consists.
  package func messageCount(of vrank: VRank) -> Int {
    queryTileCount(of: vrank) * resultPartCount
  }

  /// The most messages that published tiles add to a copy.
  func publishedParts(of steps: RankSteps) -> Int {
    guard publishes else { return 0 }
    return steps.publishedMaximum
      * max(partCount(.hidden), partCount(.partial), partCount(.gradient))
  }

  /// The first message of a rank's state that may differ between `base` and any later number of folded
  /// tiles: rows before it see no further key.
  package func firstMessage(of vrank: VRank, changedSince base: Int) -> Int {
    // Where there are further phases each begins rows anew.
    guard base > 0, phases.count == 1 else { return 0 }
    let tiles = queryTiles(of: vrank)
    // Settled steps never fall from tile to tile.
    let unchanged = Runs.partition(tiles.count) { settledSteps(ofQueryTile: tiles[$0]) > base }
    return unchanged * resultPartCount
  }

  /// Whether a message that was made when `part` tiles were folded, and all before it, are as they would
  /// be with `whole`.
  package func isCurrent(queryTile: Int, madeAt part: Int, in whole: Int) -> Bool {
    guard phases.count == 1 else { return part == whole }
    let settled = settledSteps(ofQueryTile: queryTile)
    return min(part, settled) == min(whole, settled)
  }

  /// Numbers of one row of a rank's state: O, m and l, or dQ.
  private var stateColumns: Int { job.headDimension + (job.isBackward ? 0 : 2) }

  /// Payload bytes of one message of a rank's state.
  package func stateBytes(queryTile: Int, part: Int) -> Int {
    resultHeads(queryTile: queryTile, part: part).count * queryRows(of: queryTile).count
      * stateColumns * 4
  }

  /// Payload bytes of the state of a virtual rank.
  package func stateBytes(of vrank: VRank) -> Int {
    queryTiles(of: vrank).reduce(0) {
      $0 + headCount(.query) * queryRows(of: $1).count * stateColumns * 4
    }
  }
}
