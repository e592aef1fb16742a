/// Faults of the program itself, put in on purpose: tests prove with them that the simulator would
/// notice. Nothing but a simulation can set one.
package enum Defect: String, Sendable, CaseIterable {
  case skipEpochCheckAtPeerStore = "skip-epoch-check-at-peer-store"
  case skipEpochCheckAtSlot = "skip-epoch-check-at-slot"
  case skipEpochCheckAtProgress = "skip-epoch-check-at-progress"
  case skipEpochCheckAtResult = "skip-epoch-check-at-result"
  case foldDuplicate = "fold-duplicate"
  case foldNextPlusOne = "fold-next-plus-one"
  case acknowledgeCopyEarly = "acknowledge-copy-early"
  case announceBeforeCommit = "announce-before-commit"
  case reuseCounterAfterRestart = "reuse-counter-after-restart"
  case copyOnSameWorker = "copy-on-same-worker"
  case freeShardEarly = "free-shard-early"
  case finalBeforeSync = "final-before-sync"
  case forgetUnannounced = "forget-unannounced"
  case noSelfDoubt = "no-self-doubt"
  case copyWithoutTiles = "copy-without-tiles"
  case copyByIntervalAlone = "copy-by-interval-alone"
  case orderByTile = "order-by-tile"
  case publishOtherBytes = "publish-other-bytes"
}
