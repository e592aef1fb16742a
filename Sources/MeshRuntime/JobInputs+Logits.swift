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
    ///
    /// - Parameter refuse: told of each why it is refused.
    /// - Returns: nil where one is.
    func rule(
      queryHeads: Int, converts: Bool, waiting: @escaping (String) -> Void,
      refuse: (String) throws(MeshError) -> Void
    ) throws(MeshError) -> LogitRule? {
      func values(_ text: String, _ flag: String) throws(MeshError) -> [Float]? {
        do throws(MeshError) {
          let file = try JobInputs.open(
            text, reading: TensorReading(converts: converts), waiting: waiting)
          return try Self.values(of: file, "\(flag) \(text)", queryHeads: queryHeads)
        } catch {
          try refuse(error.message)
          return nil
        }
      }
      let alibiSlopes: [Float]?
      switch slopes {
      case .none: alibiSlopes = []
      case .standard: alibiSlopes = ALiBiSlopes.standard(heads: queryHeads)
      case .tensor(let text): alibiSlopes = try values(text, "--alibi")
      }
      let sinkLogits =
        try sinks.map { text throws(MeshError) in try values(text, "--sink-logits") } ?? []
      guard let alibiSlopes, let sinkLogits else { return nil }
      return LogitRule(softcap: softcap, alibiSlopes: alibiSlopes, sinkLogits: sinkLogits)
    }

    private static func values(
      of file: TensorFile, _ name: String, queryHeads: Int
    ) throws(MeshError) -> [Float] {
      let count = file.shape.reduce(1, *)
      guard count == queryHeads, file.shape.filter({ $0 != 1 }).count <= 1 else {
        throw MeshError(
          .badInput,
          "\(name): shape \(file.shape); it must be [\(queryHeads)], a number for each query"
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
