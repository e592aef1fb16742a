internal import MeshBench
package import MeshCore

/// A job on a mesh, what is done to it meanwhile, and how that has to end.
package struct ChaosScenario: Hashable, Sendable {
  /// Of the chaos matrix: C1 to C25.
  package var matrix: String
  package var name: String
  package var workers = 4
  package var vranks = 12
  package var job = JobShape.standard
  /// Done before the workers are started.
  package var prelude: [ChaosAction] = []
  package var steps: [ChaosStep]
  package var expectation = Expectation()
  package var equipment: [ChaosMesh.Equipment] = []
  package var coordinatorArguments: [String] = []
  package var workerArguments: [String] = []
  package var storeBytes: Int?
  package var checkpointBytes: Int?
  package var requirements: Set<Requirement> = []
  /// Whether connections go through proxies also where no step needs them.
  package var isAlwaysProxied = false

  package init(
    _ matrix: String, _ name: String, _ steps: [ChaosStep],
    _ change: (inout ChaosScenario) -> Void = { _ in }
  ) {
    self.matrix = matrix
    self.name = name
    self.steps = steps
    change(&self)
  }

  /// "C1-kill-first-early".
  package var title: String { "\(matrix)-\(name)" }

  /// Faults, each counted; what the environment makes processes do is one.
  package var faultCount: Int {
    prelude.reduce(0) { $0 + $1.faultCount(workers: workers) }
      + steps.reduce(0) { $0 + $1.faultCount(workers: workers) } + equipment.count
      + (storeBytes == nil ? 0 : 1) + (checkpointBytes == nil ? 0 : 1)
  }

  package var isProxied: Bool {
    isAlwaysProxied || (prelude + steps.flatMap(\.actions)).contains(where: \.needsProxies)
  }

  /// How a scenario has to end.
  package struct Expectation: Hashable, Sendable {
    package var outcome = Outcome.done
    /// Kinds of events that have to be among those observed, and kinds that mustn't.
    package var seen: [String] = []
    package var unseen: [String] = []
    /// Where lost ranks have to have found their state, each at least once; nil for anywhere.
    package var tier: String?
    /// Whether the job may be over before the last fault.
    package var mayMissFaults = false

    package init() {}
  }

  package enum Outcome: Hashable, Sendable {
    /// With the bytes of an undisturbed run.
    case done
    /// With a reason that holds this.
    case failed(String)
    /// At submit, with a reason that holds this.
    case refused(String)
  }

  /// What the machine has to have.
  package enum Requirement: String, Hashable, Sendable, CaseIterable {
    case root
  }
}

/// The tensors and the mask of a job.
package struct JobShape: Hashable, Sendable {
  package var queryHeads: Int
  package var keyHeads: Int
  package var tokens: Int
  package var headDimension = 64
  package var mask = MaskRule.causal

  package init(queryHeads: Int, keyHeads: Int, tokens: Int) {
    self.queryHeads = queryHeads
    self.keyHeads = keyHeads
    self.tokens = tokens
  }

  /// Seconds of two cores, and many tiles: progress is fine-grained.
  package static let standard = JobShape(queryHeads: 3, keyHeads: 1, tokens: 24_576)
  /// Few and heavy tiles, so that a slow link is met a few times and not hundreds of times.
  package static let wide = JobShape(queryHeads: 16, keyHeads: 2, tokens: 8_192)
  /// Longer, for faults that take long.
  package static let long = JobShape(queryHeads: 3, keyHeads: 1, tokens: 40_960)

  var tensors: BenchTensors.Shape {
    BenchTensors.Shape(
      queryHeads: queryHeads, keyHeads: keyHeads, tokens: tokens, headDimension: headDimension)
  }
}
