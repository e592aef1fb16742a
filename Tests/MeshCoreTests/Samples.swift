import Checksums
import ElementTypes
import MeshCore

/// A job with small, legal values wherever a test doesn't care.
func sampleJob(
  batch: Int = 1, heads: Int = 2, keyHeads: Int = 1, queries: Int, keys: Int? = nil,
  dimension: Int = 4, element: ElementType = .float32, mask: MaskRule = .causal,
  layout: Layout = .contiguous, vranks: Int = 0
) -> AttentionJob {
  AttentionJob(
    batch: batch, queryHeads: heads, keyValueHeads: keyHeads, queryTokens: queries,
    keyTokens: keys ?? queries, headDimension: dimension, element: element, mask: mask,
    scale: 0.5, layout: layout, vranks: vranks)
}

func sampleDigest(_ number: UInt8) -> Digest { SHA256.hash([number]) }

let sampleInputs = InputDigests(
  query: sampleDigest(1), key: sampleDigest(2), value: sampleDigest(3))

func sampleHello(
  _ number: UInt64, name: String? = nil, version: Int = protocolVersion,
  numerics: String = "fma", memory: Int = .max, machine: String = "", isSpare: Bool = false,
  isCordoned: Bool = false, threads: Int = 2
) -> WorkerMessage.Hello {
  WorkerMessage.Hello(
    worker: WorkerID(incarnation: number), name: name ?? "worker-\(number)", processID: 7,
    version: version, numerics: numerics, level: "avx2", threads: threads, memoryBytes: memory,
    endpoint: "tcp://127.0.0.1:\(number)", machine: machine, isSpare: isSpare,
    isCordoned: isCordoned)
}

/// The table of a job whose virtual ranks are hosted as `hosts` says, by index of peer. Workers are
/// numbered from 1. Nobody keeps copies unless `holders` says so.
func sampleAssignment(
  _ plan: Plan, hosts: [Int?], peers: Int, holders: [Int?]? = nil, isProtected: Bool = true,
  job: JobID = JobID(high: 1, low: 1)
) -> Assignment {
  Assignment(
    job: job, spec: plan.job, inputs: sampleInputs, vrankCount: plan.vrankCount,
    planHash: plan.hash(inputs: sampleInputs, numerics: "fma"),
    revision: Epoch(term: 1, counter: UInt64(hosts.count) + 1), isProtected: isProtected,
    peers: (0..<peers).map {
      Assignment.Peer(worker: WorkerID(incarnation: UInt64($0) + 1), endpoint: "\($0)")
    },
    hosts: hosts.enumerated().map { index, peer in
      Assignment.Host(
        peer: peer, epoch: Epoch(term: 1, counter: UInt64(index) + 1), holder: holders?[index])
    })
}

extension Assignment {
  /// The table that replaces this one: a higher revision, and whatever `change` does to it.
  func next(
    peers: [Peer]? = nil, revision: Epoch? = nil, _ change: (inout [Host]) -> Void = { _ in }
  ) -> Assignment {
    var hosts = hosts
    change(&hosts)
    return Assignment(
      job: job, spec: spec, inputs: inputs, vrankCount: vrankCount, planHash: planHash,
      revision: revision ?? Epoch(term: self.revision.term, counter: self.revision.counter + 100),
      isProtected: isProtected, peers: peers ?? self.peers, hosts: hosts)
  }

  /// Virtual ranks that a worker hosts.
  func ranks(of worker: UInt64) -> [Int] {
    hosts.indices.filter { self.worker(hosts[$0].peer) == WorkerID(incarnation: worker) }
  }

  /// The number of the worker that hosts a virtual rank.
  func host(of vrank: Int) -> UInt64? { worker(hosts[vrank].peer)?.incarnation }

  func holder(of vrank: Int) -> UInt64? { worker(hosts[vrank].holder)?.incarnation }

  func sources(of vrank: Int) -> [UInt64] {
    hosts[vrank].sources.compactMap { worker($0)?.incarnation }
  }
}

extension SplitMix64 {
  mutating func below(_ bound: Int) -> Int { Int.random(in: 0..<bound, using: &self) }

  /// In [0, 1).
  mutating func fraction() -> Double { Double(next() >> 11) / Double(1 << 53) }
}
