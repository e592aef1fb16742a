internal import MeshCore

/// How often a run went where it might have gone.
package struct Coverage: Sendable {
  package private(set) var counts: [Item: Int] = [:]

  /// Somewhere that a run should go.
  package enum Item: Hashable, Sendable, Comparable {
    case fault(FaultKind)
    case restore(Tier)
    case refusal(Refusal)
    case path(Path)

    package var name: String {
      switch self {
      case .fault(let kind): "fault: \(kind.rawValue)"
      case .restore(let tier): "restored from: \(tier.rawValue)"
      case .refusal(let refusal): "refused: \(refusal.rawValue)"
      case .path(let path): "\(path.rawValue)"
      }
    }

    package static func < (left: Item, right: Item) -> Bool { left.name < right.name }

    /// Where nobody goes but who is lost with all that protected it.
    package static var ofRehearsals: [Item] {
      [.path(.later), .path(.gone), .path(.replayed), .path(.revived), .path(.tilesCopied)]
    }

    package static var all: [Item] {
      FaultKind.allCases.map { .fault($0) } + Tier.allCases.map { .restore($0) }
        + Refusal.allCases.map { .refusal($0) } + Path.allCases.map { .path($0) }
    }
  }

  package enum Tier: String, Sendable, CaseIterable {
    case memory
    case checkpoint
    case olderCheckpoint = "older checkpoint"
    case recompute = "the inputs"
  }

  package enum Refusal: String, Sendable, CaseIterable {
    case staleCopy = "a copy of a stale epoch"
    case staleTilePull = "a tile pull of a stale epoch"
    case staleStatePull = "a state pull of a stale epoch"
    case stalePullAtStore = "a pull of a stale epoch at the store"
    case staleProgress = "progress of a stale epoch"
    case staleResult = "a result of a stale epoch"
    case staleSlot = "a checkpoint of a stale epoch"
    case damagedCopy = "a damaged copy"
    case damagedResult = "a damaged result"
    case missingBase = "a copy whose base is missing"
    case notHolder = "a copy at a worker that isn't its holder yet"
    case diskFull = "a checkpoint on a full disk"
    case diskError = "a checkpoint on a failing disk"
    case failedSync = "a checkpoint whose flush failed"
    case commitFailed = "a commit of the coordinator"
    case unaskedPart = "a tile part that nobody asked for"
    case unaskedState = "a state message that nobody asked for"
  }

  package enum Path: String, Sendable, CaseIterable {
    // Of programs with computed tiles, whose ranks are lost twice.
    case later = "a tile wasn't computed yet"
    case gone = "a tile had been passed on"
    case replayed = "a tile was computed once more"
    case revived = "a rank was run again for what it published"
    case tilesCopied = "a copy had published tiles"
    case workerDied = "a worker died"
    case workerLost = "a worker was lost by silence"
    case workerHung = "a hung worker was fenced"
    case refused = "a worker was refused"
    case left = "a drained worker left"
    case rehosted = "a rank got a new host"
    case handedOver = "a rank was asked to hand over"
    case coordinatorDied = "the coordinator died"
    case coordinatorRestarted = "a coordinator took jobs up again"
    case coordinatorLate = "the coordinator doubted itself"
    case commitSurvivedCrash = "a commit survived without being acknowledged"
    case resubmitted = "a job was submitted again"
    case copyCompleted = "a copy became whole"
    case checkpointWritten = "a checkpoint was written"
    case restoredFromOwnMemory = "a state was in its new host's own memory"
    case sourceChanged = "a tile was asked of another source"
    case noise = "a core was told nonsense"
    case coordinatorNoise = "a coordinator was told nonsense"
    case straggler = "a straggler was told"
    case toldUnreachable = "a peer was unreachable"
    case blocksAsked = "a worker asked for a block map"
    case blocksAgain = "a worker asked for it again"
    case blocksOverdue = "a table or a release came before the block map"
  }

  mutating func add(_ item: Item) { counts[item, default: 0] += 1 }

  mutating func merge(_ other: Coverage) {
    for (item, count) in other.counts { counts[item, default: 0] += count }
  }

  package subscript(item: Item) -> Int { counts[item] ?? 0 }

  var hasFault: Bool {
    counts.keys.contains { if case .fault = $0 { true } else { false } }
  }

  var hasRestore: Bool {
    counts.keys.contains { if case .restore = $0 { true } else { false } }
  }
}

extension Coverage {
  mutating func note(_ observation: Observation) {
    switch observation.kind {
    case .workerLost:
      add(.path(observation.detail.hasPrefix("hung") ? .workerHung : .workerLost))
    case .rehosted: add(.path(.rehosted))
    case .handOver: add(.path(.handedOver))
    case .coordinatorRestarted: add(.path(.coordinatorRestarted))
    case .coordinatorLate: add(.path(.coordinatorLate))
    case .sourceChanged: add(.path(.sourceChanged))
    case .straggler: add(.path(.straggler))
    case .restored:
      // Told by the worker; the coordinator's words begin otherwise.
      for tier in RestoreTier.allCases where observation.detail.hasPrefix(tier.name) {
        add(restored: tier)
      }
    case .staleRefused:
      switch observation.detail {
      case "a copy": add(.refusal(.staleCopy))
      case "a state pull": add(.refusal(.staleStatePull))
      case "a tile pull": add(.refusal(.staleTilePull))
      case "progress": add(.refusal(.staleProgress))
      default: break
      }
    default: break
    }
  }

  mutating func note(_ receipt: CopyReceipt) {
    switch receipt.status {
    case .dataLoss: add(.refusal(.damagedCopy))
    case .notFound: add(.refusal(.missingBase))
    case .unavailable: add(.refusal(.notHolder))
    default: break
    }
  }

  mutating func note(result status: StatusCode) {
    switch status {
    case .failedPrecondition: add(.refusal(.staleResult))
    case .dataLoss: add(.refusal(.damagedResult))
    default: break
    }
  }

  mutating func note(_ failure: SlotDirectory.Failure) {
    switch failure {
    case .noSpace: add(.refusal(.diskFull))
    case .error: add(.refusal(.diskError))
    case .failedSync: add(.refusal(.failedSync))
    case .stale: add(.refusal(.staleSlot))
    }
  }

  mutating func add(restored tier: RestoreTier) {
    switch tier {
    case .memory: add(.restore(.memory))
    case .slot: add(.restore(.checkpoint))
    case .otherSlot: add(.restore(.olderCheckpoint))
    case .recompute: add(.restore(.recompute))
    }
  }
}
