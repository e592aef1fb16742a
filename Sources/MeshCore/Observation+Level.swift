extension Observation {
  /// How much somebody has to know of it, the most first.
  package enum Level: UInt8, Sendable, CaseIterable, Comparable {
    case error = 1
    case warning = 2
    case notice = 3
    case info = 4
    case debug = 5
    case trace = 6

    package var name: String {
      switch self {
      case .error: "error"
      case .warning: "warning"
      case .notice: "notice"
      case .info: "info"
      case .debug: "debug"
      case .trace: "trace"
      }
    }

    package static func < (left: Level, right: Level) -> Bool { left.rawValue < right.rawValue }
  }
}

extension Observation.Kind {
  /// Errors and warnings are the alarms: somebody should look. A notice tells of a change that was
  /// asked for or has been dealt with, the rest of work that goes its way.
  package var level: Observation.Level {
    switch self {
    case .jobFailed, .storeAlarm, .keysUnreadable: .error
    case .workerRefused, .workerLost, .tileRefused, .copyRefused, .straggler, .coordinatorLate,
      .checkpointAlarm, .accessRefused, .resultMissing, .peerUnreachable, .coordinatorSilent:
      .warning
    case .jobCancelled, .rehosted, .restored, .staleRefused, .coordinatorRestarted,
      .workerDraining, .workerCordoned, .workerUncordoned, .keysChanged, .resultFound,
      .connectionReset, .peerReached, .coordinatorFound, .stopping:
      .notice
    case .started, .workerJoined, .workerLeft, .jobSubmitted, .jobQueued, .jobStarted, .jobDone,
      .jobDiscarded, .jobRemoved, .vrankFinal, .assigned, .released, .handOver:
      .info
    case .sourceChanged: .debug
    case .messageDropped: .trace
    }
  }
}
