import ElementTypes
import MeshCore
import Testing

/// The portions in which one process computes a job.
@Suite struct PortionTests {
  static func job(
    batch: Int = 1, heads: Int, keyHeads: Int, queries: Int, keys: Int, dimension: Int = 64,
    mask: MaskRule = .full
  ) -> AttentionJob {
    AttentionJob(
      batch: batch, queryHeads: heads, keyValueHeads: keyHeads, queryTokens: queries,
      keyTokens: keys, headDimension: dimension, element: .float32, mask: mask, scale: 1,
      layout: .zigzag)
  }

  static let jobs = [
    job(heads: 1, keyHeads: 1, queries: 1, keys: 1),
    job(heads: 9, keyHeads: 3, queries: 3_001, keys: 3_001, mask: .causal),
    job(batch: 3, heads: 10, keyHeads: 2, queries: 700, keys: 300, dimension: 17),
    job(heads: 1_024, keyHeads: 1_024, queries: 512, keys: 512),
    job(heads: 65_536, keyHeads: 65_536, queries: 4, keys: 4, dimension: 8),
    job(heads: 32, keyHeads: 8, queries: 1_000_000, keys: 1_000_000, dimension: 128),
    job(heads: 7, keyHeads: 1, queries: 16 << 20, keys: 16 << 20, dimension: 256),
  ]

  @Test(
    "they are all rows of all heads, once each, in the order of the output", arguments: jobs,
    [0, 1 << 20, 16 << 20, Portions.bytesWanted, .max >> 8])
  func coverage(job: AttentionJob, bytes: Int) {
    let portions = Portions(of: job, bytes: bytes)
    var next = 0
    for heads in portions.headRanges {
      #expect(heads.lowerBound == next && !heads.isEmpty)
      next = heads.upperBound
      let keyHeads = portions.keyHeads(of: heads)
      #expect(heads.lowerBound / job.queriesPerKeyHead == keyHeads.lowerBound)
      #expect((heads.upperBound - 1) / job.queriesPerKeyHead == keyHeads.upperBound - 1)
      // One head alone is cut; then its runs follow each other.
      #expect(portions.runCount == 1 || heads.count == 1)
    }
    #expect(next == job.flatQueryHeads)
    #expect(portions.count == portions.headRanges.count * portions.runCount)
    let heads = portions.headRanges[0]
    let plan = portions.plan(of: heads)
    #expect(plan.job.flatQueryHeads == heads.count)
    #expect(plan.job.queriesPerKeyHead == heads.count / portions.keyHeads(of: heads).count)
    let tiles = plan.vranks.flatMap { plan.queryTiles(of: $0) }
    #expect(tiles == Array(0..<plan.queryTileCount))
  }

  @Test("they take no more than they may, whatever the job, and need not be small", arguments: jobs)
  func size(job: AttentionJob) {
    for bytes in [Portions.bytesWanted, 2 * Portions.bytesWanted] {
      let portions = Portions(of: job, bytes: bytes)
      #expect(portions.bytes <= bytes)
      // Twice the room would be too much for half as many, but for those that can't be halved.
      #expect(portions.count <= 2 || 3 * portions.bytes > bytes)
    }
    #expect(Portions(of: job, bytes: 0).bytes <= Portions(of: job).bytes)
    #expect(Portions(of: job, bytes: .max >> 8).count == 1)
  }

  @Test("heads are cut before rows are: a K/V tile is then packed once")
  func headsFirst() {
    let job = Self.job(heads: 32, keyHeads: 8, queries: 8_192, keys: 8_192, dimension: 128)
    let portions = Portions(of: job)
    #expect(portions.runCount == 1)
    #expect(portions.headRanges.allSatisfy { $0.count % 4 == 0 })
  }
}
