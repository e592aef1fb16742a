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
    for tile in 0..<16 { worker.deliver(.query(tile), from: .store) }
    for tile in 0..<4 { worker.deliver(.keyValue(tile), from: .store) }
    worker.fold(1)
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

  @Test("of a shard only what some rank needs is asked for, and a window begins where its rows do")
  func underAWindow() throws {
    // Positions 9,216 to 12,287: of 48 tiles 35 ... 47 are needed, and this worker owns 0 ..< 16.
    let job = sampleJob(
      queries: 3_072, keys: 12_288, mask: MaskRule(isCausal: true, left: 255))
    let plan = Plan(job: job, vrankCount: 3)
    try #require(Array(plan.neededKeyTiles(of: VRank(0))) == Array(35...39))
    let worker = WorkerHarness()
    worker.assign(plan, hosts: [0, 1, 2], peers: 3)
    let asked = worker.pulled
    #expect(asked.filter { $0.1 == .store }.map(\.0.tile) == (0..<16).map { .query($0) })
    #expect(asked.filter { $0.1 != .store }.map(\.0.tile) == (35..<39).map { .keyValue($0) })
    worker.send(.pull(worker.pull(.keyValue(0)), from: link(1)))
    #expect(worker.answers == [.no])
    for tile in 0..<16 { worker.deliver(.query(tile), from: .store) }
    for tile in 35..<39 { worker.deliver(.keyValue(tile), from: peer(3)) }
    #expect(worker.folding.map(\.tiles) == [0..<1, 1..<2], "steps, and not tiles")
  }

  @Test("foreign tiles are asked of the ring's previous worker, as the window moves")
  func window() throws {
    let worker = try foreign()
    // Of tile 4 the ring is 1, 2, 0: its owner's successor comes before this worker.
    #expect(worker.pulled.map(\.1) == [peer(2)])
    worker.fold(2)
    #expect(worker.pulled.map(\.0.tile) == [.keyValue(5)])
    #expect(worker.pulled.map(\.1) == [peer(2)])
  }

  @Test("NO leads to the owner, and from there to the store")
  func no() throws {
    let worker = try foreign()
    let tile = TileID.keyValue(4)
    worker.send(.answer(.no, tile, from: peer(1)))
    #expect(worker.pulled.isEmpty, "peer 1 was not asked")
    worker.send(.answer(.no, tile, from: peer(2)))
    #expect(worker.pulled.map(\.1) == [peer(1)])
    worker.send(.answer(.stale, tile, from: peer(1)))
    #expect(worker.pulled.map(\.1) == [.store])
    worker.send(.part(tile, part: 0, from: .store, noBytes))
    worker.send(.pull(worker.pull(tile), from: link(1)))
    #expect(worker.answers == [.have])
  }

  @Test("a part that comes late from a source that was given up is taken, once")
  func late() throws {
    let worker = try foreign()
    let tile = TileID.keyValue(4)
    worker.send(.answer(.no, tile, from: peer(2)))
    worker.send(.part(tile, part: 0, from: peer(2), noBytes))
    worker.send(.pull(worker.pull(tile), from: link(1)))
    #expect(worker.answers == [.have])
    #expect(worker.core.run?.takes(0, of: tile) == false)
  }

  @Test("a source that is lost, silent or damages a part is left", arguments: 0..<3)
  func sourceFails(way: Int) throws {
    let worker = try foreign()
    switch way {
    case 0: worker.send(.sourceLost(peer(2)))
    case 1: worker.send(.badPart(.keyValue(4), from: peer(2)))
    default:
      // Answers came within milliseconds so far: half a second is long.
      worker.send(
        .answer(.coming, .keyValue(4), from: peer(2)), after: .milliseconds(400))
      worker.send(.tick, after: .milliseconds(400))
      #expect(worker.pulled.isEmpty, "COMING renews the time")
      worker.send(.tick, after: .milliseconds(100))
    }
    #expect(worker.pulled.map(\.1) == [peer(1)])
    #expect(worker.pulled.map(\.0.tile) == [.keyValue(4)])
  }

  @Test("parts that are there already are not asked for again")
  func resumed() throws {
    let job = sampleJob(heads: 6, keyHeads: 6, queries: 1_024, dimension: 256, mask: .full)
    let worker = WorkerHarness()
    worker.assign(Plan(job: job, vrankCount: 3), hosts: [0, 1, 2], peers: 3)
    worker.deliver(.keyValue(1), from: peer(2), parts: 0..<2)
    worker.send(.sourceLost(peer(2)))
    let again = worker.pulled.filter { $0.0.tile == .keyValue(1) }
    #expect(again.map(\.0.firstPart) == [2])
    #expect(again.map(\.0.creditBytes) == [2 * 2 * 256 * 256 * 4])
  }

  @Test("ring, owner, store, owner, store: a tile is asked for as long as it takes")
  func attempts() throws {
    let worker = try foreign()
    let tile = TileID.keyValue(4)
    var asked = try #require(worker.pulled.first?.1)
    var order = [asked]
    for round in 0..<100 {
      if round % 2 == 0 {
        worker.send(.sourceLost(asked))
      } else {
        worker.send(.tick, after: Limits.pullTimeout)
      }
      let mine = worker.pulled.filter { $0.0.tile == tile }
      #expect(mine.count == 1, "round \(round)")
      asked = try #require(mine.first?.1)
      order.append(asked)
    }
    #expect(order.prefix(5) == [peer(2), peer(1), .store, peer(1), .store])
    #expect(order.dropFirst(3) == (0..<98).map { $0 % 2 == 0 ? peer(1) : .store }[...])
    #expect(!worker.history.contains { if case .send(.failed) = $0 { true } else { false } })
    worker.deliver(tile, from: asked)
    worker.send(.pull(worker.pull(tile), from: link(1)))
    #expect(worker.answers == [.have])
  }

  @Test("a store that refuses is asked again after a while, not at the speed of messages")
  func storeRefuses() throws {
    let worker = try worker()
    worker.send(.answer(.no, .keyValue(0), from: .store))
    for _ in 0..<249 {
      #expect(worker.pulled.isEmpty)
      worker.send(.tick)
    }
    #expect(worker.pulled.isEmpty)
    worker.send(.tick)
    #expect(worker.pulled.map(\.0.tile) == [.keyValue(0)])
  }

  @Test("a tile of the worker's own shard is asked of the store until it has it")
  func ownTile() throws {
    let worker = try worker()
    for _ in 0..<50 {
      worker.send(.tick, after: Limits.pullTimeout)
      #expect(worker.pulled.filter { $0.0.tile == .keyValue(0) }.map(\.1) == [.store])
    }
    #expect(!worker.history.contains { if case .send(.failed) = $0 { true } else { false } })
  }

  @Test("asking elsewhere gives the store's credit back once, however often it is said")
  func creditAfterGivingUp() throws {
    // Shard tiles of 4 MiB: two may be under way.
    let job = sampleJob(heads: 8, keyHeads: 8, queries: 4_096, dimension: 256, mask: .full)
    let worker = WorkerHarness()
    worker.assign(Plan(job: job, vrankCount: 1), hosts: [0], peers: 1)
    #expect(worker.pulled.map(\.0.tile) == [.keyValue(0), .keyValue(1)])
    for _ in 0..<20 {
      worker.send(.sourceLost(.store))
      worker.send(.answer(.no, .keyValue(7), from: .store))
      let others = worker.pulled.map(\.0.tile).filter { $0 > .keyValue(1) }
      #expect(others.isEmpty, "\(others) asked for while two are under way")
    }
    worker.forgetHistory()
    worker.deliver(.keyValue(0), from: .store)
    #expect(worker.pulls(worker.history).first?.0.tile == .keyValue(2))
  }

  @Test("damage in the store's own copy fails the job; a peer's word for it doesn't")
  func lost() throws {
    let worker = try foreign()
    worker.send(.answer(.lost, .keyValue(4), from: peer(2)))
    #expect(worker.failures.isEmpty && worker.pulled.map(\.1) == [peer(1)])
    worker.send(.answer(.no, .keyValue(4), from: peer(1)))
    worker.send(.answer(.lost, .keyValue(4), from: .store))
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
    worker.fold(4)
    #expect(worker.folds.isEmpty, "nobody folded tile 3")
    worker.fold(1)
    #expect(worker.folds.map(\.tiles) == [3..<4])
    for next in [1, 0, -1, .max, .min] {
      worker.fold(next)
      #expect(worker.folds.isEmpty && worker.core.run?.ranks[0].next == 1)
    }
  }
}
