import ElementTypes
import MeshCore
import Testing

/// Who asks whom for a tile.
@Suite struct RingTests {
  /// A plan, a random table of hosts, and the ring.
  struct Case {
    let plan: Plan
    let hosts: [Int?]
    let peers: Int
    let ring: Ring

    init(seed: UInt64) {
      var random = SplitMix64(seed: seed)
      let job = sampleJob(
        batch: 1 + random.below(2), heads: 4, keyHeads: 1 + random.below(2),
        queries: 1 + random.below(3_000), keys: 1 + random.below(6_000),
        dimension: 1 + random.below(8), element: random.below(2) == 0 ? .float32 : .float16,
        mask: random.below(4) == 0 ? .full : .causal,
        layout: Layout.allCases[random.below(3)])
      let plan = Plan(job: job, vrankCount: 1 + random.below(24))
      let peers = 1 + random.below(9)
      // Any table, also one that only a recovery would make, with peers that host nothing and ranks
      // that nobody hosts.
      let hosts = (0..<plan.vrankCount).map { _ in
        random.below(20) == 0 ? nil : random.below(peers)
      }
      self.plan = plan
      self.peers = peers
      self.hosts = hosts
      ring = Ring(plan: plan, assignment: sampleAssignment(plan, hosts: hosts, peers: peers))
    }

    func owner(of tile: Int) -> Int? { hosts[plan.owner(of: .keyValue(tile)).index] }

    /// Workers that host a row which sees a key of the tile, by asking the mask for the last row of
    /// each query tile: it sees the most.
    func needers(of tile: Int) -> Set<Int> {
      let job = plan.job
      let offset = job.mask == .full ? job.keyTokens : job.keyTokens - job.queryTokens
      return Set(
        (0..<plan.queryTileCount)
          .filter { plan.queryRows(of: $0).upperBound - 1 + offset >= tile * 256 }
          .compactMap { hosts[plan.holder(ofQueryTile: $0).index] })
    }
  }

  @Test("the sources of a tile are one path from its owner through every needer")
  func onePath() {
    for seed in UInt64(1)...300 {
      let sample = Case(seed: seed)
      for tile in 0..<sample.plan.keyTileCount {
        let problem = pathProblem(sample, tile)
        #expect(problem == nil, "seed \(seed), tile \(tile)")
      }
    }
  }

  private func pathProblem(_ sample: Case, _ tile: Int) -> String? {
    let owner = sample.owner(of: tile)
    guard sample.ring.owner(of: .keyValue(tile)) == owner else { return "owner" }
    let needers = sample.needers(of: tile)
    for peer in 0..<sample.peers where sample.ring.needs(peer, tile: tile) != needers.contains(peer)
    {
      return "worker \(peer) is wrongly said to need it, or not to"
    }
    guard let owner else {
      let sources = needers.compactMap { sample.ring.source(of: tile, for: $0) }
      return sources.isEmpty ? nil : "a tile that nobody owns is asked of \(sources)"
    }
    let askers = needers.subtracting([owner])
    var next: [Int: Int] = [:]
    for peer in askers {
      guard let source = sample.ring.source(of: tile, for: peer) else { return "no source" }
      guard next.updateValue(peer, forKey: source) == nil else { return "two ask \(source)" }
    }
    var (place, visited) = (owner, Set<Int>())
    while let following = next[place], visited.insert(following).inserted { place = following }
    return visited == askers ? nil : "reaches \(visited.sorted()) of \(askers.sorted())"
  }

  @Test("needed bytes are every foreign tile once a worker")
  func neededBytes() {
    for seed in UInt64(1)...300 {
      let sample = Case(seed: seed)
      let job = sample.plan.job
      var total = 0
      for tile in 0..<sample.plan.keyTileCount {
        let keys = min(256, job.keyTokens - tile * 256)
        let owner = sample.owner(of: tile).map { [$0] } ?? []
        let askers = sample.needers(of: tile).subtracting(owner)
        total +=
          askers.count * keys * job.flatKeyValueHeads * job.headDimension
          * job.element.byteCount * 2
      }
      #expect(sample.ring.neededBytes == total, "seed \(seed)")
    }
  }

  @Test(
    "causal: half of a full ring's bytes with contiguous shards, three quarters with zigzag",
    arguments: [2, 4, 8], [(Layout.contiguous, 0.50), (.zigzag, 0.75)])
  func shareOfFullRing(workers: Int, expected: (layout: Layout, share: Double)) {
    let plan = Plan(
      job: sampleJob(queries: 8_192, layout: expected.layout), vrankCount: workers)
    let ring = Ring(
      plan: plan,
      assignment: sampleAssignment(plan, hosts: Array(0..<workers), peers: workers))
    let full = (workers - 1) * plan.job.keyBytes * 2
    #expect(Double(ring.neededBytes) / Double(full) == expected.share)
  }

  @Test("placement gives every worker a run of ranks, as long as there are ranks")
  func placement() {
    for vranks in 1...40 {
      for workers in 1...12 {
        let hosts = Plan.hosts(vranks: vranks, workers: workers)
        #expect(hosts == hosts.sorted() && hosts.count == vranks)
        #expect(Set(hosts) == Set(0..<min(vranks, workers)))
        let sizes = Set(hosts).map { host in hosts.count { $0 == host } }
        #expect((sizes.max() ?? 0) - (sizes.min() ?? 0) <= 1, "\(vranks) on \(workers)")
      }
    }
  }
}
