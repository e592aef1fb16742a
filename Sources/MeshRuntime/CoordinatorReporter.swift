internal import MeshCore

/// Keeps the counters of a coordinator's loop and publishes its state. Lives on the loop's thread.
final class CoordinatorReporter {
  private let board: StatusBoard<CoordinatorReport>
  private var counters = CoordinatorReport.Counters()
  private var departed: [CoordinatorReport.Departed] = []
  private var meter = TrafficMeter()
  private var lag = LagMeter()
  private var publishAt = Duration.zero
  /// The oldest commit that is waited for, and since when.
  private var commit: (number: UInt64, since: Duration)?

  init(_ board: StatusBoard<CoordinatorReport>) { self.board = board }

  func note(_ observation: Observation, at now: Duration) {
    counters.events[observation.kind, default: 0] += 1
    guard let name = observation.worker else { return }
    switch observation.kind {
    case .workerJoined: departed.removeAll { $0.name == name }
    case .workerLost, .workerLeft:
      departed.removeAll { $0.name == name }
      if departed.count >= Limits.departedPublishedMaximum { departed.removeFirst() }
      departed.append(
        CoordinatorReport.Departed(
          name: name, isLost: observation.kind == .workerLost, reason: observation.detail,
          seconds: now.seconds))
    default: break
    }
  }

  func note(_ outcome: CallOutcome) {
    switch outcome {
    case .success: counters.callsAnswered += 1
    case .failure(let failure): counters.callsRefused[failure.code, default: 0] += 1
    }
  }

  /// - Parameter lateness: of the loop at this tick.
  func publish(
    _ core: Coordinator, at now: Duration, lateness: Duration, droppedMessages: Int
  ) {
    lag.note(lateness, at: now)
    counters.loopLateSeconds += max(.zero, lateness).seconds
    guard now >= publishAt else { return }
    publishAt = now + Limits.publishInterval
    let snapshot = core.snapshot(at: now)
    meter.note(snapshot.runs, present: Set(snapshot.workers.map(\.status.name)))
    counters.messagesDropped = droppedMessages
    counters.tilesFolded = meter.tilesFolded
    counters.recoveries = meter.recoveries
    counters.traffic = meter.total
    counters.workerTraffic = meter.byWorker
    noteCommits(snapshot, at: now)
    board.write(
      CoordinatorReport(
        snapshot: snapshot, counters: counters, departed: departed,
        commitWaitSeconds: commit.map { (now - $0.since).seconds } ?? 0,
        loopLagSeconds: lag.worst.seconds))
  }

  private func noteCommits(_ snapshot: CoordinatorSnapshot, at now: Duration) {
    if snapshot.commitsIssued == snapshot.commitsDone {
      commit = nil
    } else if commit?.number != snapshot.commitsDone + 1 {
      commit = (snapshot.commitsDone + 1, now)
    }
  }
}

/// The worst lateness of the last ten to twenty seconds.
struct LagMeter {
  private var before = Duration.zero
  private var present = Duration.zero
  private var turnAt = Duration.zero

  var worst: Duration { max(before, present) }

  mutating func note(_ lateness: Duration, at now: Duration) {
    if now >= turnAt {
      (before, present) = (present, .zero)
      turnAt = now + .seconds(10)
    }
    present = max(present, lateness)
  }
}
