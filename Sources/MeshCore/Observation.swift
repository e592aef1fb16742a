/// Something that happened, told by a core: the single source of logs, metrics, `events --follow`
/// and transcripts. Cores never log.
package struct Observation: Hashable, Sendable {
  package var kind: Kind
  package var job: JobID?
  /// Name of the worker it is about.
  package var worker: String?
  package var vrank: VRank?
  /// One line for a person; empty when the kind says all.
  package var detail: String

  package init(
    _ kind: Kind, job: JobID? = nil, worker: String? = nil, vrank: VRank? = nil,
    detail: String = ""
  ) {
    self.kind = kind
    self.job = job
    self.worker = worker
    self.vrank = vrank
    self.detail = detail
  }

  package enum Kind: UInt8, Sendable, CaseIterable {
    case workerJoined = 1
    case workerRefused = 2
    case workerLost = 3
    case workerLeft = 4
    case jobSubmitted = 10
    case jobQueued = 11
    case jobStarted = 12
    case vrankFinal = 13
    case jobDone = 14
    case jobFailed = 15
    case jobCancelled = 16
    case jobDiscarded = 17
    case assigned = 20
    case released = 21
    case sourceChanged = 22
    case tileRefused = 23
    case rehosted = 24
    case restored = 25
    case handOver = 26
    case copyRefused = 27
    case staleRefused = 28
    case straggler = 29
    case coordinatorLate = 30
    case messageDropped = 31
    case storeAlarm = 32
    case checkpointAlarm = 33
    case coordinatorRestarted = 34
    case workerDraining = 35
    /// Somebody without a key, or with one that doesn't allow what it tried.
    case accessRefused = 36
    /// The list of keys was read again.
    case keysChanged = 37
    case workerCordoned = 38
    case workerUncordoned = 39
    case started = 40
    /// The list of keys can't be read: the one from before stays in force.
    case keysUnreadable = 41
    /// A job that had ended was forgotten, since somebody asked for it.
    case jobRemoved = 50
    /// The result of a job isn't in the store, though nobody let it go.
    case resultMissing = 51
    /// It is there again.
    case resultFound = 52
    /// A worker's connection broke and was made again before the worker was missed.
    case connectionReset = 53
    /// A worker that is heard can't be connected to by another, or by the coordinator.
    case peerUnreachable = 60
    case peerReached = 61
    /// A worker waits for its coordinator.
    case coordinatorSilent = 70
    /// It has been welcomed, for the first time or again.
    case coordinatorFound = 71
    /// The process was told to end.
    case stopping = 72

    /// Whether it belongs to the ordinary course of a job, or comes in great number.
    var isMinor: Bool {
      switch self {
      case .vrankFinal, .assigned, .released, .sourceChanged, .tileRefused, .copyRefused,
        .staleRefused, .messageDropped, .connectionReset:
        true
      default: false
      }
    }

    /// Whether there are other workers than before, here or lost.
    package var changesWorkers: Bool {
      switch self {
      case .workerJoined, .workerLost, .workerLeft: true
      default: false
      }
    }

    package var name: String {
      switch self {
      case .workerJoined: "worker-joined"
      case .workerRefused: "worker-refused"
      case .workerLost: "worker-lost"
      case .workerLeft: "worker-left"
      case .jobSubmitted: "job-submitted"
      case .jobQueued: "job-queued"
      case .jobStarted: "job-started"
      case .vrankFinal: "vrank-final"
      case .jobDone: "job-done"
      case .jobFailed: "job-failed"
      case .jobCancelled: "job-cancelled"
      case .jobDiscarded: "job-discarded"
      case .assigned: "assigned"
      case .released: "released"
      case .sourceChanged: "source-changed"
      case .tileRefused: "tile-refused"
      case .coordinatorLate: "coordinator-late"
      case .messageDropped: "message-dropped"
      case .storeAlarm: "store-alarm"
      case .rehosted: "rehosted"
      case .restored: "restored"
      case .handOver: "hand-over"
      case .copyRefused: "copy-refused"
      case .staleRefused: "stale-refused"
      case .straggler: "straggler"
      case .checkpointAlarm: "checkpoint-alarm"
      case .coordinatorRestarted: "coordinator-restarted"
      case .workerDraining: "worker-draining"
      case .accessRefused: "access-refused"
      case .keysChanged: "keys-changed"
      case .workerCordoned: "worker-cordoned"
      case .workerUncordoned: "worker-uncordoned"
      case .started: "started"
      case .keysUnreadable: "keys-unreadable"
      case .jobRemoved: "job-removed"
      case .resultMissing: "result-missing"
      case .resultFound: "result-found"
      case .connectionReset: "connection-reset"
      case .peerUnreachable: "peer-unreachable"
      case .peerReached: "peer-reached"
      case .coordinatorSilent: "coordinator-silent"
      case .coordinatorFound: "coordinator-found"
      case .stopping: "stopping"
      }
    }
  }
}

extension Duration {
  package var seconds: Double {
    Double(components.seconds) + Double(components.attoseconds) * 1e-18
  }
}
