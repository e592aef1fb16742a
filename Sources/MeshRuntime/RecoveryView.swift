package import MeshCore

/// A recovery as scripts see it, in `--json` and in reports.
package struct RecoveryView: Encodable, Sendable {
  package var vrank: Int
  package var epoch: String
  package var worker: String
  package var process: Int
  package var cause: String
  package var atSeconds: Double
  package var detectionSeconds: Double
  package var host: String
  package var tier: String?
  package var lostAt: Int
  package var restoredAt: Int?
  package var tilesRefolded: Int?
  package var recoverySeconds: Double?
  package var caughtUpSeconds: Double?

  package init(_ recovery: Recovery) {
    vrank = recovery.vrank.index
    epoch = "\(recovery.epoch)"
    worker = recovery.worker
    process = recovery.processID
    cause = recovery.cause
    atSeconds = recovery.atSeconds
    detectionSeconds = recovery.detectionSeconds
    host = recovery.host
    tier = recovery.restored?.tier.name
    lostAt = recovery.lostAt
    restoredAt = recovery.restored?.next
    tilesRefolded = recovery.refolded
    recoverySeconds = recovery.restoreSeconds
    caughtUpSeconds = recovery.caughtUpSeconds
  }
}
