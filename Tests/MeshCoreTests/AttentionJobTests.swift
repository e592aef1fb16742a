import Checksums
import ElementTypes
import MeshCore
import Testing

/// Identity of plans, and hostile job descriptions.
@Suite struct AttentionJobTests {
  private func hash(_ job: AttentionJob, ranks: Int = 3, _ inputs: InputDigests = sampleInputs)
    -> Digest
  {
    Plan(job: job, vrankCount: ranks).hash(inputs: inputs, numerics: "fma")
  }

  @Test("the plan hash changes with every field")
  func hashChanges() {
    let job = sampleJob(batch: 2, heads: 4, keyHeads: 2, queries: 900, keys: 1_000)
    var variants = [job]
    func vary(_ change: (inout AttentionJob) -> Void) {
      var other = job
      change(&other)
      variants.append(other)
    }
    vary { $0.batch = 3 }
    vary { $0.queryHeads = 6 }
    vary { $0.keyValueHeads = 1 }
    vary { $0.queryTokens = 901 }
    vary { $0.keyTokens = 1_001 }
    vary { $0.headDimension = 5 }
    vary { $0.element = .float16 }
    vary { $0.element = .bfloat16 }
    vary { $0.mask = .full }
    vary { $0.scale = $0.scale.nextUp }
    vary { $0.layout = .zigzag }
    vary { $0.layout = .striped }
    vary { $0.strategy = .ring }
    vary { $0.strategy = .ulysses }
    vary { $0.strategy = .usp }
    var hashes = variants.map { hash($0) }
    hashes.append(hash(job, ranks: 4))
    hashes.append(Plan(job: job, vrankCount: 3).hash(inputs: sampleInputs, numerics: "fmb"))
    let (q, k, v) = (sampleInputs.query, sampleInputs.key, sampleInputs.value)
    let other = sampleDigest(9)
    hashes.append(hash(job, InputDigests(query: other, key: k, value: v)))
    hashes.append(hash(job, InputDigests(query: q, key: other, value: v)))
    hashes.append(hash(job, InputDigests(query: q, key: k, value: other)))
    hashes.append(hash(job, InputDigests(query: q, key: v, value: k)))
    #expect(Set(hashes).count == hashes.count)
  }

  @Test("the plan hash doesn't change with how the number of ranks was asked for")
  func hashStays() {
    let job = sampleJob(queries: 900)
    var asked = job
    asked.vranks = 3
    #expect(hash(job) == hash(asked))
    // More ranks than query tiles are as many as query tiles.
    #expect(hash(job, ranks: 15) == hash(job, ranks: 200))
    #expect(hash(job) == hash(job))
  }

  @Test("hostile shapes are refused without a trap")
  func hostileShapes() {
    let values = [Int.min, -1, 0, 1, 3, 65_536, 65_537, Int.max]
    for batch in values {
      for heads in values {
        for keyHeads in values {
          for tokens in values + [Limits.tokensMaximum, Limits.tokensMaximum + 1] {
            for dimension in values + [256, 257] {
              let job = sampleJob(
                batch: batch, heads: heads, keyHeads: keyHeads, queries: tokens, keys: tokens,
                dimension: dimension)
              // Whatever passes can be counted in bytes and operations.
              if job.problem == nil { #expect(job.inputBytes > 0 && job.flops() > 0) }
            }
          }
        }
      }
    }
  }

  @Test("every bound of a job is named with its number")
  func boundsAreNamed() throws {
    func problem(_ change: (inout AttentionJob) -> Void) throws -> String {
      var job = sampleJob(queries: 10)
      change(&job)
      return try #require(job.problem)
    }
    #expect(try problem { $0.batch = 0 }.contains("batch is 0"))
    #expect(try problem { $0.queryTokens = .min }.contains("query tokens is \(Int.min)"))
    #expect(try problem { $0.keyTokens = .max }.contains("key tokens is \(Int.max)"))
    #expect(try problem { $0.headDimension = 257 }.contains("257"))
    #expect(
      try problem {
        $0.queryHeads = 3; $0.keyValueHeads = 2
      }.contains("not a multiple"))
    #expect(try problem { $0.batch = 40_000 }.contains("80000"))
    #expect(try problem { $0.scale = .nan }.contains("nan"))
    #expect(try problem { $0.scale = -.infinity }.contains("-inf"))
    #expect(try problem { $0.vranks = -1 }.contains("-1"))
    #expect(try problem { $0.vranks = .max }.contains("\(Int.max)"))
    #expect(sampleJob(queries: 10).problem == nil)
  }

  @Test("a hostile assignment is described, never believed")
  func hostileAssignments() {
    let plan = Plan(job: sampleJob(queries: 300), vrankCount: 3)
    #expect(sampleAssignment(plan, hosts: [0, 1, 1], peers: 2).problem == nil)
    for (hosts, peers) in [([0, 1], 2), ([0, 1, 2], 2), ([0, -1, 0], 2), ([0, 0, .max], 2)] {
      #expect(sampleAssignment(plan, hosts: hosts, peers: peers).problem != nil)
    }
    #expect(sampleAssignment(plan, hosts: [0, 0, 0], peers: 0).problem != nil)
    #expect(sampleAssignment(plan, hosts: [0, 0, 0], peers: 257).problem != nil)
  }
}
