internal import MeshCore

/// Who is at an end of a connection.
enum Node: Hashable, Sendable {
  case coordinator
  case worker(Int)

  /// For drawing what a pair of nodes has to endure.
  var number: Int {
    switch self {
    case .coordinator: 0
    case .worker(let index): index + 1
    }
  }
}

/// A connection between two processes. On one connection order is kept, unless a seed reorders.
struct Connection {
  enum Kind { case control, data }

  let kind: Kind
  /// The worker that opened it.
  let client: Int
  let server: Node
  var isOpen = true
  /// When the last message arrives at the server, and at the client.
  var lastForward = 0
  var lastBackward = 0
}

/// What is on its way, or about to happen.
enum Action {
  case message(Message, connection: Int, isForward: Bool)
  case worker(Int, Worker.Event)
  case coordinator(term: UInt64, Coordinator.Event)
  case store(term: UInt64, StoreWork)
  case tick(Int)
  case coordinatorTick(term: UInt64)
  /// The first piece of work of a worker's compute threads is done.
  case computed(Int, number: Int)
  case persisted(Int, SlotDirectory.Write, started: Int)
  case restoreSlot(Int, VRank, Epoch)
  case committed(term: UInt64)
  case client
  case clientReply(CallOutcome)
  case fault(Int)
  case endOfFault(FaultEnd)
  case startWorker(lineage: Int, keepsDisk: Bool)
  case startCoordinator
  case closed(connection: Int, isAtServer: Bool)
  case heal
}

/// A message between processes.
enum Message {
  // Worker and coordinator.
  case report(WorkerMessage)
  case order(CoordinatorMessage)
  // To a worker's data socket, and back.
  case pull(Pull)
  case answer(PullAnswer, JobID, TileID)
  /// Without a payload for what the store has: that is known.
  case part(JobID, TileID, part: Int, payload: [UInt8]?, isBad: Bool)
  case copy(CopyHeader, StateMessage, isBad: Bool)
  case copyReceipt(CopyReceipt)
  case statePull(StatePull)
  case stateAnswer(StateAnswer)
  case passQuestion(PassQuestion)
  case passAnswer(PassAnswer)
  case statePart(CopyHeader, StateMessage, isBad: Bool)
  // To the store, and back.
  case blocksPull(BlocksPull)
  case blocks(BlocksPull, [UInt8], isBad: Bool)
  case result(VRank, Epoch, message: Int, payload: [UInt8], isBad: Bool)
  case final(VRank, Epoch, payloads: [[UInt8]])
  case receipt(ResultReceipt)

  /// The same with a bit flipped on the way; nil for one that is too short to be anything then.
  var corrupted: Message? {
    switch self {
    case .part(let job, let tile, let part, let payload, _):
      .part(job, tile, part: part, payload: payload, isBad: true)
    case .blocks(let pull, let bytes, _): .blocks(pull, bytes, isBad: true)
    case .copy(let header, let state, _): .copy(header, state, isBad: true)
    case .statePart(let header, let state, _): .statePart(header, state, isBad: true)
    case .result(let vrank, let epoch, let message, let payload, _):
      .result(vrank, epoch, message: message, payload: payload, isBad: true)
    default: nil
    }
  }
}

/// Slow work of the store.
enum StoreWork {
  case command(StoreCommand)
  case event(StoreEvent)
  case verified(VRank, Epoch, payloads: [[UInt8]])
  case finished
}

/// What a fault that lasts leaves behind.
enum FaultEnd {
  case resume(Int)
  case speed(Int)
  case unhang(Int)
  case resumeCoordinator
  case unstall
  case healJournal
  case healDisk(Int)
  case liftCordon(String)
  case unblock(from: Node, to: Node)
  case block(from: Node, to: Node)
  case die(Int)
  /// Every connection breaks, unless faults are over.
  case reset
  /// The process has said goodbye.
  case leave(Int)
}
