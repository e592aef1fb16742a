package import AttentionKernels
internal import AttentionMasks
package import MeshCore

/// The backward pass of some K/V heads and the query heads that see them, in one process.
///
/// FlashAttention-2's (Dao 2023, algorithm 2): five products for each pair of a query tile and a K/V tile,
/// from the log-sum-exp over all keys. The order in which sums grow is the same however the work is
/// cut: dQ of a query tile over ascending K/V tiles; dK and dV of a K/V tile over descending query tiles
/// and, within one, over ascending query heads of the group. So the bits depend on no number of threads.
///
/// K/V tiles are cut into lanes. Query tiles go along the lanes one behind the other, so that in each wave
/// all lanes have work, of different query tiles.
package struct GradientRun {
  /// A tensor that is read.
  package enum Source: Hashable, Sendable {
    case query, key, value, outputGradient
  }

  /// A gradient that is handed out.
  package enum Gradient: Hashable, Sendable {
    case query, key, value
  }

  /// Rows [heads][tokens][d] of some flattened heads of a tensor.
  package typealias Read = (
    _ tensor: Source, _ heads: Range<Int>, _ tokens: Range<Int>
  ) throws -> PartPayload

  /// Takes rows [tokens][d], float32, of one flattened head; each row of each gradient comes once.
  package typealias Take = (
    _ gradient: Gradient, _ head: Int, _ tokens: Range<Int>, _ rows: UnsafeRawBufferPointer
  ) throws -> Void

  private let job: AttentionJob
  private let kernel: AttentionKernel
  private let mask: AttentionMask
  private let statistics: RowStatistics
  private let outputGradientType: ElementType
  private let keys: GradientKeys
  private let lanes: [Range<Int>]

  /// - Parameters:
  ///   - keyHeads: flattened K/V heads.
  ///   - statistics: of all rows that see them.
  ///   - outputGradientType: of the elements of dO.
  package init(
    job: AttentionJob, mask: AttentionMask, keyHeads: Range<Int>, kernel: AttentionKernel,
    statistics: RowStatistics, outputGradientType: ElementType
  ) {
    self.job = job
    self.kernel = kernel
    self.mask = mask
    self.statistics = statistics
    self.outputGradientType = outputGradientType
    keys = GradientKeys(job: job, heads: keyHeads)
    lanes = Self.lanes(job)
  }

  /// Enough lanes that threads seldom wait for each other at the end of a wave, and for windows, where
  /// each query tile has work at few of them; not so many that waves get short.
  private static let lanesMaximum = 64

  private static func lanes(_ job: AttentionJob) -> [Range<Int>] {
    let tiles = GradientKeys.tileCount(job)
    let size = (tiles + lanesMaximum - 1) / lanesMaximum
    return stride(from: 0, to: tiles, by: size).map { $0..<min($0 + size, tiles) }
  }

  /// Pieces of work that may be unfinished while the next one is read.
  private static let unfinishedMaximum = 2

  /// Bytes that a run of so many K/V heads takes: K, V, dK and dV of all keys, and the query tiles that
  /// are on their way.
  package static func byteCount(_ job: AttentionJob, keyHeads: Int) -> Int {
    let onTheWay = lanes(job).count + 3 + unfinishedMaximum
    return keyHeads
      * (GradientKeys.bytesPerHead(job)
        + job.queriesPerKeyHead * min(onTheWay, GradientRows.tileCount(job))
        * GradientRows.bytesPerHead(job))
      // K/V tiles as they are read, and gradients as they are handed out.
      + keyHeads * (unfinishedMaximum + 2) * 2 * Plan.keyTileKeys * job.headDimension * 4
  }

  /// What a run says of how far it is.
  package struct Progress: Sendable {
    /// Steps begun, and how many there are: K/V tiles packed, waves, K/V tiles handed out.
    package let done: Int
    package let total: Int
  }

  private var waveCount: Int { GradientRows.tileCount(job) + lanes.count + 1 }

  package var stepCount: Int { 2 * keys.tileCount + waveCount }

  /// Computes all gradients.
  ///
  /// - Parameters:
  ///   - queue: who does the work, and nobody else's meanwhile. However the run ends, nothing of it is
  ///     left there.
  ///   - read: asked for each row of Q, K, V and dO once.
  ///   - take: given the gradients as they are finished.
  ///   - goOn: told before each step how far the run is, and at its end; throws to end it.
  /// - Throws: what these throw.
  package func run(
    on queue: some WorkQueue, read: Read, take: Take, goOn: (Progress) throws -> Void
  ) throws {
    defer { queue.cancel() }
    var done = 0
    func step() throws {
      try goOn(Progress(done: done, total: stepCount))
      done += 1
    }
    try packKeys(queue, read, step)
    try sendQueries(queue, read, take, step)
    try handOutKeys(queue, take, step)
    try goOn(Progress(done: done, total: stepCount))
  }

  private func packKeys(_ queue: some WorkQueue, _ read: Read, _ step: () throws -> Void) throws {
    for tile in 0..<keys.tileCount {
      try step()
      let positions = keys.keys(of: tile)
      queue.submit(
        GradientKeysWork(
          kernel: kernel, target: keys, tile: tile, keys: try read(.key, keys.heads, positions),
          values: try read(.value, keys.heads, positions)))
      queue.wait(unfinished: Self.unfinishedMaximum)
    }
  }

  private func sendQueries(
    _ queue: some WorkQueue, _ read: Read, _ take: Take, _ step: () throws -> Void
  ) throws {
    let count = GradientRows.tileCount(job)
    // Query tiles that came in and whose work isn't given whole, the first of them in front.
    var onTheWay: [GradientRows] = []
    var first = 0
    // Of each wave that may be unfinished what leaves with it.
    var leaving: [GradientRows?] = []
    func settle(_ most: Int) throws {
      let left = queue.wait(unfinished: most)
      while leaving.count > left {
        if let rows = leaving.removeFirst() { try handOut(rows, take) }
      }
    }
    for wave in 0..<waveCount {
      try step()
      var items: [GradientWave.Item] = []
      for (place, rows) in onTheWay.enumerated() {
        // It came in at wave `first + place`, and is a lane further in every wave.
        let lane = wave - 1 - first - place
        guard lane < lanes.count else { continue }
        if rows.needed.count(below: lanes[lane].upperBound)
          > rows.needed.count(below: lanes[lane].lowerBound)
        {
          items.append(.fold(rows, tiles: lanes[lane]))
        }
      }
      if wave < count {
        let rows = try self.rows(count - 1 - wave, read)
        items.append(.prepare(rows))
        onTheWay.append(rows)
      }
      var gone: GradientRows?
      if let rows = onTheWay.first, wave - 1 - first == lanes.count {
        items.append(.finish(rows))
        gone = rows
        onTheWay.removeFirst()
        first += 1
      }
      queue.submit(GradientWave(kernel: kernel, mask: mask, keys: keys, items: items))
      leaving.append(gone)
      try settle(Self.unfinishedMaximum)
    }
    try settle(0)
  }

  private func rows(_ tile: Int, _ read: Read) throws -> GradientRows {
    let group = job.queriesPerKeyHead
    let heads = keys.heads.lowerBound * group..<keys.heads.upperBound * group
    let positions = GradientRows.rows(of: tile, job)
    return GradientRows(
      tile: tile, heads: heads, mask: mask, statistics: statistics,
      queries: try read(.query, heads, positions),
      outputGradients: try read(.outputGradient, heads, positions),
      outputGradientType: outputGradientType)
  }

  private func handOut(_ rows: GradientRows, _ take: Take) throws {
    for head in rows.heads { try take(.query, head, rows.rows, rows.queryGradients(head: head)) }
  }

  private func handOutKeys(
    _ queue: some WorkQueue, _ take: Take, _ step: () throws -> Void
  ) throws {
    for tile in 0..<keys.tileCount {
      try step()
      let work = KeyGradientsWork(kernel: kernel, source: keys, tile: tile)
      queue.perform(work)
      for head in keys.heads {
        for gradient in [Gradient.key, .value] {
          try take(
            gradient, head, keys.keys(of: tile),
            work.rows(ofValues: gradient == .value, head: head))
        }
      }
    }
  }
}
