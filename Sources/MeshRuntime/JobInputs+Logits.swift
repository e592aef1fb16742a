internal import AttentionKernels
internal import ElementTypes
internal import MeshCore
internal import TensorFiles

extension JobInputs {
  /// What the user asks of logits; what there is for each head comes from small tensors.
  package struct Logits: Sendable {
    package var softcap: Float?
    package var slopes: Slopes
    /// A tensor of one number for each query head.
    package var sinks: String?

    /// ALiBi's slopes.
    package enum Slopes: Sendable {
      case none, standard
      /// One number for each query head.
      case tensor(String)
    }

    package init(softcap: Float? = nil, slopes: Slopes = .none, sinks: String? = nil) {
      self.softcap = softcap
      self.slopes = slopes
      self.sinks = sinks
    }

    /// Reads the tensors.
    func rule(queryHeads: Int) throws(MeshError) -> LogitRule {
      var rule = LogitRule(softcap: softcap)
      switch slopes {
      case .none: break
      case .standard: rule.alibiSlopes = ALiBiSlopes.standard(heads: queryHeads)
      case .tensor(let text):
        rule.alibiSlopes = try Self.values(text, "--alibi", queryHeads: queryHeads)
      }
      if let sinks {
        rule.sinkLogits = try Self.values(sinks, "--sink-logits", queryHeads: queryHeads)
      }
      return rule
    }

    private static func values(
      _ text: String, _ flag: String, queryHeads: Int
    ) throws(MeshError) -> [Float] {
      let file = try JobInputs.open(text)
      let count = file.shape.reduce(1, *)
      guard count == queryHeads, file.shape.filter({ $0 != 1 }).count <= 1 else {
        throw MeshError(
          .badInput,
          "\(flag) \(text): shape \(file.shape); it must be [\(queryHeads)], a number for each query"
            + " head")
      }
      let bytes = UnsafeMutableRawBufferPointer.allocate(
        byteCount: file.byteCount, alignment: 64)
      let floats = UnsafeMutableBufferPointer<Float>.allocate(capacity: count)
      defer {
        bytes.deallocate()
        floats.deallocate()
      }
      do throws(TensorFileError) {
        try file.read(at: 0, into: bytes)
      } catch {
        throw MeshError(.badInput, error.description)
      }
      file.element.decode(UnsafeRawBufferPointer(bytes), into: floats)
      return Array(floats)
    }
  }
}
