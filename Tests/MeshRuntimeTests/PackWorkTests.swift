import AttentionKernels
import FoldEngine
import MeshCore
import MeshRuntime
import Testing

/// Tiles are packed by threads, after they were asked for: in any order of heads, and whatever became of
/// the tile meanwhile.
@Suite struct PackWorkTests {
  private static let plan = Plan(job: sampleJob, vrankCount: 1)
  private let plan = Self.plan
  private let rank = VRank(0)

  private func engine(packsAhead: Bool = true) -> FoldEngine {
    let engine = FoldEngine(plan: plan, kernel: AttentionKernel(), packsAhead: packsAhead)
    engine.host(rank)
    return engine
  }

  /// The parts of a tile; those of another seed have other numbers.
  private func parts(_ tile: TileID, seed: UInt64 = 1) -> [PartPayload] {
    (0..<plan.partCount(tile.tensor)).map { part in
      var random = SplitMix64(seed: seed &+ UInt64(tile.index * 100 + part))
      let floats = (0..<plan.payloadBytes(of: tile, part: part) / 4).map { _ in
        Float(random.next() % 2_001) / 1_000 - 1
      }
      return floats.withUnsafeBytes { PartPayload(copying: $0) }
    }
  }

  private var queryTiles: [TileID] { plan.queryTiles(of: rank).map { .query($0) } }
  private var keyTiles: [TileID] { plan.neededKeyTiles(of: rank).map { .keyValue($0) } }

  private func perform(_ work: PackWork) {
    for head in 0..<work.itemCount { work.perform(head) }
  }

  /// Everything packed on this thread, in order.
  private func witness() -> FoldEngine {
    let witness = engine()
    for tile in queryTiles + keyTiles { perform(witness.pack(tile, parts(tile))) }
    return witness
  }

  /// What comes out of the packed tiles.
  private func result(of engine: FoldEngine) -> [UInt8] {
    let scratch = FoldScratch()
    for step in keyTiles.indices {
      let work = engine.fold(rank, steps: step..<step + 1)
      for item in 0..<work.itemCount { work.perform(item, scratch: scratch) }
    }
    return rows(engine.finish(rank))
  }

  private func rows(_ result: RankResult) -> [UInt8] {
    (0..<result.messageCount).flatMap { message in
      result.perform(message)
      return Array(result.payload(message))
    }
  }

  @Test("the job has several parts of both kinds, and short tiles")
  func sample() {
    #expect(plan.partCount(.query) == 2 && plan.partCount(.keyValue) == 2)
    #expect(queryTiles.count == 3 && keyTiles.count == 3)
  }

  @Test("several threads pack heads in any order, and fold what they packed", arguments: [1, 2, 3])
  func anyOrder(seed: UInt64) throws {
    let (engine, witness) = (engine(), witness())
    let pool = try ComputePool(threads: 3)
    var random = SplitMix64(seed: seed)
    for tile in queryTiles + keyTiles {
      let work = engine.pack(tile, parts(tile))
      #expect(work.itemCount == plan.headCount(tile.tensor))
      let heads = (0..<work.itemCount).shuffled(using: &random)
      pool.submit(itemCount: heads.count) { item, _ in
        work.perform(heads[item])
      } completion: { _ in
      }
    }
    // Asked for at once: it begins when all of that is packed.
    let fold = engine.fold(rank, steps: keyTiles.indices)
    pool.submit(itemCount: fold.itemCount) {
      fold.perform($0, scratch: $1)
    } completion: { _ in
    }
    pool.stop()
    for tile in keyTiles { #expect(engine.hasEqualTile(tile.index, to: witness)) }
    #expect(rows(engine.finish(rank)) == result(of: witness))
  }

  @Test("what is packed for nobody any more does no harm to what is packed anew")
  func late() {
    let (engine, witness) = (engine(), witness())
    var late: [PackWork] = []
    for tile in queryTiles + keyTiles { late.append(engine.pack(tile, parts(tile, seed: 9))) }
    for tile in keyTiles { engine.unpack(tile) }
    engine.retire(rank)
    #expect(engine.pack(queryTiles[0], parts(queryTiles[0])).itemCount == 0)
    engine.host(rank)
    for tile in queryTiles + keyTiles { perform(engine.pack(tile, parts(tile))) }
    for work in late { perform(work) }
    for tile in keyTiles { #expect(engine.hasEqualTile(tile.index, to: witness)) }
    #expect(result(of: engine) == result(of: witness))
  }

  @Test("whoever folds packs tiles that are too large to be packed ahead, to the same bits")
  func parted() {
    let engine = engine(packsAhead: false)
    for tile in queryTiles { perform(engine.pack(tile, parts(tile))) }
    for tile in keyTiles { #expect(engine.pack(tile, parts(tile)).itemCount == 0) }
    #expect(result(of: engine) == result(of: witness()))
  }

  @Test("a payload lives until its tile is packed, or until one that isn't packed ahead goes")
  func owners() {
    let tile = keyTiles[0]
    for packsAhead in [true, false] {
      let engine = engine(packsAhead: packsAhead)
      var owner: AlignedBuffer? = AlignedBuffer(count: plan.payloadBytes(of: tile, part: 0) / 4)
      weak let left = owner
      var work = owner.map { owner in
        let parts = (0..<plan.partCount(.keyValue)).map { part in
          let count = plan.payloadBytes(of: tile, part: part)
          return PartPayload(
            UnsafeRawBufferPointer(start: owner.floats, count: count), owner: owner)
        }
        return engine.pack(tile, parts)
      }
      owner = nil
      #expect(left != nil && work != nil)
      work = nil
      #expect((left == nil) == packsAhead)
      engine.unpack(tile)
      #expect(left == nil)
    }
  }
}
