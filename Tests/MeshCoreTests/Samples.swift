import Checksums
import ElementTypes
import MeshCore

/// A job with small, legal values wherever a test doesn't care.
func sampleJob(
  batch: Int = 1, heads: Int = 2, keyHeads: Int = 1, queries: Int, keys: Int? = nil,
  dimension: Int = 4, element: ElementType = .float32, mask: Mask = .causal,
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
  numerics: String = "fma", memory: Int = .max
) -> WorkerMessage.Hello {
  WorkerMessage.Hello(
    worker: WorkerID(incarnation: number), name: name ?? "worker-\(number)", processID: 7,
    version: version, numerics: numerics, level: "avx2", threads: 2, memoryBytes: memory,
    endpoint: "tcp://127.0.0.1:\(number)")
}

/// The table of a job whose virtual ranks are hosted as `hosts` says, by index of peer. Workers are
/// numbered from 1.
func sampleAssignment(
  _ plan: Plan, hosts: [Int], peers: Int, job: JobID = JobID(high: 1, low: 1)
) -> Assignment {
  Assignment(
    job: job, spec: plan.job, inputs: sampleInputs, vrankCount: plan.vrankCount,
    planHash: plan.hash(inputs: sampleInputs, numerics: "fma"),
    peers: (0..<peers).map {
      Assignment.Peer(worker: WorkerID(incarnation: UInt64($0) + 1), endpoint: "\($0)")
    },
    hosts: hosts.enumerated().map { index, peer in
      Assignment.Host(peer: peer, epoch: Epoch(term: 1, counter: UInt64(index) + 1))
    })
}

extension SplitMix64 {
  mutating func below(_ bound: Int) -> Int { Int.random(in: 0..<bound, using: &self) }
}
