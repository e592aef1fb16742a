internal import MeshCore
package import MeshRuntime

/// What a scenario gave.
package struct ChaosResult: Encodable, Sendable {
  package var scenario: String
  package var matrix: String
  package var seed: UInt64
  package var faults: Int
  /// "done", or why not.
  package var outcome = ""
  /// What wasn't as expected; none when all was.
  package var problems: [String] = []
  /// Output and log-sum-exp against those of an undisturbed run; nil when there are none.
  package var bytesEqual: Bool?
  /// The largest of all losses; nil when nobody was lost.
  package var detectionSeconds: Double?
  package var recoverySeconds: Double?
  package var tilesRefolded = 0
  /// Where state was found, with how often.
  package var tiers: [String: Int] = [:]
  /// Kinds of events, with how often each was observed.
  package var events: [String: Int] = [:]
  package var recoveries: [RecoveryView] = []
  /// After the job, in a soak.
  package var resources: Resources?
  package var wallSeconds = 0.0
  package var jobSeconds = 0.0

  /// What the largest process takes.
  package struct Resources: Encodable, Sendable {
    package var residentBytesMaximum = 0
    package var openFilesMaximum = 0
  }

  package init(_ scenario: ChaosScenario, seed: UInt64) {
    self.scenario = scenario.title
    matrix = scenario.matrix
    self.seed = seed
    faults = scenario.faultCount
  }

  package var isMet: Bool { problems.isEmpty }

  /// Takes the figures of a job: the one place that knows how a coordinator tells of recoveries.
  mutating func take(_ status: JobStatus) {
    jobSeconds = status.summary.wallSeconds
    recoveries = status.recoveries.map { RecoveryView($0) }
    detectionSeconds = status.recoveries.map(\.detectionSeconds).max()
    recoverySeconds = status.recoveries.compactMap(\.restoreSeconds).max()
    tilesRefolded = status.recoveries.reduce(0) { $0 + ($1.refolded ?? 0) }
    tiers = [:]
    for restored in status.recoveries.compactMap(\.restored) {
      tiers[restored.tier.name, default: 0] += 1
    }
  }

  /// "memory 3, disk 1".
  package var tierText: String {
    tiers.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }.joined(separator: ", ")
  }
}
