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
/// `heads`, each head's tokens in order, row-major; for K/V all keys, then all values, for queries of a job of
/// gradients Q, dO, then the statistics of the rows.
package struct TilePart: Hashable, Sendable {
  package var header: PartHeader
  package var heads: Range<Int>
  package var tokens: Range<Int>
  package var headDimension: Int
  package var element: ElementType
  /// Bytes of one token of one head, of all tensors of the tile.
  package var rowBytes: Int
  /// Of the payload: computed once, by the input store or where the tile was computed.
  package var checksum: UInt32

  package static let rowBytesMaximum = 4_096

  package init(
    header: PartHeader, heads: Range<Int>, tokens: Range<Int>, headDimension: Int,
    element: ElementType, rowBytes: Int, checksum: UInt32
  ) {
    self.header = header
    self.heads = heads
    self.tokens = tokens
    self.headDimension = headDimension
    self.element = element
    self.rowBytes = rowBytes
    self.checksum = checksum
  }
}

/// What one message of a rank's state or result says about itself, in a copy, a hand-over, or on its way to
/// the store. The payload follows: float32 of what `kind` says.
package struct SoftmaxState: Hashable, Sendable {
  package var job: JobID
  package var planTag: UInt64
  package var vrank: VRank
  package var epoch: Epoch
  /// K/V tiles folded: 0 ..< next.
  package var next: Int
  /// Queries, of whose rows it is, or dK and dV.
  package var tile: TileID
  package var part: Int
  package var heads: Range<Int>
  package var rows: Range<Int>
  package var headDimension: Int
  package var kind: Kind
  /// Of the payload.
  package var checksum: UInt32

  package enum Kind: UInt8, Sendable, CaseIterable {
    /// O [heads][rows][headDimension], not normalised, then m [heads][rows], the running maximum in base 2,
    /// then l [heads][rows].
    case running = 1
    /// O, divided by l, then the natural log-sum-exp [heads][rows].
    case normalised = 2
    /// dQ [heads][rows][headDimension], in a state yet to be multiplied by the scale; of a tile of keys dK, then
    /// dV likewise.
    case gradients = 3
  }

  /// Numbers of each row.
  package var columns: Int {
    switch kind {
    case .running: headDimension + 2
    case .normalised: headDimension + 1
    case .gradients: tile.tensor == .query ? headDimension : 2 * headDimension
    }
  }

  package init(
    job: JobID, planTag: UInt64, vrank: VRank, epoch: Epoch, next: Int, tile: TileID, part: Int,
    heads: Range<Int>, rows: Range<Int>, headDimension: Int, kind: Kind, checksum: UInt32
  ) {
    self.job = job
    self.planTag = planTag
    self.vrank = vrank
    self.epoch = epoch
    self.next = next
    self.tile = tile
    self.part = part
    self.heads = heads
    self.rows = rows
    self.headDimension = headDimension
    self.kind = kind
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
