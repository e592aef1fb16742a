internal import MeshCore
internal import MeshWire
internal import ZeroMQ

/// Who is let in, and whom a connection may speak for.
extension CoordinatorLoop {
  func security(of hello: WorkerMessage.Hello) -> SocketSecurity {
    guard let gate, let key = hello.publicKey else { return .none }
    return .client(gate.keys, serverKey: key.text)
  }

  /// Whether a connection may speak for a worker: only with a worker's key, the one under which the
  /// worker said hello.
  func mayAct(
    as worker: WorkerID, _ message: WorkerMessage, _ sender: AllowList.Entry?
  ) -> Bool {
    guard let sender else { return true }
    guard sender.role == .worker else { return false }
    if case .hello(let hello) = message, hello.publicKey != sender.key { return false }
    return workers[worker].map { $0.user == sender.key.text } ?? true
  }

  /// Tells a worker that came with a key of another kind; whoever goes on after that isn't answered.
  func refuse(_ message: WorkerMessage, _ link: [UInt8], _ sender: AllowList.Entry?) {
    guard case .hello = message, let sender else { return }
    let reason =
      sender.role == .worker
      ? "its key isn't the one that its connection proved"
      : "its key is \(withArticle("\(sender.role)"))'s; a worker needs a worker's"
    send(.coordinator(.refused(.permissionDenied, reason: reason)), to: link)
  }

  /// Tells a caller whose key was taken back, on a connection from before: it would wait for an answer.
  /// A worker has been told when the list was read.
  func refuseRevoked(_ frame: ControlFrame, _ link: [UInt8]) {
    guard case .call(let header, _) = frame else { return }
    send(.reply(header.request, .failure(.revokedKey)), to: link)
  }

  /// Once a second: has the list of keys changed? Its disk may be slow, and heartbeats don't wait for it.
  func checkGate() {
    guard let gate, let keyReader, !isReadingKeys, MonotonicClock.now >= nextGateCheck else {
      return
    }
    nextGateCheck = MonotonicClock.now + .seconds(1)
    isReadingKeys = true
    keyReader.run { [notices] in _ = notices.post(.keys(gate.refresh())) }
    // Strangers can't fill the events: what they try is told once a minute, added up.
    guard MonotonicClock.now >= nextRefusalReport, let refused = gate.takeRefusals() else { return }
    nextRefusalReport = MonotonicClock.now + .seconds(60)
    perform(.noted(Observation(.accessRefused, detail: refused)))
  }

  func receive(_ change: AllowGate.Change) {
    isReadingKeys = false
    switch change {
    case .none: break
    case .reread(let count):
      perform(.noted(Observation(.keysChanged, detail: "admitted now: \(counted(count, "key"))")))
    case .unreadable(let reason):
      perform(
        .noted(
          Observation(.keysUnreadable, detail: "\(reason); the list from before stays in force")))
    }
    if let gate { expelRevoked(gate) }
  }

  /// Workers without a key any more are lost at once: nothing they say would be heard.
  func expelRevoked(_ gate: AllowGate) {
    let revoked = workers.filter { $0.value.user != nil && gate.entry($0.value.user) == nil }
    let reason = "its key is no longer admitted"
    for (worker, peer) in revoked.sorted(by: { $0.key < $1.key }) {
      send(.coordinator(.refused(.permissionDenied, reason: reason)), to: peer.link)
      forget(worker)
      perform(.workerExpelled(worker, reason: reason))
    }
  }
}

extension CallFailure {
  /// What somebody is told whose key was good when it connected.
  static var revokedKey: CallFailure {
    CallFailure(
      .unauthenticated,
      "the coordinator no longer admits this key: its line in the --allow file is gone or expired; ask"
        + " the mesh's operator for another key")
  }
}
