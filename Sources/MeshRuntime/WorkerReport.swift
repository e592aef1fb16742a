package import MeshCore

/// What a worker publishes of itself.
package struct WorkerReport: Sendable {
  package var name: String
  package var coordinator: String
  package var level: String
  package var threads: Int
  package var memoryBytes: Int
  package var uptimeSeconds: Double
  /// Whether its coordinator has welcomed it and still answers.
  package var isWelcome: Bool
  package var job: JobID?
  package var ranks: [WorkerMessage.Progress]
  /// Copies of other workers' ranks in its memory.
  package var heldCopies: Int
  /// Over all jobs, since the process began.
  package var traffic: Traffic
  package var tilesFolded: Int
  package var itemsDone: UInt64
  /// Wall time in which the compute threads had work.
  package var busySeconds: Double
  package var isBusy: Bool
  /// For how long the compute threads have got nothing done although they have work.
  package var stuckSeconds: Double
  /// From when on that is a hang.
  package var hangSeconds: Double
  package var loopLagSeconds: Double
}
