internal import AttentionKernels
internal import ElementTypes
internal import FoldEngine
internal import MeshCore
internal import TensorFiles

/// Compares a result on disk with the Double reference, on sampled rows of every head, by the rule
/// that `Tolerance` states.
package struct ResultCheck {
  private let inputs: JobInputs
  /// Rows of each head that are compared.
  private let rows: [Int]
  private let output: TensorFile
  private let logSumExp: TensorFile?

  /// What was found.
  package struct Finding: Sendable {
    package var rowsPerHead: Int
    package var heads: Int
    /// Largest errors over all rows, of the result and of a naive float32 computation.
    package var error = 0.0
    package var naiveError = 0.0
    package var logSumExpError = 0.0
    /// The first rows that fail the rule.
    package var violations: [String] = []
  }

  /// - Parameters:
  ///   - rows: of each head, evenly spread, first and last among them.
  ///   - room: what this process may have; by default what the system says.
  package init(
    inputs: JobInputs, output: String, logSumExp: String?, rows: Int, room: MemoryRoom? = nil
  ) throws(MeshError) {
    let room = room ?? .ofProcess(threads: 0)
    let tokens = inputs.spec.queryTokens
    let count = min(rows, tokens)
    let needed = Self.bytesNeeded(for: inputs.spec, rows: count)
    guard needed <= room.bytes else {
      throw MeshError(
        .badInput,
        "to compare \(count) rows of one head of \(inputs.spec.keyTokens) keys needs \(bytes(needed)) of memory, where"
          + " this process may have \(room.text): give it more")
    }
    self.inputs = inputs
    self.rows = (0..<count).map { count == 1 ? 0 : $0 * (tokens - 1) / (count - 1) }
    let axes = inputs.spec.axes
    self.output = try JobInputs.open(
      output, reading: TensorReading(swappedAxis: axes.swappedAxis(of: .output)))
    self.logSumExp = try logSumExp.map { text throws(MeshError) in
      try JobInputs.open(
        text, reading: TensorReading(swappedAxis: axes.swappedAxis(of: .logSumExp)))
    }
    guard self.output.element == .float32 else {
      throw MeshError(
        .badInput, "\(output) is \(self.output.element.name); only float32 results can be checked")
    }
    guard self.output.shape == inputs.shape else {
      throw MeshError(
        .badInput, "\(output) has shape \(self.output.shape), the query \(inputs.shape)")
    }
    if let file = self.logSumExp, file.shape != inputs.logSumExpShape {
      throw MeshError(
        .badInput, "\(file.location) has shape \(file.shape); it should be \(inputs.logSumExpShape)"
      )
    }
  }

  /// The bound on what this process has in all: keys and values of one head in double precision and,
  /// while they are read or compared, as float32; what one row sees, and its logits; query, exact and
  /// naive result of every row, each an array of its own.
  private static func bytesNeeded(for spec: AttentionJob, rows: Int) -> Int {
    (64 << 20) + MemoryEstimate.mapBytes(spec) + spec.keyTokens * (24 * spec.headDimension + 16)
      + rows * (24 * spec.headDimension + 256)
  }

  package func run() throws(MeshError) -> Finding {
    let spec = inputs.spec
    var finding = Finding(rowsPerHead: rows.count, heads: spec.flatQueryHeads)
    for keyHead in 0..<spec.flatKeyValueHeads {
      let keys = try doubles(.key, head: keyHead, tokens: 0..<spec.keyTokens)
      let values = try doubles(.value, head: keyHead, tokens: 0..<spec.keyTokens)
      for group in 0..<spec.queriesPerKeyHead {
        let head = keyHead * spec.queriesPerKeyHead + group
        let reference = ReferenceAttention(
          keys: keys, values: values, headDimension: spec.headDimension, scale: Double(spec.scale),
          shape: spec.logitShape(ofHead: head), sinkLogit: spec.sinkLogit(ofHead: head))
        try check(head: head, reference, &finding)
      }
    }
    try inputs.checkUnchanged()
    do throws(TensorFileError) {
      try output.checkUnchanged()
      try logSumExp?.checkUnchanged()
    } catch {
      throw MeshError(.badInput, error.description)
    }
    return finding
  }

  private func check(
    head: Int, _ reference: ReferenceAttention, _ finding: inout Finding
  ) throws(MeshError) {
    let spec = inputs.spec
    let queries = try rows.map { row throws(MeshError) in
      try doubles(.query, head: head, tokens: row..<row + 1)
    }
    let mask = spec.attentionMask(blocks: inputs.blocks)
    // One at a time: they take as much as the logits.
    let sights = rows.lazy.map {
      mask.foldedSight(query: $0, keys: 0..<spec.keyTokens, head: head % spec.queryHeads)
    }
    let exact = zip(queries, sights).map { reference.row(query: $0, sight: $1) }
    let naive = reference.naiveFloat32Rows(queries: queries, sights: sights)
    let rule = Tolerance(
      reference: exact, naive: naive, largestValue: reference.largestValue)
    for (index, row) in rows.enumerated() {
      let got = try floats(
        output, at: (head * spec.queryTokens + row) * spec.headDimension,
        count: spec.headDimension)
      var sum = Float(exact[index].logSumExp)
      if let logSumExp {
        sum = try floats(logSumExp, at: head * spec.queryTokens + row, count: 1)[0]
        finding.logSumExpError = max(
          finding.logSumExpError, distance(Double(sum), exact[index].logSumExp))
      }
      for (value, wanted) in zip(got, exact[index].output) {
        finding.error = max(finding.error, distance(Double(value), wanted))
      }
      for (value, wanted) in zip(naive[index].output, exact[index].output) {
        finding.naiveError = max(finding.naiveError, distance(value, wanted))
      }
      if let violation = rule.violation(row: index, output: got, logSumExp: sum),
        finding.violations.count < 8
      {
        finding.violations.append("head \(head), token \(row): \(violation)")
      }
    }
  }

  /// Distance of two numbers; 0 where both are the same infinity or both NaN.
  private func distance(_ got: Double, _ wanted: Double) -> Double {
    if got == wanted || (got.isNaN && wanted.isNaN) { return 0 }
    return abs(got - wanted)
  }

  private func floats(_ file: TensorFile, at element: Int, count: Int) throws(MeshError) -> [Float]
  {
    let bytes = UnsafeMutableRawBufferPointer.allocate(byteCount: count * 4, alignment: 64)
    defer { bytes.deallocate() }
    do throws(TensorFileError) {
      try file.read(at: element * 4, into: bytes)
    } catch {
      throw MeshError(.badInput, error.description)
    }
    return (0..<count).map { bytes.load(fromByteOffset: $0 * 4, as: Float.self) }
  }

  private func doubles(
    _ tensor: InputTensor, head: Int, tokens: Range<Int>
  ) throws(MeshError) -> [Double] {
    let spec = inputs.spec
    let length = tensor == .query ? spec.queryTokens : spec.keyTokens
    let count = tokens.count * spec.headDimension
    let bytes = UnsafeMutableRawBufferPointer.allocate(
      byteCount: count * spec.element.byteCount, alignment: 64)
    let floats = UnsafeMutableBufferPointer<Float>.allocate(capacity: count)
    defer {
      bytes.deallocate()
      floats.deallocate()
    }
    let row = head * length + tokens.lowerBound
    try inputs.read(tensor, at: row * spec.headDimension * spec.element.byteCount, into: bytes)
    spec.element.decode(UnsafeRawBufferPointer(bytes), into: floats)
    return floats.map { Double($0) }
  }
}
