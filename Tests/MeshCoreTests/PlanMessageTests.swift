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
    #expect(plan.resultBytes(queryTile: 0, part: 0) <= Limits.payloadBytesMaximum)
  }

  @Test("the runs of all parts are every input byte once", arguments: jobs)
  func inputRuns(job: AttentionJob) {
    let plan = Plan(job: job, vrankCount: 3)
    var query = Coverage(job.queryBytes)
    var (key, value) = (Coverage(job.keyBytes), Coverage(job.keyBytes))
    for tensor in TileTensor.stored {
      for index in 0..<plan.tileCount(tensor) {
        for part in 0..<plan.partCount(tensor) {
          let runs = plan.inputRuns(of: TileID(tensor, index), part: part)
          let bytes = runs.reduce(0) { $0 + $1.count }
          #expect(bytes == plan.payloadBytes(of: TileID(tensor, index), part: part))
          for run in runs {
            switch run.tensor {
            case .query: query.add(run.offset, run.count)
            case .key: key.add(run.offset, run.count)
            case .value: value.add(run.offset, run.count)
            case .blockMap: Issue.record("a tile of a block map")
            }
          }
        }
      }
    }
    #expect(query.isOnce && key.isOnce && value.isOnce)
  }

  @Test("the runs of all result messages are every output byte once", arguments: jobs)
  func outputRuns(job: AttentionJob) {
    let plan = Plan(job: job, vrankCount: 3)
    var (output, logSumExp) = (Coverage(job.outputBytes), Coverage(job.logSumExpBytes))
    for vrank in plan.vranks {
      let count = plan.queryTiles(of: vrank).count * plan.resultPartCount
      for message in 0..<count {
        let (tile, part) = plan.resultMessage(of: vrank, message)
        let runs = plan.outputRuns(queryTile: tile, part: part)
        let bytes = runs.reduce(0) { $0 + $1.count }
        #expect(bytes == plan.resultBytes(queryTile: tile, part: part))
        #expect(bytes <= Limits.payloadBytesMaximum)
        for run in runs {
          if run.tensor == .output {
            output.add(run.offset, run.count)
          } else {
            logSumExp.add(run.offset, run.count)
          }
        }
      }
    }
    #expect(output.isOnce && logSumExp.isOnce)
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
