import MeshCore
import Testing

/// Where the ranks of a lost worker go.
@Suite struct PlacingTests {
  /// Twelve ranks of equal weight, 13 K/V tiles each.
  private let spec = sampleJob(queries: 3_072, mask: .full, vranks: 12)

  private func running(on workers: [UInt64]) throws -> (CoordinatorHarness, JobID, Assignment) {
    try #require(CoordinatorHarness.running(on: workers, spec))
  }

  @Test("they spread evenly over the survivors", arguments: 2...6)
  func spread(workers: Int) throws {
    let (mesh, _, table) = try running(on: (1...UInt64(workers)).map { $0 })
    mesh.cut(1)
    let next = try #require(mesh.table)
    #expect(next.peers.count == workers - 1 && next.problem == nil)
    let loads = (2...UInt64(workers)).map { next.ranks(of: $0).count }
    #expect((loads.max() ?? 0) - (loads.min() ?? 0) <= 1, "\(loads)")
    #expect(loads.reduce(0, +) == 12)
    #expect(table.ranks(of: 1).allSatisfy { !next.hosts[$0].isFresh })
  }

  @Test("they go to those with the least work left, not to those with the fewest ranks")
  func byWork() throws {
    let (mesh, job, _) = try running(on: [1, 2, 3])
    mesh.report(2, job: job, next: 12)
    mesh.report(3, job: job, next: 1)
    mesh.cut(1)
    let next = try #require(mesh.table)
    #expect(next.ranks(of: 2).count == 8 && next.ranks(of: 3).count == 4)
  }

  @Test("of equals one that has a copy takes a rank, and is named as its source")
  func copiesFirst() throws {
    let (mesh, job, table) = try running(on: [1, 2, 3])
    let lost = table.ranks(of: 1)
    mesh.hold(2, job: job, [(lost[2], 5)])
    mesh.hold(3, job: job, [(lost[0], 4), (lost[2], 3)])
    mesh.cut(1)
    let next = try #require(mesh.table)
    #expect(next.host(of: lost[0]) == 3)
    #expect(next.sources(of: lost[0]) == [3])
    #expect(next.sources(of: lost[1]) == [])
    #expect(next.sources(of: lost[2]) == [2, 3], "the furthest first")
  }

  @Test("what a host told of its copy makes the holder a source before it tells itself")
  func toldByTheHost() throws {
    let (mesh, job, table) = try running(on: [1, 2, 3])
    let rank = try #require(table.ranks(of: 1).first)
    let holder = try #require(table.holder(of: rank))
    mesh.hold(5 - holder, job: job, [(rank, 2)])
    mesh.beat(1, job: job, progress: [mesh.progress(rank, next: 4, copied: 3)])
    mesh.cut(1)
    #expect(mesh.table?.sources(of: rank) == [holder, 5 - holder])
  }

  /// The host of a rank has made a copy, and its holder tells of it.
  private func hold(
    _ rank: Int, of table: Assignment, at holder: UInt64, in mesh: CoordinatorHarness, _ job: JobID
  ) throws {
    let restored = WorkerMessage.Restored(tier: .memory, next: 3)
    mesh.beat(
      try #require(table.host(of: rank)), job: job,
      progress: [mesh.progress(rank, next: 5, copied: 4, restored: restored)])
    let copy = WorkerMessage.HeldCopy(
      vrank: VRank(rank), epoch: table.hosts[rank].epoch, next: 4)
    mesh.beat(holder, job: job, held: [copy])
  }

  @Test("once its new host has a copy of its own, a rank has no sources in the next table")
  func sourcesAreLetGo() throws {
    let (mesh, job, table) = try running(on: [1, 2, 3, 4])
    let lost = table.ranks(of: 1)
    for rank in lost {
      let holder = try #require(table.holder(of: rank))
      mesh.hold(holder, job: job, [(rank, 3)])
    }
    mesh.cut(1)
    let moved = try #require(mesh.table)
    let named = lost.filter { !moved.sources(of: $0).isEmpty }
    try #require(named.count >= 2)
    let (copied, uncopied) = (named[0], named[1])
    let holder = try #require(moved.holder(of: copied))
    try hold(copied, of: moved, at: holder, in: mesh, job)
    #expect(mesh.assigned == nil, "it waits for a table that is made anyway")
    mesh.join(5)
    let next = try #require(mesh.table)
    #expect(next.holder(of: copied) == holder && next.sources(of: copied) == [])
    #expect(next.sources(of: uncopied) == moved.sources(of: uncopied))
  }

