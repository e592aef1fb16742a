package import MeshCore
internal import Synchronization

/// Many seeds, on as many threads as call `work`. Seeds don't know of each other, so the result
/// doesn't depend on how many threads there are.
package final class SimulationCampaign: Sendable {
  /// What is run: a seed each, or an arrangement of crashes.
  package enum Plan: Sendable {
    case seeds(Range<UInt64>)
    /// One job, with each of these crashes.
    case crashes([[SimulationOptions.CrashPoint]], seed: UInt64, kind: JobShapes.Kind)

    var count: Int {
      switch self {
      case .seeds(let seeds): seeds.count
      case .crashes(let crashes, _, _): crashes.count
      }
    }
  }

  private struct State {
    var next = 0
    var done = 0
    var isStopped = false
    var result = Result()
  }

  private let plan: Plan
  private let defect: Defect?
  private let stopsAtViolation: Bool
  private let shapes: JobShapes
  private let small: SimulatedJob?
  private let state = Mutex(State())

  package init(
    _ plan: Plan, defect: Defect? = nil, stopsAtViolation: Bool = false,
    shapes: JobShapes = JobShapes()
  ) {
    self.plan = plan
    self.defect = defect
    self.stopsAtViolation = stopsAtViolation
    self.shapes = shapes
    if case .crashes(_, _, let kind) = plan {
      small = JobShapes.small(kind)
    } else {
      small = nil
    }
  }

  package var total: Int { plan.count }
  package var done: Int { state.withLock(\.done) }
  package var isStopped: Bool { state.withLock(\.isStopped) }

  /// After all threads have come back from `work`.
  package var result: Result {
    state.withLock { state in
      state.result.sort()
      return state.result
    }
  }

  package func stop() { state.withLock { $0.isStopped = true } }

  /// Runs one after another until none is left.
  package func work() {
    while let number = take() {
      let outcome = run(number)
      state.withLock { state in
        state.done += 1
        state.result.add(outcome, number: number)
        if stopsAtViolation, outcome.violation != nil { state.isStopped = true }
      }
    }
  }

  private func take() -> Int? {
    state.withLock { state in
      guard !state.isStopped, state.next < plan.count else { return nil }
      defer { state.next += 1 }
      return state.next
    }
  }

  private func run(_ number: Int) -> SimulationOutcome {
    switch plan {
    case .seeds(let seeds):
      return Self.run(seed: seeds.lowerBound + UInt64(number), defect: defect, shapes: shapes)
    case .crashes(let crashes, let seed, let kind):
      var options = SimulationOptions.crashing(seed: seed, kind: kind)
      options.crashPoints = crashes[number]
      options.defect = defect
      guard let small else { preconditionFailure("no job") }
      return Simulation(options, job: small).run()
    }
  }

  /// One seed.
  package static func run(
    seed: UInt64, defect: Defect? = nil, shapes: JobShapes, transcript: ((String) -> Void)? = nil
  ) -> SimulationOutcome {
    var options = SimulationOptions(seed: seed)
    options.defect = defect
    return Simulation(options, job: shapes[options.shape], transcript: transcript).run()
  }
}

extension SimulationCampaign {
  /// What came of many runs.
  package struct Result: Sendable {
    package private(set) var runs: [Run] = []
    package private(set) var coverage = Coverage()

    /// One run in short.
    package struct Run: Sendable {
      package let number: Int
      package let seed: UInt64
      package let violation: Violation?
      package let delivered: Int
      package let seconds: Double
      package let traceHash: UInt64
      package let hasFault: Bool
      package let hasRestore: Bool
      package let isPoisoned: Bool
      package let effectCount: Int
    }

    mutating func add(_ outcome: SimulationOutcome, number: Int) {
      coverage.merge(outcome.coverage)
      runs.append(
        Run(
          number: number, seed: outcome.seed, violation: outcome.violation,
          delivered: outcome.delivered, seconds: outcome.seconds, traceHash: outcome.traceHash,
          hasFault: outcome.coverage.hasFault, hasRestore: outcome.coverage.hasRestore,
          isPoisoned: outcome.isPoisoned, effectCount: outcome.effectCount))
    }

    mutating func sort() { runs.sort { $0.number < $1.number } }

    package var violations: [Run] { runs.filter { $0.violation != nil } }
    package var delivered: Int { runs.reduce(0) { $0 + $1.delivered } }

    package var medianDelivered: Int {
      let sorted = runs.map(\.delivered).sorted()
      return sorted.isEmpty ? 0 : sorted[sorted.count / 2]
    }

    /// Share of the runs of which something is true.
    package func share(_ property: (Run) -> Bool) -> Double {
      runs.isEmpty ? 0 : Double(runs.count(where: property)) / Double(runs.count)
    }
  }
}

extension SimulationOptions {
  /// Of crash-point enumeration: three workers, nothing else goes wrong.
  package static func crashing(seed: UInt64, kind: JobShapes.Kind = .attention) -> SimulationOptions
  {
    var options = SimulationOptions(calm: seed, workers: 3)
    options.timing.tile = 30 * Time.millisecond
    options.timing.copy = 10 * Time.microsecond
    options.hasSharedSlots = seed % 2 == 0
    if kind != .attention {
      options.hasSlots = false
      options.outboxTiles = 1 + Int(seed % 3)
    }
    return options
  }
}
