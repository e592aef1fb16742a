import AttentionKernels
import ElementTypes
import FoldEngine
import MeshCore
import MeshSimulation

/// Compares a run's output with the Double reference, on the rows where things go wrong.
struct Truth {
  let configuration: Configuration
  let plan: Plan
  let tensors: MemoryTensors

  init(_ configuration: Configuration, vranks: Int, tensors: MemoryTensors) {
    self.configuration = configuration
    self.tensors = tensors
    plan = Plan(
      job: configuration.job, vrankCount: vranks,
      blocks: configuration.job.blockMap(of: tensors[.blockMap]))
  }

  /// The first breach of the tolerance rule, or nil.
  var violation: String? {
    let heads = configuration.job.flatQueryHeads
    for head in Set([0, heads / 2, heads - 1]).sorted() {
      if let problem = violation(head: head) { return "head \(head): \(problem)" }
    }
    return nil
  }

  /// Rows at the borders of query tiles, K/V tiles and shards, the first and the last: up to 64.
  var rows: [Int] {
    let job = configuration.job
    var edges = [0, job.queryTokens]
    for vrank in plan.vranks {
      let tiles = plan.queryTiles(of: vrank)
      for tile in tiles where !tiles.contains(tile - 1) { edges.append(tile * 64) }
      for tile in tiles where !tiles.contains(tile + 1) { edges.append((tile + 1) * 64) }
    }
    for tile in 0...plan.keyTileCount {
      edges.append(tile * 256 - job.keyTokens + job.queryTokens)
    }
    for tile in 0..<plan.queryTileCount { edges.append(tile * 64) }
    // Where documents begin; most of them, where there are many.
    edges = plan.mask.documents.dropFirst().prefix(12).map(\.queries.lowerBound) + edges
    var rows: [Int] = []
    for edge in edges {
      for row in [edge - 1, edge]
      where (0..<job.queryTokens).contains(row) && !rows.contains(row) && rows.count < 64 {
        rows.append(row)
      }
    }
    return rows
  }

  private func violation(head: Int) -> String? {
    let job = configuration.job
    let d = job.headDimension
    let keyHead = head / job.queriesPerKeyHead
    let keyRange = keyHead * job.keyTokens * d..<(keyHead + 1) * job.keyTokens * d
    let reference = ReferenceAttention(
      keys: job.element.values(tensors[.key], keyRange),
      values: job.element.values(tensors[.value], keyRange), headDimension: d,
      scale: Double(job.scale), shape: job.logitShape(ofHead: head),
      sinkLogit: job.sinkLogit(ofHead: head))
    let rows = rows
    let queries = rows.map { row in
      let start = (head * job.queryTokens + row) * d
      return job.element.values(tensors[.query], start..<start + d)
    }
    let sights = rows.map {
      plan.mask.sight(query: $0, keyCount: job.keyTokens, head: head % job.queryHeads)
    }
    let tolerance = Tolerance(
      reference: zip(queries, sights).map { reference.row(query: $0, sight: $1) },
      naive: reference.naiveFloat32Rows(queries: queries, sights: sights),
      largestValue: reference.largestValue)
    for (index, row) in rows.enumerated() {
      let place = head * job.queryTokens + row
      let output = ElementType.float32.values(tensors.output, place * d..<(place + 1) * d)
      let logSumExp = ElementType.float32.values(tensors.logSumExp, place..<place + 1)
      if let problem = tolerance.violation(
        row: index, output: output.map { Float($0) }, logSumExp: Float(logSumExp[0]))
      {
        return "token \(row): \(problem)"
      }
    }
    return nil
  }
}
