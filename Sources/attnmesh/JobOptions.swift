internal import ArgumentParser
internal import ElementTypes
internal import MeshCore
internal import MeshRuntime

/// Tensors in, and what to compute of them: the same flags on `attend`, `submit` and `plan`.
struct JobOptions: ParsableArguments {
  @Option(
    help: "Query tensor: file.npy, file.safetensors:name, a pipe, or - for standard input.")
  var query: String

  @Option(help: "Key tensor; it may have fewer heads than the query.")
  var key: String

  @Option(help: "Value tensor, with the key's shape.")
  var value: String

  @OptionGroup(title: "Mask and logits") var masks: MaskOptions

  @Option(help: "Factor of the logits. (default: 1/√head_dim)")
  var scale: Float?

  @Option(
    help: "How tiles are dealt: contiguous, zigzag or striped. (default: zigzag for causal)")
  var layout: String?

  @Option(
    help: """
      How a mesh shares the job out: auto; ring, all heads of some tokens for each rank; ulysses, \
      some heads for each, of all tokens where there are heads enough; usp, a grid of both.
      """)
  var strategy = Strategy.auto.name

  @Option(
    help: """
      U,R of usp: groups of heads, and shards of tokens of each; a virtual rank for each. \
      (default: the most even one)
      """)
  var grid: String?

  @Option(help: "float32, or bfloat16 to round the inputs once before anything else.")
  var precision = "float32"

  @Option(
    help: "Virtual ranks, at most. (default: about three a worker, or as share evenly)")
  var vranks: Int?

  @Option(
    help: """
      Order of the axes in the tensors' files, after any batch: heads,tokens,dim or tokens,heads,dim. \
      The result's files have the query's.
      """)
  var axes = AxisOrder.headsFirst.name

  @Flag(
    help:
      "Read float64 rounded to float32, and big-endian and Fortran-ordered tensors put in order.")
  var convert = false

  @Flag(help: "Refuse inputs that hold a NaN or an infinity.")
  var rejectNonfinite = false

  /// The files of the tensors.
  var files: [InputPath] {
    (tensors + masks.tensors).compactMap { InputPath($0.flag, tensor: $0.text) }
  }

  private var tensors: [(flag: String, text: String)] {
    [("--query", query), ("--key", key), ("--value", value)]
  }

  /// Opens and checks the tensors.
  func inputs() throws(MeshError) -> JobInputs {
    let inputs = try inputs { reason throws(MeshError) in throw MeshError(.badInput, reason) }
    guard let inputs else { preconditionFailure("refused without a reason") }
    return inputs
  }

  /// The same, telling every reason to refuse them; nil where there is one.
  func inputs(
    refuse: (String) throws(MeshError) -> Void
  ) throws(MeshError) -> JobInputs? {
    // Before anything is read, so that nobody waits for what another has taken.
    if let problem = JobInputs.pipeProblem(tensors + masks.sources) {
      try refuse(problem)
      return nil
    }
    var isRefused = false
    let options = try options { reason throws(MeshError) in
      isRefused = true
      try refuse(reason)
    }
    let inputs = try JobInputs.open(
      query: query, key: key, value: value, options: options,
      waiting: { Attnmesh.complain($0) }, refuse: refuse)
    if let doubt = inputs?.doubt { Attnmesh.complain("warning: \(doubt)") }
    return isRefused ? nil : inputs
  }

  /// Opens and checks the tensors, and those of a backward pass.
  func gradientInputs(_ paths: GradientInputs.Paths) throws(MeshError) -> GradientInputs {
    if let problem = JobInputs.pipeProblem(tensors + masks.sources + paths.sources) {
      throw MeshError(.badInput, problem)
    }
    let options = try options { reason throws(MeshError) in throw MeshError(.badInput, reason) }
    return try GradientInputs(
      job: try inputs(), paths, options: options, waiting: { Attnmesh.complain($0) })
  }

  /// Refuses what says how a mesh shares the job out, where there is no mesh.
  ///
  /// - Parameter command: that computes in its own process.
  func refuseSharing(by command: String) throws(MeshError) {
    let given = [
      strategy == Strategy.auto.name ? nil : "--strategy \(strategy)",
      grid.map { "--grid \($0)" }, layout.map { "--layout \($0)" },
      vranks.map { "--vranks \($0)" },
    ].compactMap(\.self)
    guard !given.isEmpty else { return }
    throw MeshError(
      .badInput,
      "\(given.joined(separator: ", ")): that says how a mesh shares a job out, but \(command)"
        + " computes in this process; leave it out")
  }