  @Test("a rank whose copy is lost with its holder keeps the sources that it has")
  func sourcesStay() throws {
    let (mesh, job, table) = try running(on: [1, 2, 3, 4])
    let rank = try #require(table.ranks(of: 1).first)
    for worker in UInt64(2)...4 { mesh.hold(worker, job: job, [(rank, 3)]) }
    mesh.cut(1)
    let moved = try #require(mesh.table)
    let holder = try #require(moved.holder(of: rank))
    try hold(rank, of: moved, at: holder, in: mesh, job)
    mesh.cut(holder)
    let next = try #require(mesh.table)
    #expect(next.holder(of: rank) != holder)
    #expect(next.sources(of: rank) == moved.sources(of: rank).filter { $0 != holder })
    #expect(!next.sources(of: rank).isEmpty)
  }

  @Test("lost workers are nobody's source")
  func lostSources() throws {
    let (mesh, job, table) = try running(on: [1, 2, 3])
    let rank = try #require(table.ranks(of: 1).first)
    mesh.hold(2, job: job, [(rank, 5)])
    mesh.cut(2)
    mesh.cut(1)
    let next = try #require(mesh.table)
    #expect(next.sources(of: rank) == [] && next.host(of: rank) == 3 && next.problem == nil)
  }

  @Test("an idle spare takes them all; two losses take two spares; then the survivors")
  func spares() throws {
    let mesh = CoordinatorHarness()
    mesh.join(1, 2, 3)
    for spare in [UInt64(8), 9] { mesh.join(sampleHello(spare, isSpare: true)) }
    let job = try #require(mesh.queue(spec))
    let table = try #require(mesh.table)
    #expect(table.peers.map(\.worker.incarnation) == [1, 2, 3], "spares take no part")
    mesh.cut(1)
    #expect(mesh.table?.ranks(of: 8) == table.ranks(of: 1))
    mesh.cut(2)
    #expect(mesh.table?.ranks(of: 9) == table.ranks(of: 2))
    #expect(mesh.table?.ranks(of: 8) == table.ranks(of: 1))
    mesh.cut(9)
    let next = try #require(mesh.table)
    #expect(next.ranks(of: 8).count == 6 && next.ranks(of: 3).count == 6)
    #expect(mesh.state(job) == .running)
  }

  @Test("a spare without the memory is passed over")
  func smallSpare() throws {
    let mesh = CoordinatorHarness()
    mesh.join(1, 2)
    mesh.join(sampleHello(8, memory: 1 << 20, isSpare: true))
    mesh.join(sampleHello(9, isSpare: true))
    _ = try #require(mesh.queue(spec))
    mesh.cut(1)
    #expect(mesh.table?.ranks(of: 9).count == 6)
    mesh.cut(9)
    #expect(mesh.table?.ranks(of: 2).count == 12)
  }

  @Test("a spare without the arithmetic takes nothing")
  func otherArithmetic() throws {
    let mesh = CoordinatorHarness()
    mesh.join(1, 2)
    mesh.join(sampleHello(8, numerics: "muladd", isSpare: true))
    mesh.join(sampleHello(9, numerics: "muladd"))
    let job = try #require(mesh.queue(spec))
    mesh.cut(1)
    #expect(mesh.table?.ranks(of: 2).count == 12)
    mesh.cut(2)
    mesh.pass(Limits.heartbeatTimeout)
    #expect(mesh.disk[job]?.run?.table.hosts.allSatisfy { $0.peer == nil } == true)
    #expect(mesh.reason(job) == "waits for workers" && mesh.state(job) == .running)
  }

  @Test("without workers the ranks wait, and the next one that comes takes them all")
  func vacant() throws {
    let (mesh, job, table) = try running(on: [1, 2])
    mesh.cut(1)
    mesh.cut(2)
    mesh.pass(Limits.heartbeatTimeout)
    let vacant = try #require(mesh.disk[job]?.run?.table)
    #expect(vacant.hosts.allSatisfy { $0.peer == nil } && vacant.peers.isEmpty)
    #expect(mesh.state(job) == .running && mesh.reason(job) == "waits for workers")
    #expect(zip(vacant.hosts, table.hosts).allSatisfy { $0.epoch > $1.epoch })
    for _ in 0..<100 {
      mesh.now += .milliseconds(100)
      mesh.send(.tick)
      #expect(mesh.effects.isEmpty)
    }
    mesh.join(3)
    let next = try #require(mesh.assigned)
    #expect(next.ranks(of: 3) == Array(0..<12) && mesh.reason(job).isEmpty)
    #expect(zip(next.hosts, vacant.hosts).allSatisfy { $0.epoch > $1.epoch })
    #expect(next.hosts.allSatisfy { !$0.isFresh })
  }

