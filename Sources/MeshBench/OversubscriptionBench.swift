internal import Glibc
internal import MeshCore
package import MeshRuntime

/// Whether workers are taken for lost on a machine that has several times more to do than it can:
/// real jobs beside threads that only spin, and workers that are stopped now and then for less than
/// what counts as dead.
package struct OversubscriptionBench {
  package var workers = 4
  package var seconds = 60.0
  /// Spinning threads for each core.
  package var spinnersPerCore = 4
  /// How long a worker is stopped, and how often.
  package var pauseSeconds = 0.3
  package var pauseInterval = 2.0
  package var tokens = 8_192
  package var seed: UInt64 = 1

  package init() {}

  package struct Result: Encodable, Sendable {
    package let workers: Int
    package let seconds: Double
    package let spinners: Int
    package let jobs: Int
    package let pauses: Int
    package let falseLosses: [String]
    /// Times that the coordinator was late itself and doubted itself first.
    package let selfDoubts: Int
    package let probeSeconds: Percentiles
    package let findings: Findings
  }

  package func run(
    isCancelled: @escaping @Sendable () -> Bool, progress: (String) -> Void
  ) throws(MeshError) -> Result {
    let tensors = try BenchTensors(
      BenchTensors.Shape(queryHeads: 9, keyHeads: 3, tokens: tokens, headDimension: 64), seed: 1)
    let inputs = try tensors.inputs(mask: .full)
    var findings = Findings()
    let expected = try tensors.digest(of: inputs, isCancelled: isCancelled)
    let mesh = try FailoverMesh(workers: workers, arguments: [], isCancelled: isCancelled)
    defer { mesh.stop() }
    let probe = try WakeUpProbe()
    let spinners = try Spinners(perCore: spinnersPerCore)
    var load = Load(spinners, self)
    var jobs = 0
    do throws(MeshError) {
      while !load.isOver {
        let job = try RemoteJob(
          submitting: inputs, deadlineSeconds: 0, client: mesh.client, isCancelled: isCancelled,
          progress: { _, _ in })
        let status = try job.wait { _ in load.advance(mesh, progress) }
        findings.expect(
          status.outputDigest.map { "\($0)" } == expected, "other bits than one process")
        jobs += 1
        progress("job \(jobs): \(status.summary.wallSeconds) s")
      }
    } catch {
      load.end()
      _ = probe.stop()
      throw error
    }
    load.end()
    let falseLosses = mesh.watch.falseLosses
    findings.goals = [
      Goal("workers taken for lost that weren't", Double(falseLosses.count), atMost: 0)
    ]
    return Result(
      workers: workers, seconds: load.lasted, spinners: spinners.count, jobs: jobs,
      pauses: load.pauses, falseLosses: falseLosses, selfDoubts: mesh.watch.count(.coordinatorLate),
      probeSeconds: probe.stop(), findings: findings)
  }

  /// What the machine has to bear, until its time is up; what is left of a job is then done in peace.
  private struct Load {
    private let bench: OversubscriptionBench
    private let spinners: Spinners
    private let start = now()
    private var random: SplitMix64
    private var nextPause: Double
    private(set) var pauses = 0
    private(set) var isOver = false
    private(set) var lasted = 0.0

    init(_ spinners: Spinners, _ bench: OversubscriptionBench) {
      self.bench = bench
      self.spinners = spinners
      random = SplitMix64(seed: bench.seed)
      nextPause = start + bench.pauseInterval
    }

    mutating func advance(_ mesh: FailoverMesh, _ progress: (String) -> Void) {
      guard !isOver else { return }
      if now() >= start + bench.seconds { return end() }
      guard now() >= nextPause else { return }
      let running = mesh.mesh.processes.sorted { $0.key < $1.key }
      guard !running.isEmpty else { return }
      let (name, process) = running[Int(random.next() % UInt64(running.count))]
      kill(process, SIGSTOP)
      rest(seconds: bench.pauseSeconds)
      kill(process, SIGCONT)
      pauses += 1
      nextPause = now() + bench.pauseInterval
      if pauses % 10 == 1 { progress("\(name) stopped for \(bench.pauseSeconds) s") }
    }

    mutating func end() {
      guard !isOver else { return }
      isOver = true
      lasted = now() - start
      spinners.stop()
    }
  }
}

private func now() -> Double { seconds(of: CLOCK_MONOTONIC) }
