internal import MeshCore

/// Messages between processes: what happens to them on the way, and what is made of them on arrival.
extension Simulation {
  /// Puts a message on a connection. It may be lost, doubled, late, or damaged.
  func send(_ message: Message, on number: Int, isForward: Bool) {
    let connection = connections[number]
    guard connection.isOpen else { return }
    let client = Node.worker(connection.client)
    let (from, to) = isForward ? (client, connection.server) : (connection.server, client)
    guard !conditions.isBlocked(from, to) else {
      conditions.disturb(from, to, at: now)
      return
    }
    var message = message
    var copies = 1
    if !isCalm {
      if networkChance.happens(options.network.loss) {
        coverage.add(.fault(.loss))
        return conditions.disturb(from, to, at: now)
      }
      if networkChance.happens(options.network.duplication) {
        coverage.add(.fault(.duplication))
        copies = 2
      }
      if networkChance.happens(options.network.corruption) {
        coverage.add(.fault(.corruption))
        guard let damaged = message.corrupted else {
          return conditions.disturb(from, to, at: now)
        }
        message = damaged
      }
    }
    for _ in 0..<copies {
      let at = arrival(on: number, isForward: isForward, from, to)
      queue.add(.message(message, connection: number, isForward: isForward), at: at)
    }
  }

  private func arrival(on number: Int, isForward: Bool, _ from: Node, _ to: Node) -> Int {
    let network = options.network
    var delay = network.delay + networkChance.below(network.jitter + 1)
    if !isCalm, networkChance.happens(network.longDelays) {
      coverage.add(.fault(.longDelays))
      // One in two is ten times as late, one in four twenty times, and so on.
      var factor = 10
      while factor < 1_000, networkChance.below(2) == 0 { factor *= 2 }
      delay = min(delay * factor, 3 * Time.second)
    }
    var at = now + delay
    if let until = conditions.cloggedUntil(from, to), until > at {
      at = until + delay
    }
    let last = isForward ? connections[number].lastForward : connections[number].lastBackward
    if options.network.isReordering, !isCalm {
      if at < last { coverage.add(.fault(.reordering)) }
    } else {
      at = max(at, last)
    }
    // Somebody's silence is explained until then.
    if at - now > 200 * Time.millisecond { conditions.disturb(from, to, at: at) }
    if isForward {
      connections[number].lastForward = max(last, at)
    } else {
      connections[number].lastBackward = max(last, at)
    }
    return at
  }

  // MARK: Connections

  /// The data connection of a worker to a server; opened when there is none. Where nobody listens it
  /// breaks soon, with whatever was sent on it.
  func connection(of worker: WorkerProcess, to server: Node) -> Int {
    if let known = worker.dataConnections[server.number] { return known }
    let number = connections.count
    connections.append(Connection(kind: .data, client: worker.index, server: server))
    worker.dataConnections[server.number] = number
    if !isReachable(server) {
      connections[number].isOpen = false
      let delay = 10 * Time.millisecond + processChance.below(100 * Time.millisecond)
      queue.add(.closed(connection: number, isAtServer: false), at: now + delay)
    }
    return number
  }

  private func isReachable(_ node: Node) -> Bool {
    switch node {
    case .coordinator: coordinator != nil
    case .worker(let index): workers[index].isAlive || workers[index].isSilent
    }
  }

  func controlConnection(of worker: WorkerProcess) -> Int? {
    if let known = worker.control, connections[known].isOpen { return known }
    guard coordinator != nil else { return nil }
    connections.append(Connection(kind: .control, client: worker.index, server: .coordinator))
    worker.control = connections.count - 1
    return worker.control
  }

  /// Breaks a connection: whatever is under way on it is lost, and both ends hear of it unless they
  /// can't.
  func close(_ number: Int, isSilent: Bool = false) {
    guard connections[number].isOpen else { return }
    connections[number].isOpen = false
    if connections[number].kind == .control {
      conditions.disturb(.worker(connections[number].client), .coordinator, at: now)
    }
    guard !isSilent else { return }
    for isAtServer in [false, true] {
      let delay = Time.millisecond + processChance.below(50 * Time.millisecond)
      queue.add(.closed(connection: number, isAtServer: isAtServer), at: now + delay)
    }
  }

  func noticeClosed(_ number: Int, isAtServer: Bool) {
    let connection = connections[number]
    let client = workers[connection.client]
    if !isAtServer {
      guard client.isAlive, connection.kind == .data,
        client.dataConnections[connection.server.number] == number
      else { return }
      client.dataConnections[connection.server.number] = nil
      if let job = client.job { tellReached(client, connection.server.number, job) }
      guard let id = client.job?.id ?? client.core.fetch?.assignment.job else { return }
      return tell(client, id, .sourceLost(source(connection.server)))
    }
    switch connection.server {
    case .worker(let index):
      if workers[index].isAlive { tell(workers[index], .linkClosed(link(number))) }
    case .coordinator:
      guard connection.kind == .control, let coordinator else { return }
      guard !conditions.isBlocked(client.node, .coordinator) else { return }
      // A worker that opened another connection in the meantime has lost only the old one.
      if client.isAlive, client.control != number { return }
      // Where the process has ended nobody listens any more.
      tell(
        coordinator,
        .workerGone(client.id, reason: "its connection broke", isRefused: !client.isAlive))
    }
  }

