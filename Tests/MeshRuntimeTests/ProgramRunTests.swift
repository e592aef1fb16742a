import AttentionKernels
import FoldEngine
import MeshCore
import MeshRuntime
import Testing

/// All steps of ranks, one after the other.
@Suite struct ProgramRunTests {
  private struct Stop: Error {}

  private static func plan(isRehearsal: Bool) -> Plan {
    var job = sampleJob
    job.queryTokens = 600
    job.isRehearsal = isRehearsal
    return Plan(job: job, vrankCount: 4)
  }

  /// Ranks and steps in the order of all, and of equals the lower rank first.
  private func order(_ plan: Plan, _ vranks: [VRank]) -> [Performed] {
    vranks.flatMap { vrank in
      let steps = plan.steps(of: vrank)
      return (0..<steps.count).map { (steps.order($0), Performed(vrank: vrank, step: $0)) }
    }.sorted { ($0.0, $0.1.vrank) < ($1.0, $1.1.vrank) }.map(\.1)
  }

  @Test("steps are done in the one order, with what they read", arguments: [false, true])
  func program(isRehearsal: Bool) throws {
    let plan = Self.plan(isRehearsal: isRehearsal)
    let expected = order(plan, plan.vranks)
    #expect(plan.vrankCount == 4 && expected.count > 4)
    func run(on queue: some WorkQueue) -> RecordingEngine {
      let engine = RecordingEngine(plan: plan)
      var (done, stored): ([Performed], [TileID]) = ([], [])
      ProgramRun(plan: plan, engine: engine).run(on: queue) { tile, part, take in
        if part == 0 { stored.append(tile) }
        engine.payload(of: tile, part: part).withUnsafeBytes(take)
      } stepDone: { step in
        done.append(Performed(vrank: step.vrank, step: step.step))
        #expect(step.publication?.tile == plan.steps(of: step.vrank).publishes(step.step))
      }
      #expect(done == expected && engine.performed == expected)
      // Each tile of the inputs once, and no other.
      #expect(stored.allSatisfy(\.tensor.isStored) && Set(stored).count == stored.count)
      #expect(stored.count { $0.tensor == .query } == plan.queryTileCount)
      #expect(engine.findings == [] && engine.packed.isEmpty)
      return engine
    }
    let most = run(on: CallingThread()).mostPacked
    // Attention goes from tile to tile, with all ranks.
    if !isRehearsal { #expect(most == 1) }
    let pool = try ComputePool(threads: 2)
    defer { pool.stop() }
    #expect(run(on: pool).mostPacked == most)
    // As far ahead of what is done as it may be, and no farther.
    let lazy = LazyQueue()
    #expect(run(on: lazy).mostPacked == most)
    #expect(lazy.mostUnfinished == Limits.windowTiles + 1)
  }

  @Test("one rank alone reads from the source what others publish")
  func alone() {
    let plan = Self.plan(isRehearsal: true)
    for vrank in plan.vranks {
      let engine = RecordingEngine(plan: plan)
      let steps = plan.steps(of: vrank)
      var read: Set<TileID> = []
      ProgramRun(plan: plan, vranks: [vrank], engine: engine).run(on: CallingThread()) {
        tile, part, take in
        read.insert(tile)
        engine.payload(of: tile, part: part).withUnsafeBytes(take)
      } stepDone: { _ in
      }
      #expect(engine.performed == order(plan, [vrank]))
      #expect(engine.findings == [] && engine.packed.isEmpty)
      let wanted = (0..<steps.count).flatMap { steps.reads($0) }
        .filter { steps.step(publishing: $0) == nil }
      #expect(read == Set(wanted + plan.queryTiles(of: vrank).map { .query($0) }))
    }
  }

  @Test("whoever throws ends the run, and nothing of it is left running", arguments: [false, true])
  func ending(sourceThrows: Bool) throws {
    let plan = Self.plan(isRehearsal: true)
    let engine = RecordingEngine(plan: plan, itemCount: 2_000)
    let pool = try ComputePool(threads: 2)
    let last: TileID = .keyValue(plan.keyTileCount - 1)
    var done = 0
    #expect(throws: Stop.self) {
      try ProgramRun(plan: plan, engine: engine).run(on: pool) { tile, part, take in
        if sourceThrows, tile == last { throw Stop() }
        engine.payload(of: tile, part: part).withUnsafeBytes(take)
      } stepDone: { _ in
        done += 1
        if !sourceThrows, done == 2 { throw Stop() }
      }
    }
    #expect(!pool.isBusy)
    let items = engine.itemsDone
    #expect(items > 0 && engine.performed.count < order(plan, plan.vranks).count)
    pool.stop()
    #expect(engine.itemsDone == items)
  }

  @Test("attention comes out as rank after rank, packed by those who fold")
  func attention() throws {
    let plan = Self.plan(isRehearsal: false)
    func parts(_ tile: TileID) -> [[Float]] {
      (0..<plan.partCount(tile.tensor)).map { part in
        var random = SplitMix64(seed: UInt64(tile.index * 100 + part) << tile.tensor.rawValue)
        return (0..<plan.payloadBytes(of: tile, part: part) / 4).map { _ in
          Float(random.next() % 2_001) / 1_000 - 1
        }
      }
    }
    let pool = try ComputePool(threads: 3)
    defer { pool.stop() }
    let engine = FoldEngine(plan: plan, kernel: AttentionKernel())
    ProgramRun(plan: plan, engine: engine).run(on: pool) { tile, part, take in
      parts(tile)[part].withUnsafeBytes(take)
    } stepDone: { _ in
    }
    let thread = CallingThread()
    for vrank in plan.vranks {
      let witness = FoldEngine(plan: plan, kernel: AttentionKernel(), packsAhead: false)
      witness.host(vrank)
      let needed = plan.neededKeyTiles(of: vrank)
      for tile in plan.queryTiles(of: vrank).map(TileID.query) + needed.map(TileID.keyValue) {
        let payloads = parts(tile).map { $0.withUnsafeBytes { PartPayload(copying: $0) } }
        thread.perform(witness.pack(tile, payloads))
      }
      for step in needed.indices { thread.perform(witness.fold(vrank, steps: step..<step + 1)) }
      let results = [engine, witness].map { engine in
        let result = engine.finish(vrank)
        pool.perform(result)
        return (0..<result.messageCount).map { Array(result.payload($0)) }
      }
      #expect(results[0] == results[1])
    }
  }
}
