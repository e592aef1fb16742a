import AttentionMasks
import Checksums
import MeshCore
import Testing

/// 700 queries and 2,600 keys in blocks of 100 × 200: 7 rows of 13 blocks.
func sampleMappedJob(perHead: Bool = false) throws -> (AttentionJob, BlockMap) {
  var job = sampleJob(queries: 700, keys: 2_600, mask: .full)
  job.mask.blocks = MaskRule.Block(queries: 100, keys: 200, isPerHead: perHead)
  let shape = try #require(job.blockMapShape)
  var random = SplitMix64(seed: 5)
  let cells = (0..<shape.heads * shape.rows * shape.columns).map { _ in random.below(4) == 0 }
  let map = BlockMap(
    queries: 100, keys: 200, heads: shape.heads, rows: shape.rows, columns: shape.columns,
    cells: cells)
  return (job, map)
}

/// Jobs with block maps: what they are, and how a coordinator comes by the contents.
@Suite struct BlockMapJobTests {
  @Test("a map is an input tensor of its own, of a bit for each block")
  func tensor() throws {
    let (job, map) = try sampleMappedJob()
    #expect(job.problem == nil)
    #expect(job.inputTensors == [.query, .key, .value, .blockMap])
    #expect(job.byteCount(.blockMap) == 7 * 2 && map.bytes.count == 14)
    let (perHead, maps) = try sampleMappedJob(perHead: true)
    #expect(perHead.byteCount(.blockMap) == 2 * 7 * 2 && maps.heads == 2)
    #expect(job.inputBytes == job.queryBytes + 2 * job.keyBytes + 14)
    #expect(job.blockMap(of: map.bytes) == map && job.blockMap(of: [1, 2]) == nil)
    var plain = job
    plain.mask.blocks = nil
    #expect(plain.inputTensors == [.query, .key, .value] && plain.byteCount(.blockMap) == 0)
  }

