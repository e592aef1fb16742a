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
    let keys = (refused.keys.count == 1 ? "key " : "keys ") + refused.keys.joined(separator: " ")
    perform(
      .noted(
        Observation(.accessRefused, detail: "\(counted(refused.count, "connection")), \(keys)")))
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
