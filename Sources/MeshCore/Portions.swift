package import AttentionMasks

/// How one process computes a job without holding all of its rows: in portions, one after the other.
///
/// A portion is some query heads with all their rows or, where one head alone takes too much, a run of
/// one head's query tiles. It folds every K/V tile that it sees, in order, so the bits are those of any
/// other cut. Portions follow each other in the order in which the output is stored.
package struct Portions: Hashable, Sendable {
  /// What a portion takes where there is room: more would save nothing, since packing a K/V tile again
  /// for the next portion is nothing beside folding it into so many rows.
  package static let bytesWanted = 256 << 20

  package let job: AttentionJob
  private let blocks: BlockMap?
  /// Flattened query heads in a portion: whole groups that share a K/V head, or a part of one group.
  private let headCount: Int
  /// Runs of query tiles into which each head is cut; more than one only of single heads.
  package let runCount: Int

  /// Cuts a job into the largest portions that take no more than `bytes`, or into the smallest there
  /// are.
  ///
  /// - Parameter blocks: the job's block map.
  package init(of job: AttentionJob, blocks: BlockMap? = nil, bytes: Int = bytesWanted) {
    self.job = job
    self.blocks = blocks
    let group = job.queriesPerKeyHead
    let perHead = Self.stateBytes(job, tiles: Self.tileCount(job))
    let perTile = Self.windowBytes(job)
    // What a job says of each head has a bound of its own, which heads of several sequences may pass.
    let mostLogits = job.logits.isByHead ? max(1, LogitRule.headsMaximum / group) : .max
    let mostMaps = job.mask.blocks?.isPerHead == true ? job.keyValueHeads : .max
    let most = min(mostLogits, mostMaps)
    let groups = min(bytes / (group * perHead + perTile), most)
    let heads = max(0, bytes - perTile) / perHead
    if groups > 0 {
      headCount = group * Self.evenly(job.flatKeyValueHeads, atMost: groups)
      runCount = 1
    } else if heads > 0 {
      headCount = Self.evenly(group, atMost: heads)
      runCount = 1
    } else {
      headCount = 1
      let tiles = max(1, max(0, bytes - perTile) / Self.stateBytes(job, tiles: 1))
      let runs = (Self.tileCount(job) + tiles - 1) / tiles
      runCount = min(runs, Limits.vranksMaximum)
    }
  }

  /// Bytes that one of them takes at most: its rows, and the window of packed K/V tiles.
  package var bytes: Int {
    let tiles = (Self.tileCount(job) + runCount - 1) / runCount
    let keyHeads = max(1, headCount / job.queriesPerKeyHead)
    return headCount * Self.stateBytes(job, tiles: tiles) + keyHeads * Self.windowBytes(job)
  }

  /// The query heads of successive portions; each range is computed `runCount` times, for a run of rows
  /// each.
  package var headRanges: [Range<Int>] {
    let group = job.queriesPerKeyHead
    // Never across the edge of a group that is cut.
    let whole = headCount < group ? group : job.flatQueryHeads
    return stride(from: 0, to: job.flatQueryHeads, by: whole).flatMap { start in
      stride(from: start, to: start + whole, by: headCount).map {
        $0..<min($0 + headCount, start + whole)
      }
    }
  }

  package var count: Int { headRanges.count * runCount }

  /// The K/V heads that query heads of a portion see.
  package func keyHeads(of heads: Range<Int>) -> Range<Int> {
    let group = job.queriesPerKeyHead
    return heads.lowerBound / group..<(heads.upperBound - 1) / group + 1
  }

  /// The job of some query heads alone; its virtual ranks are their portions.
  package func plan(of heads: Range<Int>) -> Plan {
    var part = job
    part.batch = 1
    part.queryHeads = heads.count
    part.keyValueHeads = keyHeads(of: heads).count
    part.layout = .contiguous
    part.vranks = 0
    part.headCuts = 1
    part.strategy = .auto
    part.grid = nil
    let places = heads.map { $0 % job.queryHeads }
    part.logits = job.logits.ofHeads(places)
    return Plan(job: part, vrankCount: runCount, blocks: blocks?.ofHeads(places))
  }

  /// The size of pieces that are as many as they have to be, and as equal as they can be.
  private static func evenly(_ count: Int, atMost most: Int) -> Int {
    let pieces = (count + most - 1) / most
    return (count + pieces - 1) / pieces
  }

  private static func tileCount(_ job: AttentionJob) -> Int {
    (job.queryTokens + Plan.queryTileRows - 1) / Plan.queryTileRows
  }

  /// One head's packed queries (their room is the result's in the end), O, m and l of some tiles.
  private static func stateBytes(_ job: AttentionJob, tiles: Int) -> Int {
    tiles * Plan.queryTileRows * (2 * MemoryEstimate.padded(job.headDimension) + 3) * 4
  }

  /// One head's packed K/V tiles: those of the window, the one that is packed, and one that was just
  /// folded.
  private static func windowBytes(_ job: AttentionJob) -> Int {
    let keys = (min(job.keyTokens, Plan.keyTileKeys) + 63) / 64 * 64
    return (Limits.windowTiles + 2) * 2 * keys * MemoryEstimate.padded(job.headDimension) * 4
  }
}
