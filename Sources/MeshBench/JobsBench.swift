internal import AttentionKernels
internal import Foundation
internal import MeshCore
package import MeshRuntime
internal import Synchronization

/// Jobs so small that computing them takes no time: what a standing mesh adds to each.
package struct JobsBench {
  package var jobs = 200
  package var workers = 3
  package var tokens = 16
  /// Whether the coordinator keeps what it decides on a disk.
  package var hasStore = true

  package init() {}

  package struct Result: Encodable, Sendable {
    package let jobs: Int
    package let workers: Int
    package let tokens: Int
    package let hasStore: Bool
    /// Each a process of its own, one after another: from its start to its end.
    package let processSeconds: Percentiles
    package let phases: [Phase]
    /// By one client over one connection, from the first submit to the last result.
    package let jobsPerSecond: Double
    package let findings: Findings
  }

  /// A part of a process's time.
  package struct Phase: Encodable, Sendable {
    package let name: String
    package let seconds: Percentiles
  }

  package func run(
    _ tensors: BenchTensors, isCancelled: @escaping @Sendable () -> Bool,
    progress: (String) -> Void
  ) throws(MeshError) -> Result {
    var findings = Findings()
    let inputs = try tensors.inputs(mask: .causal)
    let expected = try tensors.digest(of: inputs, isCancelled: isCancelled)
    let moments = JobMoments()
    let mesh = try StandingMesh(workers: workers, hasStore: hasStore, log: moments.log)
    defer { mesh.stop() }
    let client = try MeshClient(endpoint: mesh.endpoint, name: "bench")
    try client.waitForWorkers(workers, isCancelled: isCancelled)

    var spans: [JobMoments.Span] = []
    for number in 0..<jobs {
      if isCancelled() { throw MeshError(.interrupted, "interrupted") }
      moments.begin()
      try mesh.run(
        ["attend", "--quiet", "--coordinator", mesh.endpoint, "--report", tensors.reportPath]
          + tensors.flags(mask: .causal))
      spans.append(try moments.end())
      findings.expect(
        try outputDigest(tensors) == expected, "attend \(number): other bits than one process")
      if number % 50 == 49 { progress("\(number + 1) of \(jobs) processes") }
    }
    let rate = try jobsPerSecond(
      inputs, client, scratch: tensors.scratchPath, expected: expected, isCancelled: isCancelled,
      &findings)
    progress("\(jobs) jobs over one connection")
    let whole = Percentiles(spans.map(\.seconds))
    findings.goals = [
      Goal("seconds of an attend, median", whole.p50, atMost: 0.12),
      Goal("jobs a second over one connection", rate, atLeast: 50),
    ]
    return Result(
      jobs: jobs, workers: workers, tokens: tokens, hasStore: hasStore, processSeconds: whole,
      phases: JobMoments.phases.indices.map { phase in
        Phase(
          name: JobMoments.phases[phase], seconds: Percentiles(spans.map { $0.phases[phase] }))
      },
      jobsPerSecond: rate, findings: findings)
  }

  /// What the process's own report says of the output that it wrote.
  private func outputDigest(_ tensors: BenchTensors) throws(MeshError) -> String {
    struct Report: Decodable { var output_digest: String }
    guard let data = FileManager.default.contents(atPath: tensors.reportPath),
      let report = try? JSONDecoder().decode(Report.self, from: data)
    else { throw MeshError(.jobFailed, "an attend left no report") }
    return report.output_digest
  }

  /// Submits while others are computed, and fetches each result.
  private func jobsPerSecond(
    _ inputs: JobInputs, _ client: MeshClient, scratch: String, expected: String,
    isCancelled: @escaping @Sendable () -> Bool, _ findings: inout Findings
  ) throws(MeshError) -> Double {
    let start = seconds(of: CLOCK_MONOTONIC)
    var open: [RemoteJob] = []
    for number in 0..<jobs + Self.openJobs {
      if open.count == Self.openJobs || number >= jobs, !open.isEmpty {
        let job = open.removeFirst()
        _ = try job.wait { _ in }
        let files = try ResultFiles(
          output: scratch, element: .float32, logSumExp: nil, shape: inputs.shape)
        let status = try job.fetch(into: files, withLogSumExp: false) { _, _ in }
        try files.commit()
        job.discard()
        let digest = status.outputDigest.map { "\($0)" }
        findings.expect(digest == expected, "job \(job.id): other bits than one process")
      }
      guard number < jobs else { continue }
      open.append(
        try RemoteJob(
          submitting: inputs, deadlineSeconds: 0, client: client, isCancelled: isCancelled,
          progress: { _, _ in }))
    }
    return Double(jobs) / (seconds(of: CLOCK_MONOTONIC) - start)
  }

  /// Jobs of one client that are submitted and not yet fetched.
  private static let openJobs = 32
}

/// When the one job that is under way came to each of its stages.
final class JobMoments: Sendable {
  /// The stages between which time is told, and what a process does before each.
  private static let stages: [(kind: Observation.Kind, phase: String)] = [
    (.jobSubmitted, "start, connect, submit"), (.jobQueued, "upload, seal"), (.jobStarted, "queue"),
    (.vrankFinal, "compute"), (.jobDone, "finish"),
  ]
  static let phases = stages.map(\.phase) + ["fetch, end"]

  struct Span: Sendable {
    let seconds: Double
    let phases: [Double]
  }

  private struct State {
    var begin = 0.0
    var moments: [Observation.Kind: Double] = [:]
  }

  private let state = Mutex(State())

  /// To be given to the mesh.
  var log: ObservationLog {
    ObservationLog { [self] observation in
      let now = seconds(of: CLOCK_MONOTONIC)
      state.withLock { $0.moments[observation.kind] = now }
    }
  }

  func begin() {
    let now = seconds(of: CLOCK_MONOTONIC)
    state.withLock { $0 = State(begin: now) }
  }

  func end() throws(MeshError) -> Span {
    let now = seconds(of: CLOCK_MONOTONIC)
    let state = state.withLock { $0 }
    var times = [state.begin]
    for stage in Self.stages {
      guard let time = state.moments[stage.kind] else {
        throw MeshError(.jobFailed, "a job ended without \(stage.kind.name)")
      }
      times.append(time)
    }
    times.append(now)
    return Span(seconds: now - state.begin, phases: zip(times, times.dropFirst()).map { $1 - $0 })
  }
}
