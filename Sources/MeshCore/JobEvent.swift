/// What the shell tells the run of a job. Everything about a virtual rank names the epoch under which it
/// was hosted: what is left over from an earlier one is dropped.
package enum JobEvent: Sendable {
  // Tiles.
  /// A peer asks for one.
  case pull(Pull, from: Worker.Link)
  case answer(PullAnswer, TileID, from: Worker.Source)
  /// A part arrived that is what it says.
  case part(TileID, part: Int, from: Worker.Source, Payload)
  /// A part arrived that isn't what it says.
  case badPart(TileID, from: Worker.Source)
  /// The connection to a source broke.
  case sourceLost(Worker.Source)
  /// Whether a peer that was asked for something can be connected to: told when it can't for
  /// `Limits.reachTimeout`, and when it can again.
  case reach(WorkerID, Bool)

  // Steps of hosted ranks.
  /// `cost` is the time of compute threads that it took. What the steps published is kept by the shell.
  case folded(VRank, Epoch, next: Int, cost: Duration)
  /// A tile that had been let go was computed once more, and is kept by the shell.
  case replayed(TileID)
  /// The result of a virtual rank is normalised and digested.
  case finished(VRank, Epoch)
  case receipt(ResultReceipt)

  // Copies of this worker's ranks.
  case snapshotTaken(VRank, Epoch, next: Int, cost: Duration)
  case copyReceipt(CopyReceipt, from: Worker.Source)
  case persisted(VRank, Epoch, slot: Int, next: Int, cost: Duration)
  /// The checkpoints of the rank are lost; another try makes new ones.
  case persistFailed(VRank, Epoch, reason: String)

  // Copies of others' ranks.
  /// A message of a copy arrived that is what it says.
  case copy(CopyHeader, from: Worker.Link, Payload)
  case badCopy(CopyHeader, from: Worker.Link)
  case statePull(StatePull, from: Worker.Link)

  // State to go on from.
  case stateAnswer(StateAnswer, from: Worker.Source)
  /// A message of a copy came back that is what it says.
  case statePart(CopyHeader, from: Worker.Source, Payload)
  case badStatePart(CopyHeader, from: Worker.Source)
  /// The state of a rank was read from memory or disk; nil when nothing usable was there.
  ///
  /// Tiles that the rank had published came with it.
  case restored(VRank, Epoch, WorkerMessage.Restored?, [TileID] = [])

  // What travels from rank to rank.
  case passQuestion(PassQuestion, from: Worker.Link)
  case passAnswer(PassAnswer, from: Worker.Source)
}
