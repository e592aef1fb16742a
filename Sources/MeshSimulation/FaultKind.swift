/// What a simulation may do to a mesh. Each seed draws the kinds that it uses.
package enum FaultKind: String, Sendable, CaseIterable, Comparable {
  // Messages, throughout the safety phase.
  case loss
  case duplication
  case reordering
  case longDelays = "long-delays"
  case corruption
  // Links.
  case partition
  case oneWayPartition = "one-way-partition"
  case coordinatorPartition = "coordinator-partition"
  case isolation
  case flapping
  case clog
  case brokenConnection = "broken-connection"
  // Workers.
  case crash
  case crashLosingDisk = "crash-losing-disk"
  case hostLost = "host-lost"
  case pause
  case slowness
  case hang
  case drain
  case join
  // The coordinator and its store.
  case coordinatorCrash = "coordinator-crash"
  case coordinatorPowerLoss = "coordinator-power-loss"
  case coordinatorPause = "coordinator-pause"
  case storeStall = "store-stall"
  case journalFailure = "journal-failure"
  // Disks of checkpoints.
  case diskFull = "disk-full"
  case diskError = "disk-error"
  case failedSync = "failed-sync"
  case tornWrite = "torn-write"
  case bitFlip = "bit-flip"
  // Several things at once.
  /// All workers die at the same moment; some find what they wrote last damaged.
  case blackout
  /// A worker comes and goes, and only one of the others hears of it from the coordinator.
  case missedTable = "missed-table"
  /// A worker is cordoned for a while: no fault, but it makes placing harder.
  case cordon
  /// Every connection of the mesh breaks, again and again for seconds; nobody dies.
  case resets

  /// Goes on for the whole safety phase instead of happening at a time.
  package var isContinuous: Bool {
    switch self {
    case .loss, .duplication, .reordering, .longDelays, .corruption, .tornWrite: true
    default: false
    }
  }

  /// Several things at once. Seeds draw these from a branch of their own, so that all they drew before
  /// there were any stays as it was.
  package var isCompound: Bool { self == .blackout || self == .missedTable }

  /// Came later, and is drawn from yet another branch.
  package var isLater: Bool { self == .cordon || self == .resets }

  /// Keeps messages from arriving as they were sent.
  package var isOfNetwork: Bool {
    switch self {
    case .loss, .duplication, .reordering, .longDelays, .corruption, .partition,
      .oneWayPartition, .coordinatorPartition, .isolation, .flapping, .clog, .brokenConnection,
      .missedTable, .resets:
      true
    default: false
    }
  }

  package static func < (left: FaultKind, right: FaultKind) -> Bool {
    left.rawValue < right.rawValue
  }
}
