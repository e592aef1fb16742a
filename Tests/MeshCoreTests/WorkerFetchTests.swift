import MeshCore
import Testing

/// What a worker asks for, of whom, and what it does when it doesn't come.
@Suite struct WorkerFetchTests {
  /// Three workers, one rank each, 12 K/V tiles of one part: this one owns 0 ..< 4.
  private func worker() throws -> WorkerHarness {
    let plan = Plan(job: sampleJob(queries: 3_072, mask: .full), vrankCount: 3)
    try #require(plan.keyTiles(of: VRank(0)) == [0, 1, 2, 3])
    let worker = WorkerHarness()
    worker.assign(plan, hosts: [0, 1, 2], peers: 3)
    return worker
  }

  /// Brings the worker to where it has asked a peer for tile 4, its first foreign one.
  private func foreign() throws -> WorkerHarness {
    let worker = try worker()
    worker.deliverStore()
    worker.send(.folded(worker.job, VRank(0), next: 1))
    #expect(worker.pulled.map(\.0.tile) == [.keyValue(4)])
    return worker
  }

  @Test("shard and rows are asked of the store: first tiles first, then rows, then the rest")
  func order() throws {
    let worker = try worker()
    let asked = worker.pulled
    #expect(asked.allSatisfy { $0.1 == .store && $0.0.firstPart == 0 })
    #expect(asked.map(\.0.tile).prefix(5) == [0, 1, 2, 3].map { .keyValue($0) } + [.query(0)])
    #expect(asked.count == 4 + 16)
    #expect(asked.allSatisfy { $0.0.epoch == Epoch(term: 1, counter: 1) })
    let tag = worker.core.run?.assignment.planHash.tag
    #expect(asked.allSatisfy { $0.0.planTag == tag && $0.0.creditBytes > 0 })
  }

  @Test("foreign tiles are asked of the ring's previous worker, as the window moves")
  func window() throws {
    let worker = try foreign()
    // Of tile 4 the ring is 1, 2, 0: its owner's successor comes before this worker.
    #expect(worker.pulled.map(\.1) == [.peer(2)])
    worker.send(.folded(worker.job, VRank(0), next: 2))
    #expect(worker.pulled.map(\.0.tile) == [.keyValue(5)])
  }

  @Test("NO leads to the owner, and from there to the store")
  func no() throws {
    let worker = try foreign()
    let tile = TileID.keyValue(4)
    worker.send(.answer(.no, worker.job, tile, from: .peer(1)))
    #expect(worker.pulled.isEmpty, "peer 1 was not asked")
    worker.send(.answer(.no, worker.job, tile, from: .peer(2)))
    #expect(worker.pulled.map(\.1) == [.peer(1)])
    worker.send(.answer(.stale, worker.job, tile, from: .peer(1)))
    #expect(worker.pulled.map(\.1) == [.store])
    worker.send(.part(worker.job, tile, part: 0, from: .store))
    worker.send(.pull(worker.pull(tile), from: link(1)))
    #expect(worker.answers == [.have])
  }

  @Test("a part that comes late from a source that was given up is taken, once")
  func late() throws {
    let worker = try foreign()
    let tile = TileID.keyValue(4)
    worker.send(.answer(.no, worker.job, tile, from: .peer(2)))
    worker.send(.part(worker.job, tile, part: 0, from: .peer(2)))
    worker.send(.pull(worker.pull(tile), from: link(1)))
    #expect(worker.answers == [.have])
    #expect(worker.core.run?.takes(0, of: tile) == false)
  }

  @Test("a source that is lost, silent or damages a part is left", arguments: 0..<3)
  func sourceFails(way: Int) throws {
    let worker = try foreign()
    switch way {
    case 0: worker.send(.sourceLost(worker.job, .peer(2)))
    case 1: worker.send(.badPart(worker.job, .keyValue(4), from: .peer(2)))
    default:
      worker.send(.answer(.coming, worker.job, .keyValue(4), from: .peer(2)), after: .seconds(4))
      worker.send(.tick, after: .seconds(4))
      #expect(worker.pulled.isEmpty, "COMING renews the time")
      worker.send(.tick, after: .seconds(1))
    }
    #expect(worker.pulled.map(\.1) == [.peer(1)])
    #expect(worker.pulled.map(\.0.tile) == [.keyValue(4)])
  }