  /// What is asked of the tensors. For a value that is refused stands the usual one.
  private func options(
    refuse: (String) throws(MeshError) -> Void
  ) throws(MeshError) -> JobInputs.Options {
    let strategy = try checked(Strategy.auto, refuse: refuse) { () throws(MeshError) in
      try choice(self.strategy, "--strategy", of: Strategy.allCases, named: \.name)
    }
    if let vranks, !(1...Limits.vranksMaximum).contains(vranks) {
      try refuse("--vranks \(vranks): it must be 1 to \(Limits.vranksMaximum)")
    }
    return JobInputs.Options(
      mask: try masks.rule(refuse: refuse), blockMap: masks.blockMap,
      logits: try masks.logits(refuse: refuse),
      scale: scale,
      layout: try checked(nil, refuse: refuse) { () throws(MeshError) in
        guard let layout else { return nil }
        return try choice(layout, "--layout", of: Layout.allCases, named: \.name)
      },
      precision: try checked(.float32, refuse: refuse) { () throws(MeshError) in
        try choice(precision, "--precision", of: [.float32, .bfloat16], named: \ElementType.name)
      },
      vranks: vranks ?? 0, strategy: strategy,
      grid: try checked(nil, refuse: refuse) { () throws(MeshError) in
        try checkedGrid(strategy)
      },
      axes: try checked(.headsFirst, refuse: refuse) { () throws(MeshError) in
        try choice(axes, "--axes", of: AxisOrder.allCases, named: \.name)
      },
      converts: convert)
  }

  private func checkedGrid(_ strategy: Strategy) throws(MeshError) -> Grid? {
    guard let text = grid else { return nil }
    guard let grid = Grid(text) else {
      throw MeshError(
        .badInput, "--grid \(text): it is U,R: groups of heads, and shards of tokens")
    }
    guard strategy == .usp else {
      throw MeshError(
        .badInput, "--grid \(text): it goes with --strategy usp, not with \(strategy.name)")
    }
    return grid
  }

  /// Searches the tensors for NaN and infinities where that is asked for: a pass over all of them.
  func checkFinite(_ inputs: JobInputs) throws(MeshError) {
    if rejectNonfinite { try inputs.rejectNonfinite() }
  }
}

/// What people call a job.
struct NameOption: ParsableArguments {
  @Option(help: "What to call the job, for people: `attnmesh jobs` shows it.")
  var name: String?

  func checked() throws(MeshError) -> String {
    guard let name else { return "" }
    if let problem = problem(withJobName: name) {
      throw MeshError(.badInput, "--name \(printable(name)): \(problem)")
    }
    return name
  }
}

/// Whether a job is only tried out.
struct DryRunOptions: ParsableArguments {
  @Flag(
    name: .customLong("dry-run"),
    help: "Say what the job would take, and what stands in its way: exit code 0, or 2 if anything.")
  var isWanted = false
}

/// Whether a job survives the loss of a worker.
struct ProtectionOptions: ParsableArguments {
  @Option(help: "Copy and checkpoint state, so that a lost worker doesn't end the job: on or off.")
  var protection = "on"

  func isOn() throws(MeshError) -> Bool {
    try choice(protection, "--protection", of: [true, false], named: { $0 ? "on" : "off" })
  }
}

/// What `body` gives; the usual value where it throws, of which `refuse` is told the reason.
func checked<Value>(
  _ usual: Value, refuse: (String) throws(MeshError) -> Void,
  _ body: () throws(MeshError) -> Value
) throws(MeshError) -> Value {
  do throws(MeshError) {
    return try body()
  } catch {
    try refuse(error.message)
    return usual
  }
}

/// One of a few values by its name.
func choice<Value>(
  _ text: String, _ flag: String, of values: [Value], named name: (Value) -> String
) throws(MeshError) -> Value {
  if let value = values.first(where: { name($0) == text }) { return value }
  let names = values.map(name)
  // More than that is for the help screen.
  guard names.count > 10 else {
    throw MeshError(.badInput, "\(flag) \(text): it is \(names.joined(separator: " or "))")
  }
  let near = nearestName(to: text, in: names).map { "did you mean \($0)? " } ?? ""
  throw MeshError(
    .badInput, "\(flag) \(text): there is none of that name; \(near)--help lists all \(names.count)"
  )
}
