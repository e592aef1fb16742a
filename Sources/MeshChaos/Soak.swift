internal import Foundation
internal import MeshCore
package import MeshRuntime
internal import ZeroMQ

extension ChaosRun {
  /// C24: one mesh, job after job, and a random fault each few seconds. Who dies is replaced.
  ///
  /// - Parameter progress: told each job's result as it comes.
  package func soak(
    _ duration: Duration, progress: (ChaosResult) -> Void
  ) throws(MeshError) -> [ChaosResult] {
    let directory = try RunDirectory(executable: executable)
    defer { directory.remove() }
    let truth = JobTruth(seed: seed, directory: directory)
    var plan = SoakPlan(seed: seed)
    let first = plan.next(number: 1)
    let known = try truth.known(first.job, vranks: first.vranks, isCancelled: isCancelled)
    let mesh = try ChaosMesh(configuration(first, seed: seed))
    defer { mesh.stop() }
    try start(first, on: mesh, seed: seed)
    let end = MonotonicClock.now + duration
    var results: [ChaosResult] = []
    while MonotonicClock.now < end {
      let number = results.count + 1
      var result = try ScenarioRun(
        number == 1 ? first : plan.next(number: number), mesh: mesh, known: known,
        seed: seed &+ UInt64(number), isCancelled: isCancelled, tell: tell
      ).run()
      result.resources = ChaosResult.Resources(of: mesh)
      if !result.isMet { keepLogs(named: result.scenario, mesh) }
      results.append(result)
      progress(result)
      try mend(mesh, workers: first.workers)
    }
    return results
  }

  /// Everybody is there and reachable again.
  private func mend(_ mesh: ChaosMesh, workers: Int) throws(MeshError) {
    mesh.heal()
    mesh.resume(mesh.members)
    for member in [.coordinator] + (1...workers).map({ MeshMember.worker($0) })
    where mesh.hasEnded(member) {
      try mesh.start(member)
    }
  }
}

/// Draws what happens to the jobs of a soak.
struct SoakPlan {
  private static let workers = 4
  private var random: SplitMix64

  init(seed: UInt64) { random = SplitMix64(seed: seed) }

  /// A job with a fault or two.
  mutating func next(number: Int) -> ChaosScenario {
    var steps: [ChaosStep] = []
    for turn in 0..<3 {
      var fault = fault()
      fault[0].trigger =
        turn == 0
        ? .folded(Double.random(in: 0...0.4, using: &random))
        : .after(.seconds(Double.random(in: 3...6, using: &random)))
      steps += fault
    }
    return ChaosScenario("C24", "soak-\(number)", steps) {
      $0.workers = Self.workers
      $0.job = .long
      $0.isAlwaysProxied = true
      // Jobs end when they end.
      $0.expectation.mayMissFaults = true
    }
  }

  private mutating func worker() -> ChaosTarget {
    .worker(Int.random(in: 1...Self.workers, using: &random))
  }

  private mutating func fault() -> [ChaosStep] {
    let worker = worker()
    let pause = Duration.milliseconds([300, 700, 2_000].randomElement(using: &random) ?? 300)
    switch Int.random(in: 0..<12, using: &random) {
    case 0...2:
      return [ChaosStep(.now, [.kill([worker])]), ChaosStep(.ended(worker), [.start([worker])])]
    case 3:
      return [
        ChaosStep(.now, [.kill([worker, .coordinator]), .start([.coordinator])]),
        ChaosStep(.after(pause), [.start([worker])]),
      ]
    case 4: return [ChaosStep(.now, [.kill([.coordinator]), .start([.coordinator])])]
    case 5...6:
      return [ChaosStep(.now, [.pause([worker])]), ChaosStep(.after(pause), [.resume([worker])])]
    case 7:
      return [ChaosStep(.now, [.drain([worker])]), ChaosStep(.ended(worker), [.start([worker])])]
    case 8:
      let damage = CheckpointDamage.allCases.randomElement(using: &random) ?? .flipBit
      return [
        ChaosStep(.now, [.kill([worker]), .damage(damage)]),
        ChaosStep(.after(pause), [.start([worker])]),
      ]
    default: return linkFault(worker, for: pause)
    }
  }

  private mutating func linkFault(_ worker: ChaosTarget, for pause: Duration) -> [ChaosStep] {
    let schedules: [ProxySchedule] = [
      .always(.blackHole), .always(.stallToTarget), .always(.stallToSource),
      .flapping(.blackHole, period: .seconds(1)), .always(.close(after: 50_000)),
      .always(.delay(.milliseconds(50), jitter: .milliseconds(20))),
      .always(.slice(bytesMaximum: 500)),
    ]
    let schedule = schedules.randomElement(using: &random) ?? .always(.blackHole)
    return [
      ChaosStep(.now, [.link(schedule, [worker], [.everyoneElse])]),
      ChaosStep(.after(pause), [.heal]),
    ]
  }
}

extension ChaosResult.Resources {
  /// Of the living processes of a mesh.
  init(of mesh: ChaosMesh) {
    for process in mesh.processes.values where process.poll() == nil {
      let directory = "/proc/\(process.process)"
      let files = (try? FileManager.default.contentsOfDirectory(atPath: directory + "/fd")) ?? []
      openFilesMaximum = max(openFilesMaximum, files.count)
      // Total and resident pages.
      let pages = contents(ofFile: directory + "/statm").split(separator: " ")
      guard pages.count > 1, let resident = Int(pages[1]) else { continue }
      residentBytesMaximum = max(residentBytesMaximum, resident * Int(getpagesize()))
    }
  }
}