  @Test("a spare that comes takes vacant ranks too")
  func vacantToSpare() throws {
    let (mesh, _, _) = try running(on: [1])
    mesh.cut(1)
    mesh.join(sampleHello(9, isSpare: true))
    #expect(mesh.assigned?.ranks(of: 9).count == 12)
  }

  @Test("a deadline ends the wait for workers")
  func vacantDeadline() throws {
    let mesh = CoordinatorHarness()
    mesh.join(1)
    let job = try #require(mesh.queue(spec, deadline: 5))
    mesh.cut(1)
    mesh.now += .seconds(5)
    mesh.send(.tick)
    #expect(mesh.state(job) == .failed && mesh.reason(job).contains("deadline"))
  }

  private static let large = sampleJob(queries: 65_536, dimension: 64, mask: .full, vranks: 16)
  private static var halves: Int {
    MemoryEstimate(plan: Plan(job: large, vrankCount: 16), workers: 2).workerBytes
  }

  @Test("where nobody can join and nobody has the memory the job ends, and says so")
  func memoryOfAClosedMesh() throws {
    let mesh = CoordinatorHarness(isClosed: true)
    mesh.join(sampleHello(1, memory: Self.halves))
    mesh.join(sampleHello(2, memory: Self.halves))
    let job = try #require(mesh.queue(Self.large))
    mesh.cut(1)
    #expect(mesh.state(job) == .running, "it may come back")
    mesh.send(.processEnded(name: "worker-1", reason: "its process ended with code 1"))
    #expect(mesh.state(job) == .failed)
    #expect(mesh.reason(job).hasPrefix("there are no workers with memory for the ranks of those"))
  }

  @Test(
    "of many ranks on one machine the worker of another keeps as many copies as it has room for")
  func roomForCopies() throws {
    let mesh = CoordinatorHarness()
    for worker in UInt64(1)...7 { mesh.join(sampleHello(worker, machine: "a")) }
    mesh.join(sampleHello(8, machine: "b"))
    _ = try #require(mesh.queue(sampleJob(queries: 128 * 24, mask: .full, vranks: 24)))
    let table = try #require(mesh.table)
    let kept = Dictionary(grouping: table.hosts.compactMap(\.holder)) { $0 }.mapValues(\.count)
    #expect(kept[7] == 4 && kept.values.allSatisfy { $0 <= 4 }, "\(kept)")
    #expect(table.hosts.allSatisfy { $0.holder != nil })
  }

