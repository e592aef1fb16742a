/// What must hold after every event of a simulation.
package enum Invariant: String, Sendable, CaseIterable {
  case exactTiles = "I1: a state holds exactly the tiles before its next, each once"
  case foldOrder = "I2: tiles are folded in ascending order"
  case staleEpoch = "I3: a resource takes nothing of an epoch lower than one it saw"
  case oneOwner = "I4: one committed owner a virtual rank, epochs strictly increasing"
  case trueCopies = "I5: what is reported as copied or durable can be read back, or is known as bad"
  case progress = "I6: committed progress doesn't go down while a copy of it is left"
  case oneEnd = "I7: one terminal state; final means stored, synced and right"
  case liveness = "I8: with faults over, the job ends in bounded time"
  case bounds = "I9: queues and buffers keep their bounds"
  case bits = "I10: the output is that of one worker, bit for bit"
  case nothingLeft = "I11: after the end nothing of the job is left in a worker or on its disk"
  case sources = "I13: every tile that is needed has a live source"
  case totality = "I17: whatever a core is told, it goes on"
  case statistics = "I15: maxima don't fall, sums are finite"
  case credit = "I16: no more is sent than was asked for"
  case repeatable = "I19: a seed gives the same run twice"
  case sameAgain = "I20: a tile has the same bytes whoever publishes it, however often"
  case retention = "I21: a state goes with what its rank published and others may need"
  case falseFence = "no false fence: a live, connected worker isn't lost by silence"
  case copiesApart = "a copy is kept in another process than its owner's"
  case boundedWaits = "every chain of waits ends at an owner or the store"
  case announcedAfterCommit = "what is announced was committed before"

  /// The short name: "I3", or the words before the colon.
  package var name: String { rawValue.split(separator: ":").first.map(String.init) ?? rawValue }
}

/// An invariant that didn't hold.
package struct Violation: Sendable, CustomStringConvertible {
  package let invariant: Invariant
  /// What happened, in one line.
  package let detail: String
  /// Simulated seconds.
  package let at: Double

  package var description: String { "\(invariant.rawValue). \(detail)" }
}
