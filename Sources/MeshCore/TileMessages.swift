package import Checksums
package import ElementTypes

/// Asks a holder for a tile. It is also the credit: a holder sends these parts and no more.
package struct Pull: Hashable, Sendable {
  package var job: JobID
  /// First eight bytes of the plan hash: enough to refuse a stranger's tile.
  package var planTag: UInt64
  package var tile: TileID
  /// Parts from this one on are wanted; earlier ones have arrived.
  package var firstPart: Int
  /// Payload bytes that may be sent in answer.
  package var creditBytes: Int
  /// Who asks, and for which of its virtual ranks under which epoch.
  package var worker: WorkerID
  package var vrank: VRank
  package var epoch: Epoch

  package init(
    job: JobID, planTag: UInt64, tile: TileID, firstPart: Int, creditBytes: Int,
    worker: WorkerID, vrank: VRank, epoch: Epoch
  ) {
    self.job = job
    self.planTag = planTag
    self.tile = tile
    self.firstPart = firstPart
    self.creditBytes = creditBytes
    self.worker = worker
    self.vrank = vrank
    self.epoch = epoch
  }
}

/// The immediate answer to a `Pull`.
package enum PullAnswer: UInt8, Sendable, CaseIterable {
  /// The parts follow.
  case have = 1
  /// Asked for and not yet received: the parts follow as they arrive.
  case coming = 2
  /// Outside my window, or already dropped: ask the owner.
  case no = 3
  /// The request carries an epoch that isn't the rank's any more, or comes from another than its host.
  case stale = 4
  /// What is stored no longer has its checksum: nobody can serve it.
  case lost = 5
  /// The rank that computes it is here, and will publish it: the parts follow then, however long it takes.
  case later = 6
  /// It was published here and passed on: whoever needs it again computes it again.
  case gone = 7
}

/// Precedes a tile part or a result part on the wire: which one it is, without decoding it.
package struct PartHeader: Hashable, Sendable {
  package var job: JobID
  package var planTag: UInt64
  package var tile: TileID
  package var part: Int

  package init(job: JobID, planTag: UInt64, tile: TileID, part: Int) {
    self.job = job
    self.planTag = planTag
    self.tile = tile
    self.part = part
  }
}

/// What one part of a tile says about itself. The payload follows it in the same message: rows of
/// `heads`, each head's tokens in order, row-major; for K/V all keys, then all values.
package struct TilePart: Hashable, Sendable {
  package var header: PartHeader
  package var heads: Range<Int>
  package var tokens: Range<Int>
  package var headDimension: Int
  package var element: ElementType
  /// Of the payload: computed once, by the input store.
  package var checksum: UInt32

  package init(
    header: PartHeader, heads: Range<Int>, tokens: Range<Int>, headDimension: Int,
    element: ElementType, checksum: UInt32
  ) {
    self.header = header
    self.heads = heads
    self.tokens = tokens
    self.headDimension = headDimension
    self.element = element
    self.checksum = checksum
  }
}

/// What one message of softmax state says about itself: (O, m, l, next) of some rows, as a result,
/// a copy or a hand-over. The payload follows: float32 O [heads][rows][headDimension], then m
/// [heads][rows], then l [heads][rows]; when normalised O is divided by l, m is the natural
/// log-sum-exp and l is absent.
package struct SoftmaxState: Hashable, Sendable {
  package var job: JobID
  package var planTag: UInt64
  package var vrank: VRank
  package var epoch: Epoch
  /// K/V tiles folded: 0 ..< next.
  package var next: Int
  package var queryTile: Int
  package var part: Int
  package var heads: Range<Int>
  package var rows: Range<Int>
  package var headDimension: Int
  package var isNormalised: Bool
  /// Of the payload.
  package var checksum: UInt32

  package init(
    job: JobID, planTag: UInt64, vrank: VRank, epoch: Epoch, next: Int, queryTile: Int, part: Int,
    heads: Range<Int>, rows: Range<Int>, headDimension: Int, isNormalised: Bool, checksum: UInt32
  ) {
    self.job = job
    self.planTag = planTag
    self.vrank = vrank
    self.epoch = epoch
    self.next = next
    self.queryTile = queryTile
    self.part = part
    self.heads = heads
    self.rows = rows
    self.headDimension = headDimension
    self.isNormalised = isNormalised
    self.checksum = checksum
  }
}

/// Ends the result of a virtual rank: all its parts were acknowledged, and this is their digest,
/// over the payloads in order of query tile and part.
package struct VRankFinal: Hashable, Sendable {
  package var job: JobID
  package var vrank: VRank
  package var epoch: Epoch
  package var digest: Digest

  package init(job: JobID, vrank: VRank, epoch: Epoch, digest: Digest) {
    self.job = job
    self.vrank = vrank
    self.epoch = epoch
    self.digest = digest
  }
}

/// Acknowledges one message of a result, or its end.
package struct ResultReceipt: Hashable, Sendable {
  package var job: JobID
  package var vrank: VRank
  package var epoch: Epoch
  /// Index of the message among the virtual rank's, in order of query tile and part; −1 for the end.
  package var message: Int
  /// OK; FAILED_PRECONDITION for a stale epoch; DATA_LOSS for a wrong checksum or digest.
  package var status: StatusCode

  package init(job: JobID, vrank: VRank, epoch: Epoch, message: Int, status: StatusCode) {
    self.job = job
    self.vrank = vrank
    self.epoch = epoch
    self.message = message
    self.status = status
  }
}