  @Test("a map that is too large is refused with both numbers")
  func tooLarge() {
    var job = sampleJob(queries: 1 << 20, mask: .full)
    job.mask.blocks = MaskRule.Block(queries: 64, keys: 128)
    #expect(
      job.problem == "a block map of 16.0 MiB, a bit for each block, where 8.00 MiB are the most:"
        + " take larger blocks")
    job.mask.blocks = MaskRule.Block(queries: 128, keys: 128)
    #expect(job.problem == nil)
    job.mask.blocks?.isPerHead = true
    #expect(job.problem?.hasPrefix("a block map of 16.0 MiB") == true)
    job.mask.blocks = MaskRule.Block(queries: 0, keys: 128)
    #expect(job.problem?.hasPrefix("blocks of 0 × 128 tokens; both must be 1 to") == true)
  }

  @Test("a plan needs what the map names, in any head, and counts what each head sees")
  func needed() throws {
    for perHead in [false, true] {
      let (job, map) = try sampleMappedJob(perHead: perHead)
      let plan = Plan(job: job, vrankCount: 4, blocks: map)
      for vrank in plan.vranks {
        let rows = plan.queryTiles(of: vrank).flatMap { Array(plan.queryRows(of: $0)) }
        let seen = (0..<plan.keyTileCount).filter { tile in
          plan.keys(of: tile).contains { key in
            rows.contains { row in (0..<2).contains { map.sees(query: row, key: key, head: $0) } }
          }
        }
        #expect(Array(plan.neededKeyTiles(of: vrank)) == seen)
      }
      let pairs = (0..<2).reduce(0) { total, head in
        (0..<700).reduce(total) { total, row in
          total + (0..<2_600).count { map.sees(query: row, key: $0, head: head) }
        }
      }
      #expect(job.flops(blocks: map) == 4 * Double(pairs) * 4)
    }
  }

  @Test(
    "a portion of some heads has their maps, also across sequences",
    arguments: [1, 1 << 20, 1 << 30])
  func portions(bytes: Int) throws {
    var job = sampleJob(batch: 3, heads: 4, keyHeads: 2, queries: 300, keys: 500, mask: .full)
    job.mask.blocks = MaskRule.Block(queries: 60, keys: 70, isPerHead: true)
    let shape = try #require(job.blockMapShape)
    var random = SplitMix64(seed: 6)
    let map = BlockMap(
      queries: 60, keys: 70, heads: shape.heads, rows: shape.rows, columns: shape.columns,
      cells: (0..<shape.heads * shape.rows * shape.columns).map { _ in random.below(2) == 0 })
    let portions = Portions(of: job, blocks: map, bytes: bytes)
    #expect(portions.headRanges.flatMap(\.self) == Array(0..<12))
    for heads in portions.headRanges {
      let plan = portions.plan(of: heads)
      for (index, head) in heads.enumerated() {
        for row in stride(from: 0, to: 300, by: 20) {
          for key in stride(from: 0, to: 500, by: 35) {
            #expect(
              plan.mask.sees(query: row, key: key, head: index % plan.job.queryHeads)
                == map.sees(query: row, key: key, head: head % 4))
          }
        }
      }
    }
  }

  @Test("the plan's hash tells maps apart, and a table says whether it has one")
  func identity() throws {
    let (job, map) = try sampleMappedJob()
    let plan = Plan(job: job, vrankCount: 3, blocks: map)
    func inputs(_ digest: Digest?) -> InputDigests {
      InputDigests(
        query: sampleDigest(1), key: sampleDigest(2), value: sampleDigest(3), blockMap: digest)
    }
    let hashes = [sampleDigest(7), sampleDigest(8)].map {
      plan.hash(inputs: inputs($0), numerics: "fma")
    }
    var perHead = job
    perHead.mask.blocks?.isPerHead = true
    let other = Plan(job: perHead, vrankCount: 3, blocks: map)
    let all =
      hashes + [
        other.hash(inputs: inputs(sampleDigest(7)), numerics: "fma"),
        plan.hash(inputs: sampleInputs, numerics: "fma"),
      ]
    #expect(Set(all).count == 4)
    #expect(
      sampleAssignment(plan, hosts: [0, 1, 2], peers: 3).problem
        == "digests of other tensors than the job has")
  }

  /// A job with a map that runs on workers 1 and 2.
  private func running(_ job: AttentionJob, _ map: BlockMap) throws -> (CoordinatorHarness, JobID) {
    let mesh = CoordinatorHarness()
    mesh.join(1, 2)
    let id = try #require(mesh.submit(job))
    mesh.send(.store(.created(id)))
    mesh.call(.start(id))
    mesh.send(.store(.sealed(id, inputs(map), blocks: map)))
    return (mesh, id)
  }

  private func inputs(_ map: BlockMap) -> InputDigests {
    InputDigests(
      query: sampleDigest(1), key: sampleDigest(2), value: sampleDigest(3),
      blockMap: SHA256.hash(map.bytes))
  }

  /// Tiles to fold, of all ranks together.
  private func total(_ job: AttentionJob, _ map: BlockMap?) -> Int {
    let plan = Plan(job: job, vrankCount: 6, blocks: map)
    return plan.vranks.reduce(0) { $0 + plan.neededKeyTiles(of: $1).count }
  }

  @Test("the coordinator plans with the contents, which its tables and its journal haven't")
  func coordinator() throws {
    let (job, map) = try sampleMappedJob()
    let (mesh, id) = try running(job, map)
    #expect(mesh.state(id) == .running)
    let table = try #require(mesh.table)
    #expect(table.problem == nil && table.inputs == inputs(map))
    let status = try #require(mesh.status(id))
    #expect(status.summary.total == total(job, map))
    #expect(status.summary.total < total(job, job.blocksUnknown))
    #expect(status.summary.flops == job.flops(blocks: map))
  }

  @Test("a coordinator that is started again goes on with the contents, and fails without them")
  func restarted() throws {
    let (job, map) = try sampleMappedJob(perHead: true)
    let (mesh, id) = try running(job, map)
    let before = try #require(mesh.status(id))
    let table = try #require(mesh.table)
    mesh.restart(blocks: [id: map])
    mesh.send(.tick)
    guard case .begin(table, let plan, _)? = mesh.commands.last else {
      Issue.record("the store was told \(mesh.commands)")
      return
    }
    #expect(plan.mask.blocks == map)
    #expect(mesh.state(id) == .running && mesh.status(id)?.summary.total == before.summary.total)
    mesh.restart(term: 5)
    mesh.send(.tick)
    #expect(mesh.state(id) == .failed)
    #expect(mesh.reason(id).contains("its block map isn't in the coordinator's store as it was"))
  }

  @Test("of a job that is over what was needed is still told, also after a restart")
  func over() throws {
    let (job, map) = try sampleMappedJob()
    let (mesh, id) = try running(job, map)
    mesh.storeAll(try #require(mesh.table))
    mesh.finish(id)
    let before = try #require(mesh.status(id))
    #expect(before.summary.state == .done && before.summary.total == total(job, map))
    mesh.restart()
    mesh.send(.tick)
    let after = try #require(mesh.status(id))
    #expect(after.summary.total == before.summary.total && after.neededBytes == before.neededBytes)
    #expect(
      after.summary.flops == before.summary.flops && after.summary.folded == before.summary.folded)
  }

  @Test("maps of jobs that wait take no more memory than the limit")
  func budget() throws {
    let mesh = CoordinatorHarness()
    var job = sampleJob(queries: 1 << 20, keys: 1 << 20, mask: .full)
    job.mask.blocks = MaskRule.Block(queries: 128, keys: 128)
    let most = Limits.blockMapsBytesMaximum / Limits.blockMapBytesMaximum
    for number in 0..<most {
      #expect(mesh.submit(job, client: "client-\(number)") != nil)
    }
    let refused = mesh.call(.submit(SubmitRequest(spec: job, deadlineSeconds: 0)), client: "late")
    #expect(refused?.code == .resourceExhausted)
    #expect(refused?.message.contains("take 256 MiB, and 256 MiB are the limit") == true)
    job.mask.blocks = nil
    #expect(mesh.submit(job, client: "late") != nil)
  }
}
