import MeshCore
import Testing

/// Where ranks and copies go, over random loads.
@Suite struct PlacementTests {
  private struct Case {
    var places: [Placement.Place] = []
    var ranks: [(vrank: VRank, load: Int)] = []
    var copies: [Int: [WorkerID]] = [:]

    init(seed: UInt64) {
      var random = SplitMix64(seed: seed)
      let machines = 1 + random.below(3)
      places = (0..<1 + random.below(8)).map { index in
        Placement.Place(
          worker: WorkerID(incarnation: UInt64(index) + 1),
          machine: machines == 1 ? "" : "machine-\(random.below(machines))",
          load: random.below(4) == 0 ? 0 : random.below(100))
      }
      ranks = (0..<random.below(30)).map {
        (VRank($0), random.below(5) == 0 ? 0 : random.below(50))
      }
      for rank in ranks where random.below(2) == 0 {
        copies[rank.vrank.index] = [places[random.below(places.count)].worker]
      }
    }

    func place() -> [(vrank: VRank, worker: WorkerID)] {
      Placement.place(ranks, on: places, copies: { copies[$0.index] ?? [] })
    }
  }

  @Test("every rank gets one place that there is, the same one every time")
  func once() {
    for seed in UInt64(1)...500 {
      let sample = Case(seed: seed)
      let placed = sample.place()
      #expect(placed.map(\.vrank).sorted() == sample.ranks.map(\.vrank).sorted())
      #expect(placed.allSatisfy { given in sample.places.contains { $0.worker == given.worker } })
      let again = sample.place()
      #expect(placed.elementsEqual(again) { $0 == $1 }, "seed \(seed)")
    }
  }

  @Test("nobody is loaded beyond the least loaded by more than the last rank it was given")
  func even() {
    for seed in UInt64(1)...500 {
      let sample = Case(seed: seed)
      let loads = Dictionary(uniqueKeysWithValues: sample.ranks.map { ($0.vrank, $0.load) })
      var total = Dictionary(uniqueKeysWithValues: sample.places.map { ($0.worker, $0.load) })
      var last: [WorkerID: Int] = [:]
      for (vrank, worker) in sample.place() {
        total[worker, default: 0] += (loads[vrank] ?? 0) + 1
        last[worker] = (loads[vrank] ?? 0) + 1
      }
      let least = total.values.min() ?? 0
      for (worker, rank) in last {
        #expect((total[worker] ?? 0) - rank <= least, "seed \(seed)")
      }
    }
  }

  @Test("nobody gets more ranks than it has memory for while there is another")
  func room() {
    for seed in UInt64(1)...500 {
      var random = SplitMix64(seed: seed)
      var sample = Case(seed: seed)
      for place in sample.places.indices {
        sample.places[place].ranks = random.below(4)
        sample.places[place].most = random.below(8)
      }
      var counts = Dictionary(
        uniqueKeysWithValues: sample.places.map { ($0.worker, $0.ranks) })
      for (_, worker) in sample.place() {
        let isFull = sample.places.map { $0.most <= counts[$0.worker] ?? 0 }
        let place = sample.places.firstIndex { $0.worker == worker } ?? 0
        #expect(!isFull[place] || isFull.allSatisfy { $0 }, "seed \(seed)")
        counts[worker, default: 0] += 1
      }
    }
  }

  @Test("who has as many ranks as it has memory for is given none of others'")
  func movesWithRoom() {
    func loads(most: Int) -> [Placement.Load] {
      [
        Placement.Load(
          worker: WorkerID(incarnation: 1), ranks: (0..<4).map { (VRank($0), 100) }, most: 4),
        Placement.Load(
          worker: WorkerID(incarnation: 2), fixed: 2, fixedCount: 2, ranks: [], most: most),
      ]
    }
    #expect(Placement.moves(loads: loads(most: 2)) == [])
    #expect(Placement.moves(loads: loads(most: 3)).count == 1)
    #expect(Placement.moves(loads: loads(most: 4)).count == 2)
  }

  @Test("of equally loaded workers one that has a copy takes the rank")
  func copiesDecideTies() {
    let places = (1...5).map {
      Placement.Place(worker: WorkerID(incarnation: $0), machine: "", load: 7)
    }
    for holder in UInt64(1)...5 {
      let placed = Placement.place(
        [(VRank(0), 3)], on: places, copies: { _ in [WorkerID(incarnation: holder)] })
      #expect(placed.map(\.worker.incarnation) == [holder])
    }
    let placed = Placement.place([(VRank(0), 3)], on: places, copies: { _ in [] })
    #expect(placed.map(\.worker.incarnation) == [1])
  }

  @Test("a rank goes back to the worker that it leaves only when there is no other")
  func leaving() {
    let idle = Placement.Place(worker: WorkerID(incarnation: 1), machine: "", load: 0)
    let busy = Placement.Place(worker: WorkerID(incarnation: 2), machine: "", load: 1_000)
    func place(on places: [Placement.Place]) -> [UInt64] {
      Placement.place(
        [(VRank(0), 3)], on: places, copies: { _ in [idle.worker] }, leaving: { _ in idle.worker }
      ).map(\.worker.incarnation)
    }
    #expect(place(on: [idle, busy]) == [2] && place(on: [idle]) == [1])
  }

  @Test("without places nothing is placed")
  func noPlaces() {
    #expect(Placement.place([(VRank(0), 3)], on: [], copies: { _ in [] }).isEmpty)
  }

