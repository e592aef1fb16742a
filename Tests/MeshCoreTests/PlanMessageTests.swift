import ElementTypes
import MeshCore
import Testing

/// How tiles and results are cut into messages, and where their bytes lie.
@Suite struct PlanMessageTests {
  /// Ragged, grouped-query, batched, and wide enough for many parts.
  static let jobs = [
    sampleJob(queries: 7), sampleJob(queries: 130, keys: 1, dimension: 1, element: .bfloat16),
    sampleJob(batch: 3, heads: 6, keyHeads: 2, queries: 65, keys: 513, dimension: 33),
    sampleJob(batch: 2, heads: 28, keyHeads: 7, queries: 64, keys: 256, element: .float16),
    sampleJob(heads: 48, keyHeads: 48, queries: 70, keys: 300, dimension: 256, mask: .full),
    sampleJob(batch: 2, heads: 20, keyHeads: 20, queries: 200, keys: 257, dimension: 255),
  ]

  @Test("parts cover all heads once, in order, within the payload limit", arguments: jobs)
  func parts(job: AttentionJob) {
    let plan = Plan(job: job, vrankCount: 2)
    for tensor in TileTensor.stored {
      let heads = (0..<plan.partCount(tensor)).flatMap {
        Array(plan.heads(of: TileID(tensor, 0), part: $0))
      }
      #expect(heads == Array(0..<plan.headCount(tensor)))
      for index in 0..<plan.tileCount(tensor) {
        let tile = TileID(tensor, index)
        let sizes = (0..<plan.partCount(tensor)).map { plan.payloadBytes(of: tile, part: $0) }
        #expect(sizes.allSatisfy { (1...Limits.payloadBytesMaximum).contains($0) }, "\(sizes)")
        #expect(sizes.reduce(0, +) == plan.payloadBytes(of: tile))
      }
    }
    let heads = (0..<plan.resultPartCount).flatMap {
      Array(plan.resultHeads(queryTile: 0, part: $0))
    }
    #expect(heads == Array(0..<job.flatQueryHeads))
  }

  @Test("even one head of the largest shape fits a message", arguments: ElementType.allCases)
  func largestHead(element: ElementType) {
    let job = sampleJob(
      heads: 3, keyHeads: 3, queries: 64, keys: 256, dimension: Limits.headDimensionMaximum,
      element: element)
    let plan = Plan(job: job, vrankCount: 1)
    #expect(plan.payloadBytes(of: .keyValue(0), part: 0) <= Limits.payloadBytesMaximum)
    #expect(plan.payloadBytes(of: .query(0), part: 0) <= Limits.payloadBytesMaximum)
    #expect(plan.resultBytes(.query(0), part: 0) <= Limits.payloadBytesMaximum)
  }

  /// Of gradients too: under a full mask all keys get some.
  static let directions =
    jobs
    + jobs.map { job in
      var job = job
      (job.mask, job.layout, job.outputGradient) = (.full, .contiguous, .float16)
      return job
    }

  @Test("the runs of all parts are every input byte once", arguments: directions)
  func inputRuns(job: AttentionJob) {
    let plan = Plan(job: job, vrankCount: 3)
    var named = Dictionary(
      uniqueKeysWithValues: job.inputTensors.map { ($0, Coverage(job.byteCount($0))) })
    for tensor in TileTensor.stored {
      for index in 0..<plan.tileCount(tensor) {
        for part in 0..<plan.partCount(tensor) {
          let runs = plan.inputRuns(of: TileID(tensor, index), part: part)
          let bytes = runs.reduce(0) { $0 + $1.count }
          #expect(bytes == plan.payloadBytes(of: TileID(tensor, index), part: part))
          #expect(bytes <= Limits.payloadBytesMaximum)
          for run in runs { named[run.tensor]?.add(run.offset, run.count) }
        }
      }
    }
    #expect(named.values.allSatisfy { $0.isOnce })
  }

  @Test("the runs of all result messages are every output byte once", arguments: directions)
  func outputRuns(job: AttentionJob) {
    let plan = Plan(job: job, vrankCount: 3)
    var named = Dictionary(
      uniqueKeysWithValues: job.outputTensors.map { ($0, Coverage(job.byteCount($0))) })
    let places = ResultPlaces(plan)
    for vrank in plan.vranks {
      let messages = plan.resultMessages(of: vrank)
      #expect(messages.count == plan.resultMessageCount(of: vrank))
      for (message, place) in messages.enumerated() {
        #expect(places.message(place.tile, part: place.part) == message)
        #expect(plan.owner(of: place.tile) == vrank)
        let runs = plan.outputRuns(place.tile, part: place.part)
        let bytes = runs.reduce(0) { $0 + $1.count }
        #expect(bytes == plan.resultBytes(place.tile, part: place.part))
        #expect(bytes <= Limits.payloadBytesMaximum)
        for run in runs { named[run.tensor]?.add(run.offset, run.count) }
      }
      #expect(places.message(.query(plan.queryTileCount), part: 0) == nil)
    }
    #expect(named.values.allSatisfy { $0.isOnce })
  }

  /// How often each byte of a tensor was named.
  struct Coverage {
    private var counts: [UInt8]
    private var isOutside = false

    init(_ bytes: Int) { counts = [UInt8](repeating: 0, count: bytes) }

    mutating func add(_ offset: Int, _ count: Int) {
      guard offset >= 0, count > 0, offset + count <= counts.count else {
        isOutside = true
        return
      }
      for byte in offset..<offset + count { counts[byte] &+= 1 }
    }

    var isOnce: Bool { !isOutside && counts.allSatisfy { $0 == 1 } }
  }
}
