/// Who is hit, by what is known when a scenario is written.
package enum ChaosTarget: Hashable, Sendable, CustomStringConvertible {
  case coordinator
  /// A place, numbered from 1.
  case worker(Int)
  /// A worker by its place among the hosts of the job's virtual ranks as the job started, from 0;
  /// negative from the end.
  case ring(Int)
  /// Who has a copy of the first virtual rank of this one in its memory: the host of the next.
  case holder(ofRing: Int)
  /// Who took over from the last one that was hit.
  case heir
  /// The last ones that were hit.
  case same
  case everyWorker
  /// Everybody but the others named in the same action.
  case everyoneElse

  package var description: String {
    switch self {
    case .coordinator: "coordinator"
    case .worker(let number): "w\(number)"
    case .ring(let place): "ring place \(place)"
    case .holder(let place): "holder of ring place \(place)"
    case .heir: "heir"
    case .same: "the same"
    case .everyWorker: "every worker"
    case .everyoneElse: "everyone else"
    }
  }
}

/// What is done to a mesh.
package enum ChaosAction: Hashable, Sendable, CustomStringConvertible {
  case kill([ChaosTarget])
  case pause([ChaosTarget])
  case resume([ChaosTarget])
  case start([ChaosTarget])
  /// Ask to end in order.
  case drain([ChaosTarget])
  /// Faults on all links between two groups.
  case link(ProxySchedule, [ChaosTarget], [ChaosTarget])
  case reset([ChaosTarget], [ChaosTarget])
  /// All links are good again.
  case heal
  case damage(CheckpointDamage)
  case fill(ChaosDisk)
  case free(ChaosDisk)
  /// Stopped for a part of every period: slow, and alive.
  case straggle([ChaosTarget], run: Duration, stop: Duration)
  /// Other work on the machine, on so many threads.
  case burden(threads: Int)
  /// Ends stragglers' stops and burdens.
  case relieve

  /// How many faults this is.
  ///
  /// - Parameter workers: how many there are, for what is done to all.
  package func faultCount(workers: Int) -> Int {
    switch self {
    case .kill(let targets), .pause(let targets), .drain(let targets),
      .straggle(let targets, _, _):
      targets.reduce(0) { $0 + ($1 == .everyWorker ? workers : 1) }
    case .link, .reset, .damage, .fill, .burden: 1
    case .resume, .start, .heal, .free, .relieve: 0
    }
  }

  /// Whom it is about.
  var targets: [ChaosTarget] {
    switch self {
    case .kill(let targets), .pause(let targets), .resume(let targets), .start(let targets),
      .drain(let targets), .straggle(let targets, _, _):
      targets
    case .link(_, let group, let others), .reset(let group, let others): group + others
    case .heal, .damage, .fill, .free, .burden, .relieve: []
    }
  }

  package var description: String {
    func list(_ targets: [ChaosTarget]) -> String {
      targets.map(\.description).joined(separator: ", ")
    }
    return switch self {
    case .kill(let targets): "kill \(list(targets))"
    case .pause(let targets): "pause \(list(targets))"
    case .resume(let targets): "resume \(list(targets))"
    case .start(let targets): "start \(list(targets))"
    case .drain(let targets): "drain \(list(targets))"
    case .link(let schedule, let group, let others):
      "link \(list(group)) to \(list(others)): \(schedule)"
    case .reset(let group, let others): "reset \(list(group)) to \(list(others))"
    case .heal: "heal all links"
    case .damage(let damage): "damage checkpoints: \(damage)"
    case .fill(let disk): "fill the disk of \(disk)"
    case .free(let disk): "free the disk of \(disk)"
    case .straggle(let targets, let run, let stop):
      "\(list(targets)) runs for \(run), stops for \(stop)"
    case .burden(let threads): "burden the machine with \(threads) threads"
    case .relieve: "relieve"
    }
  }

  var needsProxies: Bool {
    switch self {
    case .link, .reset, .heal: true
    default: false
    }
  }
}

/// When something is done.
package enum ChaosTrigger: Hashable, Sendable {
  /// With the step before, or at the first news of the job.
  case now
  /// So long after the step before.
  case after(Duration)
  /// This part of the job's tiles is folded.
  case folded(Double)
  /// This has been observed by the coordinator since the step before.
  case event(String)
  /// The process in this place has ended.
  case ended(ChaosTarget)
}

/// One step of a scenario: steps are taken one after the other.
package struct ChaosStep: Hashable, Sendable {
  package var trigger: ChaosTrigger
  package var actions: [ChaosAction]

  package init(_ trigger: ChaosTrigger, _ actions: [ChaosAction]) {
    self.trigger = trigger
    self.actions = actions
  }

  package func faultCount(workers: Int) -> Int {
    actions.reduce(0) { $0 + $1.faultCount(workers: workers) }
  }
}
