/// Every bound of the mesh in one place. What would pass one is refused with the number, or dropped
/// and counted; nothing grows without a limit.
package enum Limits {
  // Shapes.
  package static let tokensMaximum = 16 << 20
  package static let headDimensionMaximum = 256
  /// Heads × batch of one tensor.
  package static let headsMaximum = 65_536
  package static let vranksMaximum = 256
  /// A block map, a bit for each block.
  package static let blockMapBytesMaximum = 8 << 20
  /// Block maps of all jobs that aren't over, in a coordinator's memory.
  package static let blockMapsBytesMaximum = 256 << 20
  package static let workersMaximum = 256
  /// What a worker needs at the least to take part in the smallest of jobs.
  package static let workerMemoryMinimum = 128 << 20
  /// The least quota of a store.
  package static let quotaMinimum = 1 << 20

  // Frames, in bytes.
  package static let controlFrameBytesMaximum = 256 << 10
  /// Payload of one tile or state message.
  package static let payloadBytesMaximum = 1 << 20
  /// A data frame: the payload and its header fields.
  package static let dataFrameBytesMaximum = payloadBytesMaximum + (64 << 10)
  package static let textBytesMaximum = 1_024
  package static let nameBytesMaximum = 63

  // Keys.
  package static let keysMaximum = 4_096
  package static let keyFileBytesMaximum = 1 << 20

  // Queues.
  package static let jobsMaximum = 1_000
  /// With those that are over and of which nothing is left but their end.
  package static let jobsKnownMaximum = 2 * jobsMaximum
  package static let queuedJobsPerClientMaximum = 64
  package static let parkedCallsMaximum = 256
  /// Somebody may wait for each of its jobs, and look at the mesh as well.
  package static let parkedCallsPerClientMaximum = queuedJobsPerClientMaximum + 16
  package static let callersKeptMaximum = 1_024
  package static let eventsKeptMaximum = 4_096
  /// Jobs that one list tells; more are on the next page.
  package static let jobsPerPageMaximum = 100
  /// Jobs told of that an ambiguous beginning of an id may mean.
  package static let candidatesToldMaximum = 8
  /// Workers that were lost and are still told of, and for how long.
  package static let lostWorkersKeptMaximum = 64
  package static let lostWorkersKept: Duration = .seconds(3_600)
  package static let eventsPerReplyMaximum = 256
  /// Events of trouble that a look at the mesh tells.
  package static let alarmsToldMaximum = 8
  /// Workers that a coordinator remembers to have been cordoned, or not to be any more.
  package static let cordonsKeptMaximum = workersMaximum
  package static let repliesKeptMaximum = 1_024
  /// Hung workers that are remembered, so that none of them is taken for a new one.
  package static let fencedKeptMaximum = 1_024
  package static let mailboxEventsMaximum = 65_536

  // What is published to watchers.
  package static let jobsPublishedMaximum = 64
  package static let runsPublishedMaximum = 4
  package static let eventsPublishedMaximum = 128
  /// Workers that have gone and are still told of.
  package static let departedPublishedMaximum = 64
  /// Names of workers whose counters are kept.
  package static let meteredWorkersMaximum = 4 * workersMaximum

  // HTTP.
  package static let httpConnectionsMaximum = 64
  /// Request line and headers.
  package static let httpHeadBytesMaximum = 8 << 10
  /// What is read of a refused request before its connection is closed, so that the answer arrives.
  package static let httpDrainBytesMaximum = 256 << 10

  // Windows.
  /// K/V tiles above a virtual rank's `next` that its worker fetches ahead.
  package static let windowTiles = 4
  /// Bytes of packed K/V tiles in the window of one virtual rank; of a larger tile it holds one.
  package static let windowBytes = 32 << 20
  /// Tiles of a job whose heads are cut: a worker knows of each where it is.
  package static let groupedTilesMaximum = 1 << 18
  /// Bytes of a tile asked of a source at once, and parts: what comes has to fit the source's socket.
  package static let pullBytesMaximum = 8 << 20
  package static let pullPartsMaximum = 32
  /// Tiles of one fold given to the compute threads at once.
  package static let tilesPerFold = 2
  /// Folds given to the compute threads and not yet reported.
  package static let foldsOutstanding = 2
  /// Bytes asked of the input store and not yet received.
  package static let storeCreditBytes = 8 << 20
  /// Tiles asked of the input store and not yet received. The answers to all of them have to fit the
  /// store's socket, which drops what is beyond its water mark: small tiles are many in few bytes.
  package static let storePullsOutstanding = 32
  /// Result messages sent and not yet acknowledged.
  package static let resultMessagesOutstanding = 4
  /// Messages of a copy sent to its holder, or asked of it, and not yet acknowledged or received.
  package static let copyMessagesOutstanding = 8
  /// Messages of a copy that a holder acknowledges at once, at most. A receipt wakes four threads on
  /// its way.
  package static let copyMessagesPerReceipt = 4
  /// Losses and recoveries of a job that are told.
  package static let recoveriesKeptMaximum = 256
  /// Workers of a job that are told; beyond it those that are gone are forgotten, the first first.
  package static let participantsMaximum = 2 * workersMaximum
  /// Commits of the coordinator's state that may wait for the disk.
  package static let effectsHeldMaximum = 65_536

  // Protection.
  /// What copies may cost of the compute time they protect.
  package static let copyCostMaximum = 0.015
  /// A virtual rank is copied at least once in its tiles divided by this.
  package static let copiesOfARankMinimum = 8
  /// Workers lost in a row at a virtual rank that doesn't get on before its job is given up.
  package static let strikesMaximum = 3
  /// Workers lost at a virtual rank that are remembered, with those of whom it isn't known whether they
  /// have ended.
  package static let strikesKeptMaximum = 16
  /// Workers lost within so long that had not taken a rank up yet count as one.
  package static let strikeInterval: Duration = .seconds(1)

  // Time.
  /// A coordinator's loop looks at its clock this often, whatever happens.
  package static let tickInterval: Duration = .milliseconds(50)
  package static let heartbeatInterval: Duration = .milliseconds(100)
  /// Workers of a job without protection send a sign of life this often.
  package static let quietBeatInterval: Duration = .seconds(5)
  /// A worker silent for so long is lost.
  package static let heartbeatTimeout: Duration = .milliseconds(900)
  /// Compute threads that have work and get nothing done for so long hang; three times what a slow
  /// tile takes if that is longer.
  package static let hangTimeout: Duration = .milliseconds(1_800)
  /// No tile is believed to take longer.
  package static let slowTileMaximum: Duration = .seconds(600)
  /// What workers have to come back to a coordinator that was restarted.
  package static let rejoinTimeout: Duration = .seconds(3)
  /// The same for workers that say a word only every `quietBeatInterval`.
  package static let quietRejoinTimeout: Duration = quietBeatInterval + rejoinTimeout
  /// A worker whose connection broke and can't be made again within so long is lost.
  package static let reconnectTimeout: Duration = .milliseconds(50)
  /// The same where the connection is there, and the worker hasn't said yet what it speaks.
  package static let handshakeTimeout: Duration = .milliseconds(500)
  /// A worker whose connection broke and that doesn't come back for so long is taken for dead.
  package static let returnTimeout: Duration = .seconds(5)
  /// A mesh that was empty waits so long for more workers, after each that joins, before a job is cut
  /// for those who are here; and so long at most.
  package static let settlingTime: Duration = .milliseconds(300)
  package static let settlingMaximum: Duration = .seconds(2)
  /// Jobs wait so long for as many workers as there should be, and then begin with those who are here.
  package static let workersMinimumTimeout: Duration = .seconds(60)
  /// Workers without ranks are looked for this often.
  package static let balanceInterval: Duration = .seconds(1)
  /// A rank that was stopped for a hand-over and isn't copied after so long folds on where it is.
  package static let handOverTimeout: Duration = .seconds(5)
  /// It is asked to be handed over again after so long.
  package static let handOverInterval: Duration = .seconds(10)
  /// What a worker that was told to end waits to be relieved.
  package static let drainTimeout: Duration = .seconds(60)
  /// A holder that answers nothing for so long is asked again, or another.
  package static let copyTimeout: Duration = .seconds(1)
  /// Times that the last holder of a copy is asked again, and that one is tried again which can't be
  /// reached before a checkpoint has to do for a hand-over.
  package static let copyRepeatsMaximum = 3
  /// A holder whose connection broke again before it had a copy is tried after so long, and after
  /// twice as long each further time.
  package static let holderRetryInterval: Duration = .milliseconds(250)
  package static let holderRetryIntervalMaximum: Duration = .seconds(4)
  /// A peer to which a connection isn't there after so long counts as unreachable.
  package static let reachTimeout: Duration = .seconds(2)
  /// A disk that failed is tried again after so long.
  package static let slotRetryInterval: Duration = .seconds(10)
  /// A checkpoint that a disk hasn't written or read after so long, and what its bytes take at
  /// `slotRateMinimum`, isn't waited for: a disk may block for ever without an error.
  package static let slotTimeout: Duration = .seconds(10)
  /// Bytes a second; a slower disk is as good as none.
  package static let slotRateMinimum = 16 << 20
  /// A commit that failed is tried again after so long.
  package static let commitRetryInterval: Duration = .milliseconds(500)
  /// A coordinator whose own loop was late by so much doubts itself before it doubts a worker.
  package static let loopLagMaximum: Duration = .milliseconds(200)
  /// An answer is waited for at least so long before its question is taken for lost.
  package static let answerTimeoutMinimum: Duration = .milliseconds(500)
  /// A pull that brought nothing for so long, or for what answers usually take if that is less, goes
  /// to the next source.
  package static let pullTimeout: Duration = .seconds(5)
  /// A tile that isn't computed yet is asked for again after so long.
  package static let laterInterval: Duration = .seconds(1)
  /// A copy that somebody waits for is asked for again after so long.
  package static let passInterval: Duration = .milliseconds(500)
  /// Who may wait for copies of a worker's ranks at a time.
  package static let passWaitersMaximum = 4_096
  /// Travelling accumulators that a rank publishes before readers have passed some.
  package static let outboxTiles = 8
  /// After the input store refused a tile, it is asked for again after so long.
  package static let pullRetryInterval: Duration = .milliseconds(250)
  /// A store that hasn't sent a piece of a block map after so long is asked for it again.
  package static let blocksTimeout: Duration = .seconds(1)
  /// Refusals in a row of a result that arrives damaged before the job is given up, and tries of a
  /// copy before its holder is left alone until the next one; times that a block map isn't the sealed one.
  package static let refusalsMaximum = 8
  package static let resultTimeout: Duration = .seconds(5)
  /// An upload that brought nothing for so long is given up and its bytes are freed.
  package static let uploadTimeout: Duration = .seconds(60)
  package static let callTimeMaximum: Duration = .seconds(3_600)

  /// What is published is replaced this often.
  package static let publishInterval: Duration = .milliseconds(100)
  /// A loop that has published nothing for so long isn't healthy.
  package static let publishTimeout: Duration = .seconds(5)
  /// Nor is a coordinator whose state has waited for the disk for so long.
  package static let commitTimeout: Duration = .seconds(30)
  /// What an HTTP client has for its request, and for taking the answer.
  package static let httpTimeout: Duration = .seconds(5)
  /// An HTTP connection that asks nothing for so long is closed.
  package static let httpIdleTimeout: Duration = .seconds(30)
}
