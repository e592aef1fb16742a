/// A worker that said hello and has not been lost.
struct Member: Sendable {
  let hello: WorkerMessage.Hello
  let joinedAt: Duration
  var lastHeard: Duration
  var residentBytes = 0
  /// Copies in its memory, of the job it works for.
  var held: [WorkerMessage.HeldCopy] = []
  /// Workers of its job that it can't connect to.
  var unreachable: [WorkerID] = []
  /// This coordinator can't connect to where it serves tiles.
  var isUnreachable = false
  /// Keeps what it has, and is given nothing new.
  var isCordoned = false
  /// Is to be relieved of what it hosts, and to go.
  var isDraining = false
  /// It knows that, and has said so.
  var isLeaving = false
  var computation = WorkerMessage.Computation()
  /// Since when its compute threads have got nothing done although they have work.
  var stuckSince: Duration?
  /// When it last told of something done.
  var gotOnAt: Duration?
  var pace = TilePace()
  /// Another worker that came under its name.
  var challenge: Challenge?

  /// Another worker has the name of one that is here, which is asked whether it lives.
  struct Challenge: Sendable {
    let by: WorkerID
    let since: Duration

    /// What is heard later than this was said after the question.
    func isAnswered(_ lastHeard: Duration) -> Bool {
      lastHeard - since >= Limits.answerTimeoutMinimum
    }

    /// Whether a worker that comes has to ask anew: an answer to another may be old.
    func isOver(for worker: WorkerID, _ lastHeard: Duration, at now: Duration) -> Bool {
      by != worker && (isAnswered(lastHeard) || now - since >= Limits.heartbeatTimeout * 2)
    }
  }

  init(hello: WorkerMessage.Hello, lastHeard: Duration) {
    self.hello = hello
    joinedAt = lastHeard
    self.lastHeard = lastHeard
  }

  var id: WorkerID { hello.worker }
  var name: String { hello.name }

  /// As others are told of it.
  var peer: Assignment.Peer {
    Assignment.Peer(worker: id, endpoint: hello.endpoint, publicKey: hello.publicKey)
  }

  /// Whether it may be given ranks.
  var isOpen: Bool { !isDraining && !isCordoned }

  func place(load: Int, ranks: Int = 0) -> Placement.Place {
    Placement.Place(worker: id, machine: hello.machine, load: load, ranks: ranks)
  }
}

/// How long a worker takes to fold a tile of a rank's query tile, over its last few beats.
struct TilePace: Sendable {
  private(set) var secondsPerTile: Double?
  /// Times in a row that it took more than twice what others take.
  var slowCount = 0
  var isReported = false
  private var last: (compute: Double, tiles: Int)?

  /// What was counted so far is no longer comparable.
  mutating func forget() { last = nil }

  /// - Parameter tiles: folded since the job began, weighted by query tiles.
  mutating func note(compute: Double, tiles: Int) -> Bool {
    guard let before = last else {
      last = (compute, tiles)
      return false
    }
    // Three tiles of a rank at least, or chance would speak.
    guard tiles > before.tiles, compute - before.compute >= 0.3 else {
      if tiles < before.tiles { last = (compute, tiles) }
      return false
    }
    secondsPerTile = (compute - before.compute) / Double(tiles - before.tiles)
    last = (compute, tiles)
    return true
  }
}

/// What is done about a worker that takes more than twice as long as the others.
package enum StragglerPolicy: String, Sendable, CaseIterable {
  /// Told in the events.
  case report
  /// Told, and half of what it has left is given to others.
  case rehost
}
