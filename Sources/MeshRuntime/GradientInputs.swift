package import ElementTypes
internal import FoldEngine
internal import MeshCore
internal import TensorFiles

/// The tensors of a backward pass, open, checked against each other, and read in pieces.
package struct GradientInputs: Sendable {
  /// Q, K, V and what is computed of them.
  package let job: JobInputs
  /// dO.
  let outputGradient: TensorFile
  /// The type of dO as it is computed with.
  package let outputGradientType: ElementType
  /// O and LSE of the forward pass; nil where they are to be computed.
  let forward: (output: TensorFile, logSumExp: TensorFile)?
  /// dLSE, where the loss has one.
  let logSumExpGradient: TensorFile?

  /// Where they are.
  package struct Paths: Sendable {
    package var outputGradient: String
    package var output: String?
    package var logSumExp: String?
    package var logSumExpGradient: String?

    package init(
      outputGradient: String, output: String?, logSumExp: String?, logSumExpGradient: String?
    ) {
      self.outputGradient = outputGradient
      self.output = output
      self.logSumExp = logSumExp
      self.logSumExpGradient = logSumExpGradient
    }

    /// With the flags that name them.
    package var sources: [(flag: String, text: String)] {
      [
        ("--output-gradient", outputGradient), ("--output", output), ("--lse", logSumExp),
        ("--lse-gradient", logSumExpGradient),
      ].compactMap { flag, text in text.map { (flag, $0) } }
    }
  }

  /// Opens and checks the tensors beside those of the job.
  ///
  /// - Parameters:
  ///   - options: of the job: dO is rounded where they ask for Q, K and V to be.
  ///   - waiting: told when nothing comes through a pipe.
  /// - Throws: bad input, with both shapes.
  package init(
    job: JobInputs, _ paths: Paths, options: JobInputs.Options,
    waiting: @escaping (String) -> Void = { _ in }
  ) throws(MeshError) {
    func open(
      _ flag: String, _ text: String, _ shape: [Int], swappedAxis: Int?
    ) throws(MeshError) -> TensorFile {
      let reading = TensorReading(converts: options.converts, swappedAxis: swappedAxis)
      let file = try JobInputs.open(text, reading: reading, waiting: waiting)
      guard file.shape == shape else {
        throw MeshError(
          .badInput, "\(flag) \(text): shape \(file.shape); it must be \(shape), as the query's")
      }
      return file
    }
    func rows(_ flag: String, _ text: String) throws(MeshError) -> TensorFile {
      try open(flag, text, job.shape, swappedAxis: options.axes.swappedAxis(of: .output))
    }
    func statistics(_ flag: String, _ text: String) throws(MeshError) -> TensorFile {
      let file = try open(
        flag, text, job.logSumExpShape, swappedAxis: options.axes.swappedAxis(of: .logSumExp))
      // Of values near 10 a half-precision one is off by a few per cent of every weight.
      guard file.element == .float32 else {
        throw MeshError(
          .badInput, "\(flag) \(text): it holds \(file.element.name); it must be float32")
      }
      return file
    }
    self.job = job
    outputGradient = try rows("--output-gradient", paths.outputGradient)
    // Beside bfloat16 tensors it may be of more precision, and stays so.
    outputGradientType = options.precision == .bfloat16 ? .bfloat16 : outputGradient.element
    switch (paths.output, paths.logSumExp) {
    case (nil, nil): forward = nil
    case (let output?, let logSumExp?):
      forward = (try rows("--output", output), try statistics("--lse", logSumExp))
    case (_, nil):
      throw MeshError(
        .badInput, "--output without --lse: give both of a forward pass, or none to compute them")
    case (nil, _):
      throw MeshError(
        .badInput, "--lse without --output: give both of a forward pass, or none to compute them")
    }
    logSumExpGradient =
      try paths.logSumExpGradient.map { text throws(MeshError) in
        try statistics("--lse-gradient", text)
      }
  }

  /// Whether O and LSE were given.
  package var hasForward: Bool { forward != nil }

  /// Rows [heads][tokens][d] of some flattened heads of a tensor of the backward pass.
  func rows(
    _ tensor: GradientRun.Source, _ heads: Range<Int>, _ tokens: Range<Int>
  ) throws(MeshError) -> PartPayload {
    let spec = job.spec
    let length = tensor == .key || tensor == .value ? spec.keyTokens : spec.queryTokens
    let type = tensor == .outputGradient ? outputGradientType : spec.element
    return try gather(heads, tokens, length: length, rowBytes: spec.headDimension * type.byteCount)
    {
      offset, target throws(MeshError) in
      switch tensor {
      case .query: try job.read(.query, at: offset, into: target)
      case .key: try job.read(.key, at: offset, into: target)
      case .value: try job.read(.value, at: offset, into: target)
      case .outputGradient: try outputGradient.read(at: offset, as: type, into: target)
      }
    }
  }

  /// O of some flattened heads, [heads][tokens][d], in its file's type.
  func outputs(
    _ heads: Range<Int>, _ tokens: Range<Int>
  ) throws(MeshError) -> (PartPayload, ElementType)? {
    guard let file = forward?.output else { return nil }
    let rowBytes = job.spec.headDimension * file.element.byteCount
    let payload = try gather(heads, tokens, length: job.spec.queryTokens, rowBytes: rowBytes) {
      offset, target throws(MeshError) in
      try file.read(at: offset, as: file.element, into: target)
    }
    return (payload, file.element)
  }

  /// LSE, [heads][tokens].
  ///
  /// - Throws: bad input too where it can't be one of the job.
  func logSumExp(_ heads: Range<Int>, _ tokens: Range<Int>) throws(MeshError) -> [Float]? {
    try forward.map { files throws(MeshError) in
      let sums = try floats(files.logSumExp, heads, tokens)
      try checkSinkLogits(sums, heads, tokens, of: files.logSumExp)
      return sums
    }
  }

  /// dLSE, [heads][tokens]; nil where there is none.
  func logSumExpGradients(_ heads: Range<Int>, _ tokens: Range<Int>) throws(MeshError) -> [Float]? {
    try logSumExpGradient.map { file throws(MeshError) in try floats(file, heads, tokens) }
  }

  private func floats(
    _ file: TensorFile, _ heads: Range<Int>, _ tokens: Range<Int>
  ) throws(MeshError) -> [Float] {
    let payload = try gather(heads, tokens, length: job.spec.queryTokens, rowBytes: 4) {
      offset, target throws(MeshError) in
      try file.read(at: offset, as: .float32, into: target)
    }
    return payload.floats
  }

  /// One run of rows of each head, one after the other.
  private func gather(
    _ heads: Range<Int>, _ tokens: Range<Int>, length: Int, rowBytes: Int,
    _ read: (Int, UnsafeMutableRawBufferPointer) throws(MeshError) -> Void
  ) throws(MeshError) -> PartPayload {
    let run = tokens.count * rowBytes
    return try PartPayload(byteCount: heads.count * run) { target throws(MeshError) in
      for (index, head) in heads.enumerated() {
        try read(
          (head * length + tokens.lowerBound) * rowBytes,
          UnsafeMutableRawBufferPointer(rebasing: target[index * run..<(index + 1) * run]))
      }
    }
  }

  /// Finds out whether all that was read is of one version of the files.
  ///
  /// - Throws: bad input, naming the file that was changed.
  func checkUnchanged() throws(MeshError) {
    try job.checkUnchanged()
    do throws(TensorFileError) {
      let others = [forward?.output, forward?.logSumExp, logSumExpGradient].compactMap(\.self)
      for file in [outputGradient] + others { try file.checkUnchanged() }
    } catch {
      throw MeshError(.badInput, error.description)
    }
  }
}