  /// A connection through which nothing comes for long breaks, and can't be made again: the shell
  /// keeps on trying.
  func tellReach(_ worker: WorkerProcess) {
    guard let job = worker.job else { return }
    for server in worker.dataConnections.keys.sorted() where server > 0 {
      let peer = workers[server - 1]
      guard
        conditions.isBlocked(worker.node, peer.node) || conditions.isBlocked(peer.node, worker.node)
      else {
        worker.blockedSince[server] = nil
        tellReached(worker, server, job)
        continue
      }
      let since = worker.blockedSince[server] ?? now
      worker.blockedSince[server] = since
      guard now - since >= 300 * Time.millisecond, worker.toldUnreachable.insert(server).inserted
      else { continue }
      coverage.add(.path(.toldUnreachable))
      tell(worker, job.id, .reach(peer.id, false))
    }
  }

  private func tellReached(_ worker: WorkerProcess, _ server: Int, _ job: WorkerJobState) {
    guard worker.toldUnreachable.remove(server) != nil else { return }
    tell(worker, job.id, .reach(workers[server - 1].id, true))
  }

  func source(_ node: Node) -> Worker.Source {
    switch node {
    case .coordinator: .store
    case .worker(let index): .peer(workers[index].id)
    }
  }

  /// A worker's links are numbered by the connection.
  func link(_ connection: Int) -> Worker.Link { Worker.Link(number: UInt64(connection)) }

  func process(of worker: WorkerID) -> WorkerProcess? {
    let index = Int(truncatingIfNeeded: worker.incarnation &- Self.firstIncarnation)
    return workers.indices.contains(index) ? workers[index] : nil
  }

  static var firstIncarnation: UInt64 { 100 }

  // MARK: Arrival

  func arrive(_ message: Message, on number: Int, isForward: Bool) {
    let connection = connections[number]
    guard connection.isOpen else { return }
    let worker = workers[connection.client]
    if !isForward {
      guard worker.isAlive else { return }
      if worker.isPaused {
        worker.backlog.append(.message(message, connection: number, isForward: isForward))
        return
      }
      return receive(message, by: worker, from: source(connection.server))
    }
    switch connection.server {
    case .worker(let index):
      let server = workers[index]
      guard server.isAlive else { return }
      if server.isPaused {
        server.backlog.append(.message(message, connection: number, isForward: isForward))
        return
      }
      receive(message, by: server, on: number)
    case .coordinator:
      guard let coordinator else { return }
      if coordinator.isPaused {
        if !coordinator.isDeaf {
          coordinator.backlog.append(.message(message, connection: number, isForward: isForward))
        }
        return
      }
      receive(message, by: coordinator, from: worker, on: number)
    }
  }

  /// What a peer sends to a worker's data socket.
  private func receive(_ message: Message, by worker: WorkerProcess, on number: Int) {
    let link = link(number)
    switch message {
    case .pull(let pull): tell(worker, pull.job, .pull(pull, from: link))
    case .copy(let header, let state, let isBad):
      if isBad { return tell(worker, header.job, .badCopy(header, from: link)) }
      tell(worker, header.job, .copy(header, from: link, worker.states.add(state)))
      worker.states.clear()
    case .statePull(let pull): tell(worker, pull.job, .statePull(pull, from: link))
    case .passQuestion(let question):
      tell(worker, question.job, .passQuestion(question, from: link))
    default: preconditionFailure("not for a worker's data socket")
    }
  }

  /// What comes back to a worker from a source, or from the coordinator.
  private func receive(_ message: Message, by worker: WorkerProcess, from source: Worker.Source) {
    switch message {
    case .order(let order): tell(worker, .coordinator(order))
    case .answer(let answer, let job, let tile):
      tell(worker, job, .answer(answer, tile, from: source))
    case .passAnswer(let answer):
      tell(worker, answer.job, .passAnswer(answer, from: source))
    case .part(let job, let tile, let part, let payload, let isBad):
      // What the core would pass over must not be kept.
      guard worker.core.run?.job == job, worker.core.run?.takes(part, of: tile) == true else {
        return coverage.add(.refusal(.unaskedPart))
      }
      if isBad { return tell(worker, job, .badPart(tile, from: source)) }
      // Of tiles of the inputs the plan says what they are.
      let bytes = worker.parts.add(payload ?? [])
      tell(worker, job, .part(tile, part: part, from: source, bytes))
      worker.parts.clear()
    case .receipt(let receipt): tell(worker, receipt.job, .receipt(receipt))
    case .blocks(let pull, let bytes, let isBad):
      // What was damaged on its way is asked for again.
      guard !isBad, worker.core.fetch?.takes(pull) == true else { return }
      tell(worker, .blocks(pull, bytes))
    case .copyReceipt(let receipt):
      tell(worker, receipt.job, .copyReceipt(receipt, from: source))
    case .stateAnswer(let answer):
      tell(worker, answer.job, .stateAnswer(answer, from: source))
    case .statePart(let header, let state, let isBad):
      guard worker.core.run?.takes(header, from: source) == true else {
        return coverage.add(.refusal(.unaskedState))
      }
      if isBad { return tell(worker, header.job, .badStatePart(header, from: source)) }
      tell(worker, header.job, .statePart(header, from: source, worker.states.add(state)))
      worker.states.clear()
    default: preconditionFailure("not for a worker")
    }
  }
}
