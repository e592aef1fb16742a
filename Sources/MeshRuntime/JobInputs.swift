package import ElementTypes
package import MeshCore
internal import TensorFiles

/// The three input tensors of a job, open, checked against each other, and read in pieces.
package struct JobInputs: Sendable {
  package let spec: AttentionJob
  /// The query's shape, which is the output's, with the heads first: three or four dimensions.
  package let shape: [Int]
  /// One line about tensors whose axes seem to be in the other order; nil for all others.
  package let doubt: String?
  private let files: [InputTensor: TensorFile]

  /// What the user asks of the tensors.
  package struct Options: Sendable {
    package var mask: MaskRule
    /// What becomes of the logits beside their factor.
    package var logits: Logits
    /// nil for 1/√d.
    package var scale: Float?
    /// nil for the layout that suits the mask.
    package var layout: Layout?
    /// bfloat16 rounds float32 inputs once, before anything is computed or sent.
    package var precision: ElementType
    package var vranks: Int
    /// How the files have heads and tokens.
    package var axes: AxisOrder
    /// Whether float64, big-endian and Fortran-ordered tensors are converted.
    package var converts: Bool

    package init(
      mask: MaskRule, logits: Logits = Logits(), scale: Float?, layout: Layout?,
      precision: ElementType, vranks: Int, axes: AxisOrder = .headsFirst, converts: Bool = false
    ) {
      self.mask = mask
      self.logits = logits
      self.scale = scale
      self.layout = layout
      self.precision = precision
      self.vranks = vranks
      self.axes = axes
      self.converts = converts
    }

    /// How their tensors are read.
    var reading: TensorReading {
      TensorReading(converts: converts, swappedAxis: axes.swappedAxis(of: .output))
    }
  }

  /// Opens and checks the tensors, up to the first reason to refuse them.
  ///
  /// - Parameter waiting: told when nothing comes through a pipe.
  package init(
    query: String, key: String, value: String, options: Options,
    waiting: @escaping (String) -> Void = { _ in }
  ) throws(MeshError) {
    let inputs = try Self.open(
      query: query, key: key, value: value, options: options, waiting: waiting
    ) { reason throws(MeshError) in throw MeshError(.badInput, reason) }
    guard let inputs else { preconditionFailure("refused without a reason") }
    self = inputs
  }

  /// Opens and checks the tensors.
  ///
  /// - Parameter refuse: told each reason to refuse them, of those that can be found; what it throws
  ///   ends the search.
  /// - Returns: nil where there is a reason.
  package static func open(
    query: String, key: String, value: String, options: Options,
    waiting: @escaping (String) -> Void = { _ in },
    refuse: (String) throws(MeshError) -> Void
  ) throws(MeshError) -> JobInputs? {
    if let problem = pipeProblem([("--query", query), ("--key", key), ("--value", value)]) {
      try refuse(problem)
      return nil
    }
    func open(_ text: String) throws(MeshError) -> TensorFile? {
      let file: TensorFile
      do throws(MeshError) {
        file = try Self.open(text, reading: options.reading, waiting: waiting)
      } catch {
        try refuse(error.message)
        return nil
      }
      guard ![3, 4].contains(file.shape.count) else { return file }
      try refuse(
        "\(text): shape \(file.shape); it must be [heads, tokens, head_dim] or"
          + " [batch, heads, tokens, head_dim]")
      return nil
    }
    let (query, key, value) = (try open(query), try open(key), try open(value))
    let files = [query, key, value].compactMap { $0 }
    var problems = versionProblem(files).map { [$0] } ?? []
    guard let query, let key, let value else {
      for problem in problems { try refuse(problem) }
      return nil
    }
    problems += disagreements(query, key, value)
    guard problems.isEmpty else {
      for problem in problems { try refuse(problem) }
      return nil
    }
    let inputs = JobInputs(query, key, value, options)
    guard let problem = inputs.spec.problem else { return inputs }
    try refuse(problem + (inputs.spec.axesAdvice.map { "; \($0)" } ?? ""))
    return nil
  }

  /// Of three tensors that agree with each other.
  private init(_ q: TensorFile, _ k: TensorFile, _ v: TensorFile, _ options: Options) {
    let (queries, keys) = (Self.fourDimensions(q.shape), Self.fourDimensions(k.shape))
    shape = q.shape
    files = [.query: q, .key: k, .value: v]
    spec = AttentionJob(
      batch: queries[0], queryHeads: queries[1], keyValueHeads: keys[1], queryTokens: queries[2],
      keyTokens: keys[2], headDimension: queries[3],
      element: options.precision == .bfloat16 ? .bfloat16 : q.element,
      mask: options.mask, logits: try options.logits.rule(queryHeads: queries[1]),
      scale: options.scale ?? 1 / Float(queries[3]).squareRoot(),
      layout: options.layout ?? options.mask.suitableLayout,
      vranks: options.vranks, hasBatchDimension: q.shape.count == 4, axes: options.axes)
    doubt = spec.axesDoubt
  }

  /// In what the tensors differ that must be equal.
  private static func disagreements(
    _ q: TensorFile, _ k: TensorFile, _ v: TensorFile
  ) -> [String] {
    var problems: [String] = []
    if q.element != k.element || k.element != v.element {
      problems.append(
        "query is \(q.element.name), key \(k.element.name), value \(v.element.name); they must have"
          + " one type: convert them to the same one")
    }
    if k.shape != v.shape {
      problems.append("key is \(k.shape) but value is \(v.shape); shapes must be equal")
    }
    guard q.shape.count == k.shape.count else {
      return problems + [
        "query is \(q.shape) but key is \(k.shape); give all or none a batch dimension"
      ]
    }
    let (queries, keys) = (fourDimensions(q.shape), fourDimensions(k.shape))
    if queries[0] != keys[0] {
      problems.append("query has a batch of \(queries[0]), key of \(keys[0])")
    }
    if queries[3] != keys[3] {
      problems.append(
        "query has head dimension \(queries[3]), key \(keys[3]); they must be equal")
    }
    return problems
  }

  static func open(
    _ text: String, reading: TensorReading = TensorReading(),
    waiting: @escaping (String) -> Void = { _ in }
  ) throws(MeshError) -> TensorFile {
    do throws(TensorFileError) {
      return try TensorFile(TensorLocation.parse(text), reading: reading, waiting: waiting)
    } catch {
      throw MeshError(.badInput, error.description)
    }
  }

  /// What comes through a pipe comes once: two tensors can't be read from it.
  private static func pipeProblem(_ tensors: [(flag: String, text: String)]) -> String? {
    let pipes = tensors.compactMap { tensor -> (flag: String, location: TensorLocation)? in
      guard let location = try? TensorLocation.parse(tensor.text), location.isReadOnce else {
        return nil
      }
      return (tensor.flag, location)
    }
    for (index, pipe) in pipes.enumerated() {
      for other in pipes[..<index] where other.location.isSameFile(as: pipe.location) {
        return
          "\(other.flag) and \(pipe.flag) come from the same pipe, which can be read once: give"
          + " one of them as a file"
      }
    }
    return nil
  }

  /// Tensors of one file are opened one after the other: another file may have taken its name.
  private static func versionProblem(_ files: [TensorFile]) -> String? {
    for (index, file) in files.enumerated() {
      for other in files[..<index]
      where file.location.path == other.location.path && file.identity != other.identity {
        return
          "\(file.location.path): changed while it was opened; run it again once nobody writes to it"
      }
    }
    return nil
  }

  private static func fourDimensions(_ shape: [Int]) -> [Int] {
    shape.count == 4 ? shape : [1] + shape
  }

  /// Shape of the log-sum-exp: the query's without its last dimension.
  package var logSumExpShape: [Int] { shape.dropLast() }

  /// What was found of a tensor in its file.
  package func found(
    _ tensor: InputTensor
  ) -> (location: String, element: ElementType, shape: [Int], byteCount: Int) {
    guard let file = files[tensor] else { preconditionFailure("no file for \(tensor)") }
    return ("\(file.location)", file.element, file.shape, file.byteCount)
  }

  package func byteCount(_ tensor: InputTensor) -> Int {
    tensor == .query ? spec.queryBytes : spec.keyBytes
  }

  /// Reads bytes of a tensor as the job has them, that is after any rounding.
  package func read(
    _ tensor: InputTensor, at offset: Int, into target: UnsafeMutableRawBufferPointer
  ) throws(MeshError) {
    guard let file = files[tensor] else { preconditionFailure("no file for \(tensor)") }
    do throws(TensorFileError) {
      guard file.element != spec.element else {
        return try file.read(at: offset, into: target)
      }
      try readRounded(file, at: offset, into: target)
    } catch {
      throw MeshError(.badInput, error.description)
    }
  }

  private func readRounded(
    _ file: TensorFile, at offset: Int, into target: UnsafeMutableRawBufferPointer
  ) throws(TensorFileError) {
    let count = target.count / spec.element.byteCount
    let source = UnsafeMutableRawBufferPointer.allocate(
      byteCount: count * file.element.byteCount, alignment: 64)
    let floats = UnsafeMutableBufferPointer<Float>.allocate(capacity: count)
    defer {
      source.deallocate()
      floats.deallocate()
    }
    try file.read(at: offset / spec.element.byteCount * file.element.byteCount, into: source)
    file.element.decode(UnsafeRawBufferPointer(source), into: floats)
    spec.element.encode(UnsafeBufferPointer(floats), into: target)
  }

  /// Finds out whether all that was read is of one version of the files.
  ///
  /// - Throws: bad input, naming the file that was changed.
  package func checkUnchanged() throws(MeshError) {
    for tensor in InputTensor.allCases {
      do throws(TensorFileError) {
        try files[tensor]?.checkUnchanged()
      } catch {
        throw MeshError(.badInput, error.description)
      }
    }
  }

  /// Finds the first NaN or infinity.
  ///
  /// - Throws: bad input, naming tensor, head and token.
  package func rejectNonfinite() throws(MeshError) {
    for tensor in InputTensor.allCases {
      guard let file = files[tensor] else { continue }
      let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 20, alignment: 64)
      defer { buffer.deallocate() }
      var offset = 0
      while offset < file.byteCount {
        let part = UnsafeMutableRawBufferPointer(
          rebasing: buffer[..<min(buffer.count, file.byteCount - offset)])
        do throws(TensorFileError) {
          try file.read(at: offset, into: part)
        } catch {
          throw MeshError(.badInput, error.description)
        }
        if let found = file.element.firstNonfinite(in: UnsafeRawBufferPointer(part)) {
          throw nonfinite(tensor, file, element: offset / file.element.byteCount + found)
        }
        offset += part.count
      }
    }
  }

  private func nonfinite(_ tensor: InputTensor, _ file: TensorFile, element: Int) -> MeshError {
    let (row, column) = element.quotientAndRemainder(dividingBy: spec.headDimension)
    let tokens = tensor == .query ? spec.queryTokens : spec.keyTokens
    let (head, token) = row.quotientAndRemainder(dividingBy: tokens)
    let heads = tensor == .query ? spec.queryHeads : spec.keyValueHeads
    let batch = spec.batch > 1 ? "batch \(head / heads), " : ""
    return MeshError(
      .badInput,
      "\(file.location): \(tensor) holds a NaN or an infinity at \(batch)head \(head % heads), token"
        + " \(token), element \(column)")
  }
}
