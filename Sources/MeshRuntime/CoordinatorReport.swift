package import MeshCore

/// What a coordinator publishes of itself: a snapshot of its core, and counters that only grow.
package struct CoordinatorReport: Sendable {
  package var snapshot: CoordinatorSnapshot
  package var counters: Counters
  /// Workers that were lost or left and haven't come back, the last one last; at most
  /// `Limits.departedPublishedMaximum`.
  package var departed: [Departed]
  /// For how long the oldest commit has waited for the disk.
  package var commitWaitSeconds: Double
  /// The most by which the loop was late in the last ten to twenty seconds.
  package var loopLagSeconds: Double

  /// Since the process began.
  package struct Counters: Sendable {
    package var events: [Observation.Kind: UInt64] = [:]
    package var callsAnswered: UInt64 = 0
    package var callsRefused: [StatusCode: UInt64] = [:]
    package var messagesDropped = 0
    package var loopLateSeconds = 0.0
    package var tilesFolded = 0
    package var recoveries: [RestoreTier: Int] = [:]
    package var traffic = Traffic()
    /// By the worker's name.
    package var workerTraffic: [String: Traffic] = [:]

    package init() {}
  }

  /// A worker that isn't there any more.
  package struct Departed: Sendable {
    package var name: String
    package var isLost: Bool
    package var reason: String
    /// By the clock of `CoordinatorSnapshot.seconds`.
    package var seconds: Double
  }
}
