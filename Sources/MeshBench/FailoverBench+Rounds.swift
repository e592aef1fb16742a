internal import Foundation
internal import MeshCore
internal import MeshRuntime

extension FailoverBench {
  /// One loss a round, each in a job of its own: three losses in a row at a rank that doesn't get on
  /// would end it.
  struct Rounds {
    private(set) var mesh: FailoverMesh
    private let inputs: JobInputs
    private let progress: (String) -> Void
    private var random: SplitMix64
    private(set) var killSeconds: [Double] = []
    private(set) var pauseSeconds: [Double] = []
    private(set) var hangSeconds: [Double] = []
    private(set) var rejoined = 0
    private(set) var reasons: [String: Int] = [:]
  }
}

extension FailoverBench.Rounds {
  init(
    _ bench: FailoverBench, _ inputs: JobInputs, isCancelled: @escaping @Sendable () -> Bool,
    progress: @escaping (String) -> Void
  ) throws(MeshError) {
    mesh = try FailoverMesh(
      workers: bench.workers,
      arguments: ["--model-pairs-per-second", "\(bench.pairsPerSecond)"], isCancelled: isCancelled)
    self.inputs = inputs
    self.progress = progress
    random = SplitMix64(seed: bench.seed)
  }

  /// A job under way, and one of its workers, at a time that nothing else depends on.
  private mutating func startRound() throws(MeshError) -> (job: RemoteJob, victim: String) {
    try mesh.checkCancelled()
    let job = try mesh.startJob(inputs)
    rest(seconds: 0.3 * random.unit())
    return (job, mesh.workers[Int(random.next() % UInt64(mesh.workers.count))])
  }

  private mutating func found(
    _ sighting: MeshWatch.Sighting, after start: Double, _ what: String
  ) -> Double {
    let taken = sighting.seconds - start
    // Numbers in it differ from one to the next.
    let reason = sighting.observation.detail.filter { !$0.isNumber && $0 != "." }
    reasons["\(what): \(reason)", default: 0] += 1
    return taken
  }

  mutating func kill(_ index: Int) throws(MeshError) {
    let (job, victim) = try startRound()
    mesh.watch.expectLoss(of: victim)
    let start = try mesh.signal(victim, SIGKILL)
    let sighting = try mesh.loss(of: victim, since: start)
    killSeconds.append(found(sighting, after: start, "killed"))
    try mesh.remove(victim)
    try mesh.end(job)
    _ = try mesh.add()
    tell(index, "killed", killSeconds)
  }

  mutating func pause(_ index: Int) throws(MeshError) {
    let (job, victim) = try startRound()
    mesh.watch.expectLoss(of: victim)
    let start = try mesh.signal(victim, SIGSTOP)
    let sighting = try mesh.loss(of: victim, since: start)
    pauseSeconds.append(found(sighting, after: start, "stopped"))
    let awake = try mesh.signal(victim, SIGCONT)
    if mesh.isBack(victim, since: awake) {
      rejoined += 1
    } else {
      try mesh.remove(victim)
      _ = try mesh.add()
    }
    try mesh.end(job)
    tell(index, "stopped", pauseSeconds)
  }

  /// The worker that is to hang has to be told when it starts.
  mutating func hang(_ index: Int, markedAt path: String) throws(MeshError) {
    if index == 0, let worker = mesh.workers.first {
      try mesh.remove(worker)
      rest(seconds: 0.2)
    }
    try? FileManager.default.removeItem(atPath: path)
    let victim = try mesh.add(environment: [
      "ATTNMESH_FAILPOINT": "compute:hang:\(5 + random.next() % 20)",
      "ATTNMESH_FAILPOINT_MARK": path,
    ])
    mesh.watch.expectLoss(of: victim)
    let asked = seconds(of: CLOCK_MONOTONIC)
    let (job, _) = try startRound()
    let sighting = try mesh.loss(of: victim, since: asked)
    let text = try? String(contentsOfFile: path, encoding: .utf8)
    guard let text, let mark = Double(text.dropLast()) else {
      throw MeshError(.jobFailed, "\(victim) was lost before it hung")
    }
    hangSeconds.append(found(sighting, after: mark * 1e-9, "hung"))
    try mesh.remove(victim)
    try mesh.end(job)
    tell(index, "hung", hangSeconds)
  }

  private func tell(_ index: Int, _ what: String, _ seconds: [Double]) {
    if index % 10 == 9 || index == 0 {
      progress("\(what) \(index + 1): found after \(seconds.last ?? 0) s")
    }
  }
}