  @Test("a holder is another worker, elsewhere if there is one, and stays where it is")
  func holders() throws {
    for seed in UInt64(1)...500 {
      let sample = Case(seed: seed)
      for (index, host) in sample.places.enumerated() {
        let others = sample.places.filter { $0.worker != host.worker }
        let elsewhere = others.filter { $0.machine != host.machine || $0.machine.isEmpty }
        for vrank in 0..<6 {
          let holder = Placement.holder(
            of: VRank(vrank), host: index, among: sample.places, keeping: nil)
          guard !others.isEmpty else {
            #expect(holder == nil)
            continue
          }
          let allowed = (elsewhere.isEmpty ? others : elsewhere).map(\.worker)
          #expect(allowed.contains(try #require(holder)), "seed \(seed)")
          for current in sample.places.map(\.worker) {
            let kept = Placement.holder(
              of: VRank(vrank), host: index, among: sample.places, keeping: current)
            #expect(kept == (allowed.contains(current) ? current : holder), "seed \(seed)")
          }
        }
      }
    }
  }

  @Test("who keeps as many copies as it has room for keeps another's only when all are full")
  func fullHolders() {
    let places = [("a", UInt64(1)), ("a", 2), ("b", 3)].map {
      Placement.Place(worker: WorkerID(incarnation: $1), machine: $0, load: 0)
    }
    func holder(full: Set<UInt64>) -> UInt64? {
      Placement.holder(of: VRank(0), host: 0, among: places, keeping: nil) {
        full.contains($0.incarnation)
      }?.incarnation
    }
    #expect(holder(full: []) == 3 && holder(full: [2]) == 3)
    #expect(holder(full: [3]) == 2 && holder(full: [2, 3]) == 3)
  }

  @Test("the ranks of one host are held by all that may hold them")
  func holdersSpread() {
    let places = (1...5).map {
      Placement.Place(worker: WorkerID(incarnation: $0), machine: "", load: 0)
    }
    for host in 0..<5 {
      let holders = (0..<4).map {
        Placement.holder(of: VRank($0), host: host, among: places, keeping: nil)
      }
      #expect(Set(holders).count == 4)
    }
  }

  @Test("moves make the busiest worker less busy, each rank moves once, and then it is enough")
  func moves() {
    for seed in UInt64(1)...500 {
      var random = SplitMix64(seed: seed)
      var number = 0
      var loads = (0..<1 + random.below(6)).map { index in
        let ranks = (0..<random.below(8)).map { _ -> (vrank: VRank, load: Int) in
          defer { number += 1 }
          return (VRank(number), random.below(5) == 0 ? 0 : random.below(60))
        }
        return Placement.Load(worker: WorkerID(incarnation: UInt64(index) + 1), ranks: ranks)
      }
      /// The busiest first.
      func totals() -> [Int] { loads.map { $0.ranks.reduce(0) { $0 + $1.load } }.sorted(by: >) }
      let before = totals()
      let moves = Placement.moves(loads: loads)
      #expect(Set(moves).count == moves.count)
      if loads.count == 1 { #expect(moves.isEmpty) }
      // Carried out in the way in which they are placed.
      var moving: [(vrank: VRank, load: Int)] = []
      for index in loads.indices {
        moving += loads[index].ranks.filter { moves.contains($0.vrank) }
        loads[index].ranks.removeAll { moves.contains($0.vrank) }
      }
      #expect(moving.count == moves.count)
      let places = loads.map { load in
        Placement.Place(
          worker: load.worker, machine: "", load: load.ranks.reduce(0) { $0 + $1.load })
      }
      for (vrank, worker) in Placement.place(moving, on: places, copies: { _ in [] }) {
        let index = loads.firstIndex { $0.worker == worker } ?? 0
        loads[index].ranks += moving.filter { $0.vrank == vrank }
      }
      if !moves.isEmpty {
        #expect(totals().lexicographicallyPrecedes(before), "seed \(seed)")
      }
    }
  }

  @Test("a worker that just came gets its share of equal ranks", arguments: 1...9)
  func movesToAJoiner(workers: Int) {
    let per = 12
    let loads = (0...workers).map { index in
      Placement.Load(
        worker: WorkerID(incarnation: UInt64(index) + 1),
        ranks: index == workers
          ? [] : (0..<per).map { (vrank: VRank(index * per + $0), load: 100) })
    }
    let moves = Placement.moves(loads: loads)
    #expect(abs(moves.count - workers * per / (workers + 1)) <= 1, "\(moves.count)")
  }

  @Test("one heavy rank that can't be cut doesn't keep a worker idle that could help another")
  func movesBesideAHeavyRank() {
    func load(_ worker: UInt64, fixed: Int = 0, _ ranks: [(Int, Int)]) -> Placement.Load {
      Placement.Load(
        worker: WorkerID(incarnation: worker), fixed: fixed,
        ranks: ranks.map { (vrank: VRank($0.0), load: $0.1) })
    }
    let one = load(1, [(0, 60)])
    #expect(Placement.moves(loads: [one, load(2, [(1, 30), (2, 30)]), load(3, [])]) == [VRank(1)])
    // What stays counts for what a worker has, and isn't moved.
    #expect(Placement.moves(loads: [one, load(2, fixed: 60, []), load(3, [])]).isEmpty)
    #expect(Placement.moves(loads: [load(1, [(0, 9), (1, 9)]), load(2, fixed: 18, [])]).isEmpty)
  }
}