  @Test("where nobody has the memory the ranks wait for somebody who has")
  func memory() throws {
    let (spec, halves) = (Self.large, Self.halves)
    try #require(
      MemoryEstimate(plan: Plan(job: spec, vrankCount: 16), workers: 1).workerBytes > halves)
    let mesh = CoordinatorHarness()
    mesh.join(sampleHello(1, memory: halves))
    mesh.join(sampleHello(2, memory: halves))
    let job = try #require(mesh.queue(spec))
    let table = try #require(mesh.table)
    mesh.cut(1)
    let next = try #require(mesh.table)
    #expect(table.ranks(of: 1).allSatisfy { next.hosts[$0].peer == nil })
    #expect(next.ranks(of: 2) == table.ranks(of: 2), "it keeps what it has")
    #expect(mesh.reason(job) == "waits for workers with memory for the ranks of those lost")
    // One that is too small doesn't help; one that is large enough does.
    mesh.join(sampleHello(3, memory: 1 << 20))
    #expect(mesh.table?.ranks(of: 3) == [])
    mesh.join(sampleHello(4, memory: halves))
    #expect(mesh.table?.hosts.allSatisfy { $0.peer != nil } == true)
    #expect(mesh.table?.ranks(of: 3) == [] && mesh.reason(job).hasPrefix("without worker-3 ("))
  }

  @Test("nobody is given more ranks than it has memory for, however little work they are")
  func memoryForRanks() throws {
    let mesh = CoordinatorHarness()
    for worker in UInt64(1)...3 { mesh.join(sampleHello(worker, memory: Self.halves)) }
    let job = try #require(mesh.queue(Self.large))
    #expect((1...3).map { mesh.table?.ranks(of: $0).count } == [6, 5, 5])
    mesh.report(2, job: job, next: 200)
    mesh.cut(3)
    #expect((1...2).map { mesh.table?.ranks(of: $0).count } == [8, 8])
    // One with more memory takes what there is.
    mesh.join(sampleHello(4))
    mesh.cut(1)
    mesh.cut(2)
    #expect(mesh.table?.ranks(of: 4).count == 16)
  }

  @Test("a spare takes as many as it has memory for, and the others the rest")
  func memoryOfASpare() throws {
    let (mesh, job, _) = try #require(CoordinatorHarness.running(on: [1, 2, 3, 4], Self.large))
    mesh.restart()
    mesh.join(1)
    mesh.join(sampleHello(9, memory: Self.halves, isSpare: true))
    // The others are found missing at one moment.
    mesh.pass(Limits.rejoinTimeout + .milliseconds(200), beating: [1, 9], job: job)
    #expect([1, 9].map { mesh.table?.ranks(of: $0).count } == [8, 8])
  }

  @Test("copies are kept by another worker, on another machine where there is one")
  func holders() throws {
    let mesh = CoordinatorHarness()
    for (number, machine) in [(1, "a"), (2, "a"), (3, "b"), (4, "b")] {
      mesh.join(sampleHello(UInt64(number), machine: machine))
    }
    _ = try #require(mesh.queue(spec))
    let machines: [UInt64: String] = [1: "a", 2: "a", 3: "b", 4: "b"]
    func problems(_ table: Assignment) -> [Int] {
      table.hosts.indices.filter { rank in
        guard let host = table.host(of: rank), let holder = table.holder(of: rank) else {
          return true
        }
        let present = Set(table.peers.map(\.worker.incarnation))
        let room = (table.vrankCount + present.count - 1) / present.count + 1
        // Who is elsewhere keeps as many as it has room for.
        let isElsewhere = present.contains { other in
          let kept = table.hosts.indices.count { table.holder(of: $0) == other }
          return machines[other] != machines[host] && kept < room
        }
        return host == holder || (isElsewhere && machines[host] == machines[holder])
      }
    }
    let table = try #require(mesh.table)
    #expect(problems(table).isEmpty)
    // The ranks of one host are kept in both memories over there.
    #expect(Set(table.ranks(of: 1).compactMap { table.holder(of: $0) }) == [3, 4])
    mesh.cut(3)
    let second = try #require(mesh.table)
    #expect(problems(second).isEmpty)
    for rank in table.hosts.indices
    where second.host(of: rank) == table.host(of: rank) && table.holder(of: rank) != 3 {
      #expect(second.holder(of: rank) == table.holder(of: rank), "what is held stays there")
    }
    mesh.send(.message(.goodbye, from: WorkerID(incarnation: 4)))
    #expect(try problems(#require(mesh.table)).isEmpty)
    mesh.send(.message(.goodbye, from: WorkerID(incarnation: 1)))
    #expect(mesh.table?.hosts.allSatisfy { $0.holder == nil } == true, "nobody is left to hold")
  }

  @Test("ranks that are final move only to be served, and the store need not be asked for them")
  func finalRanks() throws {
    let (mesh, job, table) = try running(on: [1, 2])
    let done = try #require(table.ranks(of: 1).first)
    mesh.send(.store(.stored(job, VRank(done), table.hosts[done].epoch)))
    mesh.cut(1)
    let next = try #require(mesh.table)
    #expect(next.hosts[done].duty == .serve && next.host(of: done) == 2)
    #expect(next.hosts[done].holder == nil && next.hosts[done].sources.isEmpty)
    #expect(mesh.status(job)?.ranks[done].isFinal == true)
    // Its result is not taken a second time.
    mesh.send(.store(.stored(job, VRank(done), table.hosts[done].epoch)))
    #expect(mesh.commands.isEmpty)
  }

  @Test("a job without protection names no holders")
  func unprotected() throws {
    let (_, _, table) = try #require(
      CoordinatorHarness.running(on: [1, 2], spec, isProtected: false))
    #expect(table.hosts.allSatisfy { $0.holder == nil } && !table.isProtected)
  }
}