  @Test("parts that are there already are not asked for again")
  func resumed() throws {
    let job = sampleJob(heads: 6, keyHeads: 6, queries: 1_024, dimension: 256, mask: .full)
    let worker = WorkerHarness()
    worker.assign(Plan(job: job, vrankCount: 3), hosts: [0, 1, 2], peers: 3)
    worker.deliver(.keyValue(1), from: .peer(2), parts: 0..<2)
    worker.send(.sourceLost(worker.job, .peer(2)))
    let again = worker.pulled.filter { $0.0.tile == .keyValue(1) }
    #expect(again.map(\.0.firstPart) == [2])
    #expect(again.map(\.0.creditBytes) == [2 * 2 * 256 * 256 * 4])
  }

  @Test("attempts are bounded; then the worker says once in a while that it can't go on")
  func attempts() throws {
    let worker = try worker()
    var asked = 1
    while worker.failures.isEmpty, asked < 100 {
      worker.send(.answer(.no, worker.job, .keyValue(0), from: .store))
      asked += worker.pulled.count
    }
    #expect(asked == Limits.pullAttemptsMaximum)
    #expect(worker.failures.count == 1)
    #expect(worker.failures.first?.contains("K/V tile 0: no source has it") == true)
    // Said at most once may be lost; said at every tick would be a flood.
    worker.send(.tick, after: .milliseconds(100))
    #expect(!worker.failures.contains { $0.contains("K/V tile 0:") })
    worker.send(.tick, after: Limits.pullTimeout)
    #expect(worker.failures.count { $0.contains("K/V tile 0:") } == 1)
    worker.send(.tick, after: .milliseconds(100))
    #expect(worker.failures.isEmpty)
  }

  @Test("giving up gives the store's credit back once, however often it is said")
  func creditAfterGivingUp() throws {
    // Shard tiles of 4 MiB: two may be under way.
    let job = sampleJob(heads: 8, keyHeads: 8, queries: 4_096, dimension: 256, mask: .full)
    let worker = WorkerHarness()
    worker.assign(Plan(job: job, vrankCount: 1), hosts: [0], peers: 1)
    #expect(worker.pulled.map(\.0.tile) == [.keyValue(0), .keyValue(1)])
    while worker.failures.isEmpty {
      worker.send(.answer(.no, worker.job, .keyValue(0), from: .store))
    }
    var asked = 0
    for _ in 0..<10 {
      worker.send(.answer(.no, worker.job, .keyValue(0), from: .store))
      asked += worker.pulled.count
    }
    #expect(asked <= 1, "\(asked) more tiles asked for while one is under way")
  }

  @Test("damage in the store's own copy fails the job; a peer's word for it doesn't")
  func lost() throws {
    let worker = try foreign()
    worker.send(.answer(.lost, worker.job, .keyValue(4), from: .peer(2)))
    #expect(worker.failures.isEmpty && worker.pulled.map(\.1) == [.peer(1)])
    worker.send(.answer(.no, worker.job, .keyValue(4), from: .peer(1)))
    worker.send(.answer(.lost, worker.job, .keyValue(4), from: .store))
    #expect(worker.failures.count == 1)
    #expect(worker.failures.first?.contains("damaged") == true)
  }

  @Test("folds ask for next only, ascending, once a rank, and only what is packed")
  func folds() throws {
    let worker = try worker()
    worker.deliver(.keyValue(2), from: .store)
    worker.deliver(.keyValue(0), from: .store)
    for tile in 0..<16 { worker.deliver(.query(tile), from: .store) }
    #expect(worker.folds.map(\.tiles) == [0..<1])
    worker.deliver(.keyValue(1), from: .store)
    #expect(worker.folds.map(\.tiles) == [1..<3])
    worker.deliver(.keyValue(3), from: .store)
    #expect(worker.folds.isEmpty, "two folds are under way")
    worker.send(.folded(worker.job, VRank(0), next: 4))
    #expect(worker.folds.isEmpty, "nobody folded tile 3")
    worker.send(.folded(worker.job, VRank(0), next: 1))
    #expect(worker.folds.map(\.tiles) == [3..<4])
    for next in [1, 0, -1, .max, .min] {
      worker.send(.folded(worker.job, VRank(0), next: next))
      #expect(worker.folds.isEmpty && worker.core.run?.ranks[0].next == 1)
    }
  }
}
