internal import Foundation
internal import MeshCore
package import MeshRuntime

/// Scenarios, one after the other, each on a mesh of its own.
package struct ChaosRun {
  package var executable = "/proc/self/exe"
  package var seed: UInt64
  /// Where logs of scenarios that don't end as expected are kept; nil for nowhere.
  package var logDirectory: String?
  package var isCancelled: () -> Bool
  /// Told what goes on.
  package var tell: (String) -> Void

  package init(
    seed: UInt64, isCancelled: @escaping () -> Bool, tell: @escaping (String) -> Void
  ) {
    self.seed = seed
    self.isCancelled = isCancelled
    self.tell = tell
  }

  /// Runs scenarios to the end, whatever becomes of them.
  ///
  /// - Parameter progress: told each result as it comes.
  /// - Throws: interrupted, or this machine can't run scenarios at all.
  package func run(
    _ scenarios: [ChaosScenario], progress: (ChaosResult) -> Void
  ) throws(MeshError) -> [ChaosResult] {
    let directory = try RunDirectory(executable: executable)
    defer { directory.remove() }
    let truth = JobTruth(seed: seed, directory: directory)
    var results: [ChaosResult] = []
    for (index, scenario) in scenarios.enumerated() {
      let result = try run(scenario, truth: truth, seed: seed &+ UInt64(index))
      results.append(result)
      progress(result)
    }
    return results
  }

  private func run(
    _ scenario: ChaosScenario, truth: JobTruth, seed: UInt64
  ) throws(MeshError) -> ChaosResult {
    let known = try truth.known(
      scenario.job, vranks: scenario.vranks, isCancelled: isCancelled)
    let mesh = try ChaosMesh(configuration(scenario, seed: seed))
    defer { mesh.stop() }
    do throws(MeshError) {
      try start(scenario, on: mesh, seed: seed)
      let result = try ScenarioRun(
        scenario, mesh: mesh, known: known, seed: seed, isCancelled: isCancelled, tell: tell
      ).run()
      if !result.isMet { keepLogs(named: scenario.title, mesh) }
      return result
    } catch {
      if error.kind == .interrupted { throw error }
      // What a scenario asks for wasn't possible: that is a result too.
      keepLogs(named: scenario.title, mesh)
      var result = ChaosResult(scenario, seed: seed)
      result.outcome = "not run"
      result.problems = [error.message]
      return result
    }
  }

  func configuration(_ scenario: ChaosScenario, seed: UInt64) -> ChaosMesh.Configuration {
    var configuration = ChaosMesh.Configuration(
      executable: executable, workers: scenario.workers, seed: seed)
    configuration.isProxied = scenario.isProxied
    configuration.coordinatorArguments = scenario.coordinatorArguments
    configuration.workerArguments = scenario.workerArguments
    configuration.equipment = scenario.equipment
    configuration.storeBytes = scenario.storeBytes
    configuration.checkpointBytes = scenario.checkpointBytes
    return configuration
  }

  func start(
    _ scenario: ChaosScenario, on mesh: ChaosMesh, seed: UInt64
  ) throws(MeshError) {
    try mesh.start(.coordinator)
    var (resolver, effects) = (TargetResolver(), [Repetition]())
    var random = SplitMix64(seed: seed)
    for number in 1...scenario.workers { try mesh.start(.worker(number)) }
    for action in scenario.prelude {
      tell(action.description)
      try ChaosPerformer(mesh: mesh).perform(
        action, resolver: &resolver, effects: &effects, random: &random)
    }
  }

  func keepLogs(named name: String, _ mesh: ChaosMesh) {
    guard let logDirectory else { return }
    let target = "\(logDirectory)/\(name)"
    let manager = FileManager.default
    try? manager.createDirectory(atPath: target, withIntermediateDirectories: true)
    for log in (try? manager.contentsOfDirectory(atPath: mesh.directory.path)) ?? []
    where log.hasSuffix(".log") {
      try? manager.removeItem(atPath: "\(target)/\(log)")
      try? manager.copyItem(
        atPath: "\(mesh.directory.path)/\(log)", toPath: "\(target)/\(log)")
    }
  }
}
