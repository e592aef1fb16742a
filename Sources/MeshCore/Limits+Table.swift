extension Limits {
  /// One bound, for people and programs.
  package struct Bound: Sendable {
    /// As in the code.
    package let name: String
    package let value: Double
    package let unit: String
    package let meaning: String

    init(_ name: String, _ value: Int, _ unit: String, _ meaning: String) {
      self.init(name, Double(value), unit, meaning)
    }

    init(_ name: String, _ value: Duration, _ meaning: String) {
      self.init(name, value.seconds, "s", meaning)
    }

    init(_ name: String, _ value: Double, _ unit: String, _ meaning: String) {
      self.name = name
      self.value = value
      self.unit = unit
      self.meaning = meaning
    }
  }

  /// The bounds that an operator meets first, on one line.
  package static var summary: String {
    "\(workersMaximum) workers, \(vranksMaximum) virtual ranks, \(jobsMaximum) jobs, "
      + "\(queuedJobsPerClientMaximum) a client, frames of \(bytes(controlFrameBytesMaximum)) and "
      + "\(bytes(dataFrameBytesMaximum)), a worker is lost after \(heartbeatTimeout.seconds) s; "
      + "`attnmesh limits` lists all"
  }

  /// Every bound there is.
  package static var table: [Bound] {
    shapes + frames + keys + queues + published + windows + protection + times
  }

  private static var shapes: [Bound] {
    [
      Bound("tokensMaximum", tokensMaximum, "tokens", "of the queries, or the keys, of a job"),
      Bound("headDimensionMaximum", headDimensionMaximum, "elements", "of one head's row"),
      Bound("headsMaximum", headsMaximum, "heads", "of a tensor, times its batch"),
      Bound("vranksMaximum", vranksMaximum, "virtual ranks", "of a job"),
      Bound(
        "blockMapBytesMaximum", blockMapBytesMaximum, "bytes",
        "of a job's block map, a bit for each block"),
      Bound(
        "blockMapsBytesMaximum", blockMapsBytesMaximum, "bytes",
        "of the block maps of all jobs that aren't over"),
      Bound("workersMaximum", workersMaximum, "workers", "of a mesh"),
      Bound("workerMemoryMinimum", workerMemoryMinimum, "bytes", "that a worker is to have"),
      Bound("quotaMinimum", quotaMinimum, "bytes", "that a store is to have"),
    ]
  }

  private static var frames: [Bound] {
    [
      Bound(
        "controlFrameBytesMaximum", controlFrameBytesMaximum, "bytes", "of a control message"),
      Bound(
        "payloadBytesMaximum", payloadBytesMaximum, "bytes",
        "of rows in one message of a tile or state"),
      Bound("dataFrameBytesMaximum", dataFrameBytesMaximum, "bytes", "of a payload frame"),
      Bound("textBytesMaximum", textBytesMaximum, "bytes", "of a text; longer ones are cut"),
      Bound("nameBytesMaximum", nameBytesMaximum, "bytes", "of a name"),
    ]
  }

  private static var keys: [Bound] {
    [
      Bound("keysMaximum", keysMaximum, "keys", "that are admitted"),
      Bound("keyFileBytesMaximum", keyFileBytesMaximum, "bytes", "of a key file or list of keys"),
    ]
  }

  private static var published: [Bound] {
    [
      Bound("jobsPublishedMaximum", jobsPublishedMaximum, "jobs", "on the live page"),
      Bound("runsPublishedMaximum", runsPublishedMaximum, "jobs", "on it with their ranks"),
      Bound("eventsPublishedMaximum", eventsPublishedMaximum, "events", "on the live page"),
      Bound(
        "departedPublishedMaximum", departedPublishedMaximum, "workers", "on it that have gone"),
      Bound(
        "meteredWorkersMaximum", meteredWorkersMaximum, "workers", "whose counters are kept"),
      Bound("httpConnectionsMaximum", httpConnectionsMaximum, "connections", "of HTTP"),
      Bound("httpHeadBytesMaximum", httpHeadBytesMaximum, "bytes", "of an HTTP request"),
      Bound("httpDrainBytesMaximum", httpDrainBytesMaximum, "bytes", "read of a refused one"),
      Bound("publishInterval", publishInterval, "between two reports of a loop"),
      Bound("publishTimeout", publishTimeout, "without a report: not healthy"),
      Bound("commitTimeout", commitTimeout, "that a commit waits for the disk: not healthy"),
      Bound("httpTimeout", httpTimeout, "for an HTTP request, and for taking its answer"),
      Bound("httpIdleTimeout", httpIdleTimeout, "until a silent HTTP connection is closed"),
    ]
  }

  private static var queues: [Bound] {
    [
      Bound(
        "jobsMaximum", jobsMaximum, "jobs", "that wait, run or have a result, at a coordinator"),
      Bound(
        "jobsKnownMaximum", jobsKnownMaximum, "jobs",
        "known to a coordinator, with those without a result"),
      Bound(
        "queuedJobsPerClientMaximum", queuedJobsPerClientMaximum, "jobs",
        "of one client, waiting or running"),
      Bound("parkedCallsMaximum", parkedCallsMaximum, "calls", "that wait for events"),
      Bound(
        "parkedCallsPerClientMaximum", parkedCallsPerClientMaximum, "calls",
        "of one client that wait for events"),
      Bound(
        "callersKeptMaximum", callersKeptMaximum, "connections", "of clients that can be replied to"
      ),
      Bound(
        "eventsKeptMaximum", eventsKeptMaximum, "events", "kept at least, with --store on disk too"),
      Bound("jobsPerPageMaximum", jobsPerPageMaximum, "jobs", "in one reply; more are asked for"),
      Bound(
        "candidatesToldMaximum", candidatesToldMaximum, "jobs",
        "told that the beginning of an id may mean"),
      Bound("lostWorkersKeptMaximum", lostWorkersKeptMaximum, "workers", "told of as lost"),
      Bound("lostWorkersKept", lostWorkersKept, "for which a lost worker is told of"),
      Bound("eventsPerReplyMaximum", eventsPerReplyMaximum, "events", "in one reply"),
      Bound("alarmsToldMaximum", alarmsToldMaximum, "alarms", "told by status"),
      Bound("cordonsKeptMaximum", cordonsKeptMaximum, "workers", "whose cordons are remembered"),
      Bound("repliesKeptMaximum", repliesKeptMaximum, "replies", "kept for calls that come again"),
      Bound("fencedKeptMaximum", fencedKeptMaximum, "workers", "remembered to have hung"),
      Bound(
        "mailboxEventsMaximum", mailboxEventsMaximum, "notices", "between two threads of a process"),
    ]
  }

  private static var windows: [Bound] {
    [
      Bound("windowTiles", windowTiles, "K/V tiles", "fetched ahead of a virtual rank"),
      Bound(
        "windowBytes", windowBytes, "bytes",
        "of packed tiles in it; of larger tiles it has one, packed a head at a time"),
      Bound(
        "groupedTilesMaximum", groupedTilesMaximum, "tiles",
        "of a job whose heads are cut, so that small sequences use all workers"),
      Bound("pullBytesMaximum", pullBytesMaximum, "bytes", "of a tile asked for at once"),
      Bound("pullPartsMaximum", pullPartsMaximum, "messages", "of a tile asked for at once"),
      Bound(
        "outboxTiles", outboxTiles, "accumulators",
        "that a rank hands on before the copies of who reads them have passed some"),
      Bound(
        "passWaitersMaximum", passWaitersMaximum, "ranks", "that wait for copies of a worker's"),
      Bound("tilesPerFold", tilesPerFold, "K/V tiles", "given to compute threads at once"),
      Bound(
        "foldsOutstanding", foldsOutstanding, "folds", "given to compute threads, not yet done"),
      Bound(
        "storeCreditBytes", storeCreditBytes, "bytes", "asked of the input store, not yet here"),
      Bound(
        "storePullsOutstanding", storePullsOutstanding, "tiles",
        "asked of the input store, not yet here"),
      Bound(
        "resultMessagesOutstanding", resultMessagesOutstanding, "messages",
        "of a result, sent and not acknowledged"),
      Bound(
        "copyMessagesOutstanding", copyMessagesOutstanding, "messages",
        "of a copy, sent or asked for and not answered"),
      Bound(
        "copyMessagesPerReceipt", copyMessagesPerReceipt, "messages", "of a copy in one receipt"),
      Bound("recoveriesKeptMaximum", recoveriesKeptMaximum, "recoveries", "told of a job"),
      Bound("participantsMaximum", participantsMaximum, "workers", "told of a job"),
      Bound(
        "effectsHeldMaximum", effectsHeldMaximum, "effects", "that wait for the journal's disk"),
    ]
  }

  private static var protection: [Bound] {
    [
      Bound(
        "copyCostMaximum", copyCostMaximum, "of compute time", "that copies may take"),
      Bound("copiesOfARankMinimum", copiesOfARankMinimum, "copies", "of a virtual rank, at least"),
      Bound(
        "strikesMaximum", strikesMaximum, "workers",
        "lost in a row at a rank that doesn't get on, before its job fails"),
      Bound(
        "strikesKeptMaximum", strikesKeptMaximum, "workers",
        "lost at a virtual rank that are remembered"),
      Bound("strikeInterval", strikeInterval, "within which several losses count as one"),
    ]
  }

  private static var times: [Bound] {
    [
      Bound("tickInterval", tickInterval, "between two looks of a loop at its clock"),
      Bound("heartbeatInterval", heartbeatInterval, "between two heartbeats"),
      Bound("quietBeatInterval", quietBeatInterval, "the same, of jobs without protection"),
      Bound("heartbeatTimeout", heartbeatTimeout, "of silence, after which a worker is lost"),
      Bound("hangTimeout", hangTimeout, "without a fold done, after which a worker hangs"),
      Bound("slowTileMaximum", slowTileMaximum, "that a tile is believed to take"),
      Bound("rejoinTimeout", rejoinTimeout, "for workers to come back to a restarted coordinator"),
      Bound("quietRejoinTimeout", quietRejoinTimeout, "the same, without protection"),
      Bound("reconnectTimeout", reconnectTimeout, "to make a worker's broken connection again"),
      Bound("handshakeTimeout", handshakeTimeout, "the same, once it is reached"),
      Bound("returnTimeout", returnTimeout, "until a worker whose connection broke counts as dead"),
      Bound("settlingTime", settlingTime, "that an empty mesh waits after each worker that joins"),
      Bound("settlingMaximum", settlingMaximum, "the same, at most"),
      Bound(
        "workersMinimumTimeout", workersMinimumTimeout, "that jobs wait for --min-workers"),
      Bound("balanceInterval", balanceInterval, "between two looks for workers without ranks"),
      Bound("handOverTimeout", handOverTimeout, "until a stopped rank that isn't copied goes on"),
      Bound("handOverInterval", handOverInterval, "until it is asked again"),
      Bound("drainTimeout", drainTimeout, "that a worker which is to end waits to be relieved"),
      Bound("copyTimeout", copyTimeout, "until a silent holder is asked again"),
      Bound(
        "copyRepeatsMaximum", copyRepeatsMaximum, "times", "that the last holder is asked again"),
      Bound("holderRetryInterval", holderRetryInterval, "until a broken holder is tried again"),
      Bound("holderRetryIntervalMaximum", holderRetryIntervalMaximum, "the same, at last"),
      Bound("reachTimeout", reachTimeout, "to connect to a peer, after which it is unreachable"),
      Bound("slotRetryInterval", slotRetryInterval, "until a disk that failed is tried again"),
      Bound("slotTimeout", slotTimeout, "that a checkpoint is waited for, beside its bytes"),
      Bound("slotRateMinimum", slotRateMinimum, "bytes/s", "of a disk that is waited for"),
      Bound("commitRetryInterval", commitRetryInterval, "until a failed commit is tried again"),
      Bound("loopLagMaximum", loopLagMaximum, "beyond which a late coordinator doubts itself"),
      Bound("answerTimeoutMinimum", answerTimeoutMinimum, "until a question counts as lost"),
      Bound("pullTimeout", pullTimeout, "until a tile is asked of another source"),
      Bound("laterInterval", laterInterval, "until a tile that is computed is asked for again"),
      Bound("passInterval", passInterval, "until a copy that is waited for is asked for again"),
      Bound("pullRetryInterval", pullRetryInterval, "until the input store is asked again"),
      Bound("blocksTimeout", blocksTimeout, "until a piece of a block map is asked for again"),
      Bound(
        "refusalsMaximum", refusalsMaximum, "refusals",
        "in a row of a damaged result, copy or block map"),
      Bound("resultTimeout", resultTimeout, "until a result is sent again"),
      Bound("uploadTimeout", uploadTimeout, "without a byte, after which an upload is given up"),
      Bound("callTimeMaximum", callTimeMaximum, "that a call may take"),
    ]
  }
}
