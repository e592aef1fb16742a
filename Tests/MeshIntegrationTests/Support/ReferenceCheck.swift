import AttentionKernels
import AttentionMasks
import MeshCore

/// A job as the Double reference sees it.
struct ReferenceCheck {
  let tensors: JobTensors
  let mask: AttentionMask
  /// What becomes of logits, by query head.
  let logits: LogitRule
  let scale: Double
  let batch: Int

  init(_ tensors: JobTensors, isCausal: Bool, scale: Float? = nil) {
    self.init(tensors, isCausal ? .causal : .full, scale: scale)
  }

  init(
    _ tensors: JobTensors, _ mask: MaskRule, _ logits: LogitRule = .plain, scale: Float? = nil,
    blocks: BlockMap? = nil
  ) {
    self.tensors = tensors
    self.logits = logits
    let shape = tensors.query.shape
    self.scale = Double(scale ?? 1 / Float(shape[shape.count - 1]).squareRoot())
    batch = shape.count == 4 ? shape[0] : 1
    self.mask = mask.mask(
      queryTokens: shape[shape.count - 2],
      keyTokens: tensors.key.shape[tensors.key.shape.count - 2], map: blocks)
  }

  var headDimension: Int { tensors.query.shape[tensors.query.shape.count - 1] }
  var queryTokens: Int { tensors.query.shape[tensors.query.shape.count - 2] }
  var keyTokens: Int { tensors.key.shape[tensors.key.shape.count - 2] }
  func heads(_ tensor: TensorData) -> Int { batch * tensor.shape[tensor.shape.count - 3] }

  func sight(_ row: Int, head: Int = 0) -> Sight {
    let heads = tensors.query.shape[tensors.query.shape.count - 3]
    return mask.sight(query: row, keyCount: keyTokens, head: head % heads)
  }

  /// Rows worth a look: first and last, and both sides of borders between tiles of 64 rows and of
  /// 256 keys, and of shards, which lie at the former. At most 64.
  private func sampledRows() -> [Int] {
    var rows = Set([0, queryTokens - 1, queryTokens / 2])
    var borders = Array(stride(from: 64, to: queryTokens, by: 64))
    // Under a causal mask these rows are the first to see another K/V tile.
    borders += stride(from: 256, to: keyTokens, by: 256).map { $0 - (keyTokens - queryTokens) }
    borders += mask.documents.map(\.queries.lowerBound)
    let stride = max(1, (borders.count + 29) / 30)
    for (place, border) in borders.enumerated() where place % stride == 0 {
      rows.formUnion([border - 1, border])
    }
    return rows.filter { (0..<queryTokens).contains($0) }.sorted().prefix(64) + []
  }

  private func shape(_ head: Int) -> LogitShape {
    LogitShape(softcap: logits.softcap ?? 0, slope: value(logits.alibiSlopes, head) ?? 0)
  }

  private func value(_ values: [Float], _ head: Int) -> Float? {
    values.isEmpty ? nil : values[head % values.count]
  }

  /// What one query head reads, by definition.
  func reference(ofHead head: Int, keyHead: Int) -> ReferenceAttention {
    let keys = keyHead * keyTokens * headDimension..<(keyHead + 1) * keyTokens * headDimension
    return ReferenceAttention(
      keys: tensors.key.floats[keys].map(Double.init),
      values: tensors.value.floats[keys].map(Double.init), headDimension: headDimension,
      scale: scale, shape: shape(head), sinkLogit: value(logits.sinkLogits, head))
  }

  /// The first breach of the tolerance rule over sampled rows of all heads, or nil.
  func violation(output: TensorData, logSumExp: TensorData) -> String? {
    let rows = sampledRows()
    let d = headDimension
    let q = tensors.query.floats
    let (o, lse) = (output.floats, logSumExp.floats)
    let group = heads(tensors.query) / heads(tensors.key)
    for head in 0..<heads(tensors.query) {
      let reference = reference(ofHead: head, keyHead: head / group)
      let queries = rows.map { row in
        q[(head * queryTokens + row) * d..<(head * queryTokens + row + 1) * d].map(Double.init)
      }
      let sights = rows.map { sight($0, head: head) }
      let tolerance = Tolerance(
        reference: zip(queries, sights).map { reference.row(query: $0, sight: $1) },
        naive: reference.naiveFloat32Rows(queries: queries, sights: sights),
        largestValue: reference.largestValue)
      for (place, row) in rows.enumerated() {
        let at = head * queryTokens + row
        let reason = tolerance.violation(
          row: place, output: Array(o[at * d..<(at + 1) * d]), logSumExp: lse[at])
        if let reason { return "head \(head), token \(row): \(reason)" }
      }
    }
    return nil
  }
}
