import AttentionKernels
import ElementTypes
import MeshCore

/// Gradients that `grad` wrote.
struct Differentiated: Equatable {
  var query: TensorData
  var key: TensorData
  var value: TensorData
}

extension Scratch {
  /// Runs `grad` with these flags, which name the tensors of the job, and reads what it wrote.
  func grad(_ flags: [String], limits: String? = nil) throws -> Differentiated {
    let program = try runGrad(flags, limits: limits)
    guard try program.wait() == .code(0) else {
      throw HarnessError("grad \(flags.joined(separator: " ")): \(program.errors)")
    }
    return Differentiated(
      query: try TensorData(reading: file("grad-query.npy")),
      key: try TensorData(reading: file("grad-key.npy")),
      value: try TensorData(reading: file("grad-value.npy")))
  }

  /// Runs `grad` to its end. What it writes is `name`-query.npy and so on.
  func runGrad(
    _ flags: [String], name: String = "grad", limits: String? = nil
  ) throws -> Program {
    let gradients = ["query", "key", "value"].flatMap {
      ["--\($0)-gradient", file("\(name)-\($0).npy")]
    }
    return try run(["grad", "--quiet"] + gradients + flags, limits: limits)
  }
}

extension JobTensors {
  /// dO from N(0, 1), with the query's shape and type.
  func outputGradient(seed: UInt64) -> TensorData {
    var random = SplitMix64(seed: seed)
    return TensorData(
      (0..<query.shape.reduce(1, *)).map { _ in Float(random.normal()) }, element: query.element,
      shape: query.shape)
  }
}

extension ReferenceCheck {
  /// The first breach of the tolerance rule over all rows of all heads, or nil.
  func violation(_ gradients: Differentiated, outputGradient: TensorData) -> String? {
    let d = headDimension
    let group = heads(tensors.query) / heads(tensors.key)
    func elements(_ tensor: TensorData, _ heads: Range<Int>, _ tokens: Int) -> [Float] {
      Array(tensor.floats[heads.lowerBound * tokens * d..<heads.upperBound * tokens * d])
    }
    for keyHead in 0..<heads(tensors.key) {
      let queryHeads = keyHead * group..<(keyHead + 1) * group
      let references = queryHeads.map { self.gradients(ofHead: $0, outputGradient) }
      let first = references[0]
      let (exact, naive) = references.dropFirst().reduce((first.exact, first.naive)) {
        ($0.0.joined(with: $1.exact), $0.1.joined(with: $1.naive))
      }
      let violation = GradientTolerance(exact: exact, naive: naive).violation(
        queries: elements(gradients.query, queryHeads, queryTokens),
        keys: elements(gradients.key, keyHead..<keyHead + 1, keyTokens),
        values: elements(gradients.value, keyHead..<keyHead + 1, keyTokens))
      if let violation { return "K/V head \(keyHead): \(violation)" }
    }
    return nil
  }

  private func gradients(
    ofHead head: Int, _ outputGradient: TensorData
  ) -> (exact: ReferenceGradients, naive: ReferenceGradients) {
    let group = heads(tensors.query) / heads(tensors.key)
    func rows(_ tensor: TensorData) -> [[Double]] {
      let (floats, d) = (tensor.floats, headDimension)
      return (head * queryTokens..<(head + 1) * queryTokens).map {
        floats[$0 * d..<($0 + 1) * d].map(Double.init)
      }
    }
    let reference = reference(ofHead: head, keyHead: head / group)
    let (queries, gradients) = (rows(tensors.query), rows(outputGradient))
    let sights = (0..<queryTokens).map { sight($0, head: head) }
    return (
      ReferenceGradients(
        of: reference, queries: queries, outputGradients: gradients, sights: sights),
      ReferenceGradients(
        naive: reference, queries: queries, outputGradients: gradients, sights: sights)
    )
  }
}
