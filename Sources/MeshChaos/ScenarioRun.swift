internal import Foundation
internal import MeshCore
internal import MeshRuntime
internal import ZeroMQ

/// One scenario on one mesh: takes its steps when their time has come, and judges the end. Belongs to
/// one thread.
final class ScenarioRun {
  /// A job that has made no progress for so long never will.
  private static let watchdog = Duration.seconds(40)

  private let scenario: ChaosScenario
  private let mesh: ChaosMesh
  private let known: JobTruth.Known
  private let watch: JobWatch
  private let isCancelled: () -> Bool
  private let tell: (String) -> Void
  private var effects: [Repetition] = []
  private var random: SplitMix64
  private var resolver = TargetResolver()
  private var result: ChaosResult
  private var verdict: JobWatch.Verdict?
  private var status: JobStatus?
  private var pending: ArraySlice<ChaosStep>
  private var lastStep = MonotonicClock.now
  private var lastProgress = MonotonicClock.now
  private var newKinds: Set<String> = []
  private var seenEvents: Set<RecordedEvent> = []

  /// - Parameter tell: told each step as it is taken.
  init(
    _ scenario: ChaosScenario, mesh: ChaosMesh, known: JobTruth.Known, seed: UInt64,
    isCancelled: @escaping () -> Bool, tell: @escaping (String) -> Void
  ) throws(MeshError) {
    self.scenario = scenario
    self.mesh = mesh
    self.known = known
    self.isCancelled = isCancelled
    self.tell = tell
    random = SplitMix64(seed: seed)
    result = ChaosResult(scenario, seed: seed)
    pending = scenario.steps[...]
    watch = try JobWatch(
      endpoint: mesh.endpoint, workers: mesh.livingWorkers.count, inputs: known.inputs,
      directory: mesh.directory.path)
  }

  /// Runs to the end.
  func run() throws(MeshError) -> ChaosResult {
    let start = MonotonicClock.now
    defer {
      for effect in effects { effect.stop() }
      watch.stop()
    }
    while verdict == nil {
      if isCancelled() { throw MeshError(.interrupted, "interrupted") }
      waitForNews()
      for news in watch.news.drain() { take(news) }
      while verdict == nil, let step = pending.first, isDue(step) { try take(step) }
      result.problems += mesh.unexpectedEnds()
      // Somebody couldn't even start: the job won't either.
      if status == nil, !result.problems.isEmpty { break }
      if MonotonicClock.now - lastProgress > Self.watchdog {
        result.problems.append("no progress for \(Self.watchdog.components.seconds) s")
        break
      }
    }
    result.wallSeconds = (MonotonicClock.now - start).seconds
    judge()
    return result
  }

  /// Until there is something new, or a step may be due.
  private func waitForNews() {
    var limit = Duration.milliseconds(50)
    if case .after(let delay)? = pending.first?.trigger, status != nil {
      limit = min(limit, max(.zero, lastStep + delay - MonotonicClock.now))
    }
    var ready = pollfd(fd: watch.news.fileDescriptor, events: Int16(POLLIN), revents: 0)
    _ = poll(&ready, 1, Int32((limit / .milliseconds(1)).rounded(.up)))
  }

  private func take(_ news: JobWatch.News) {
    switch news {
    case .status(let new):
      if new.summary.folded != status?.summary.folded
        || new.summary.state != status?.summary.state
      {
        lastProgress = MonotonicClock.now
      }
      status = new
      resolver.take(new)
    case .events(let events):
      for event in events where seenEvents.insert(event).inserted {
        let kind = event.observation.kind.name
        newKinds.insert(kind)
        result.events[kind, default: 0] += 1
      }
    case .over(let end): verdict = end
    }
  }

  // MARK: Steps

  private func isDue(_ step: ChaosStep) -> Bool {
    guard let status, status.summary.total > 0, resolver.canFindAll(in: step) else { return false }
    switch step.trigger {
    case .now: return true
    case .after(let delay): return MonotonicClock.now - lastStep >= delay
    case .folded(let part):
      return Double(status.summary.folded) >= part * Double(status.summary.total)
    case .event(let kind): return newKinds.contains(kind)
    case .ended(let target):
      let members = try? resolver.members([target], of: mesh)
      return members.map { $0.allSatisfy(mesh.hasEnded) } ?? false
    }
  }

  private func take(_ step: ChaosStep) throws(MeshError) {
    pending = pending.dropFirst()
    newKinds = []
    for action in step.actions {
      tell(action.description)
      try ChaosPerformer(mesh: mesh).perform(
        action, resolver: &resolver, effects: &effects, random: &random)
    }
    lastStep = MonotonicClock.now
    lastProgress = lastStep
  }

  // MARK: Judgement

  private func judge() {
    switch (verdict, scenario.expectation.outcome) {
    case (.done(let digests, let status), let expected):
      result.outcome = "done"
      result.take(status)
      result.bytesEqual = digests == known.digests
      if digests != known.digests { result.problems.append("other bytes than an undisturbed run") }
      if expected != .done { result.problems.append("it was done, and had to fail") }
    case (.failed(let status), let expected):
      result.outcome = status.summary.reason
      result.take(status)
      if case .failed(let part) = expected, status.summary.reason.contains(part) { break }
      result.problems.append("it \(status.summary.state.name): \(status.summary.reason)")
    case (.refused(let reason), .refused(let part)) where reason.contains(part):
      result.outcome = "refused: \(reason)"
    case (.refused(let reason), _):
      result.outcome = "refused"
      result.problems.append("refused: \(reason)")
    case (.lost(let reason), _):
      result.outcome = "lost"
      result.problems.append(reason)
    case (.stopped, _), (nil, _):
      result.outcome = "hung"
      if let status { result.take(status) }
    }
    judgeSteps()
    judgeEvents()
  }

  /// A fault that nobody saw proves nothing.
  private func judgeSteps() {
    let missed = pending.reduce(0) { $0 + $1.faultCount(workers: scenario.workers) }
    guard missed > 0 else { return }
    result.faults -= missed
    if scenario.expectation.mayMissFaults { return }
    result.problems.append("it was over before \(missed) of its faults")
  }

  private func judgeEvents() {
    let expectation = scenario.expectation
    for kind in expectation.seen where result.events[kind] == nil {
      result.problems.append("nobody observed \(kind)")
    }
    for kind in expectation.unseen where result.events[kind] != nil {
      result.problems.append("\(kind) was observed")
    }
    if let tier = expectation.tier, result.tiers[tier] == nil {
      result.problems.append("nothing was restored from: \(tier)")
    }
  }
}
