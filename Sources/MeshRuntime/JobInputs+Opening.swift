internal import ElementTypes
internal import MeshCore
internal import TensorFiles

/// From three paths to tensors that make a job, or to the reasons why not.
extension JobInputs {
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
    if let query, let key, let value { problems += disagreements(query, key, value) }
    for problem in problems { try refuse(problem) }
    guard let query else { return nil }
    let logits = try options.logits.rule(
      queryHeads: query.shape[query.shape.count - 3], converts: options.converts,
      waiting: waiting, refuse: refuse)
    guard let key, let value else { return nil }
    let (blockMap, isRefused) = try self.blockMap(
      of: query, key, options, waiting: waiting, refuse: refuse)
    guard let logits, problems.isEmpty, !isRefused else { return nil }
    let inputs = JobInputs(query, key, value, options, logits, blockMap)
    guard let problem = inputs.spec.problem else { return inputs }
    try refuse(problem + (inputs.spec.axesAdvice.map { "; \($0)" } ?? ""))
    return nil
  }

  /// Reads the block map, if there is one, and whether it is refused.
  private static func blockMap(
    of query: TensorFile, _ key: TensorFile, _ options: Options,
    waiting: @escaping (String) -> Void, refuse: (String) throws(MeshError) -> Void
  ) throws(MeshError) -> (BlockMapFile?, isRefused: Bool) {
    guard let text = options.blockMap, let block = options.mask.blocks else { return (nil, false) }
    do throws(MeshError) {
      let (queries, keys) = (fourDimensions(query.shape), fourDimensions(key.shape))
      return (
        try BlockMapFile(
          text, block, queryHeads: queries[1], queryTokens: queries[2], keyTokens: keys[2],
          waiting: waiting), false
      )
    } catch {
      try refuse(error.message)
      return (nil, true)
    }
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

  /// What comes through a pipe comes once: no two things can be read from it.
  ///
  /// - Parameter sources: all that a job reads, and the flags that name it.
  /// - Returns: one line about two of them that are one pipe; to be asked before any is opened.
  package static func pipeProblem(_ sources: [(flag: String, text: String)]) -> String? {
    let pipes = sources.compactMap { source -> (flag: String, location: TensorLocation)? in
      guard let location = try? TensorLocation.parse(source.text), location.isReadOnce else {
        return nil
      }
      return (source.flag, location)
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
}
