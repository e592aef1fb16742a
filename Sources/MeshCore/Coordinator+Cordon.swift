/// Workers that keep what they have and are given nothing new.
extension Coordinator {
  mutating func cordon(
    _ name: String, isLifted: Bool, by client: String, ticket: Ticket, at now: Duration,
    into effects: inout [Effect]
  ) {
    let place = members.firstIndex { $0.name == name }
    // One that is away may be let in again, but nobody can be meant who was never here.
    guard place != nil || cordons.decision(on: name) == true else {
      return reply(.failure(unknownWorker(name)), to: ticket, into: &effects)
    }
    let isCordoned = place.map { members[$0].isCordoned } ?? true
    guard cordons.decide(name, !isLifted) else {
      let failure = CallFailure(
        .resourceExhausted, "\(Limits.cordonsKeptMaximum) workers are cordoned already")
      return reply(.failure(failure), to: ticket, into: &effects)
    }
    if isCordoned == isLifted {
      observe(
        Observation(
          isLifted ? .workerUncordoned : .workerCordoned, worker: name, detail: "asked by \(client)"
        ), at: now, into: &effects)
    }
    if let place {
      members[place].isCordoned = !isLifted
      let worker = members[place].id
      effects.append(.send(.cordon(!isLifted, term: configuration.term), to: worker))
      if isLifted { employ(worker, at: now, into: &effects) }
    }
    reply(.success(.workers(workerList(at: now))), to: ticket, into: &effects)
  }

  /// A message may be lost, and a worker may come with what an earlier coordinator told it.
  func cordonAgain(
    _ worker: WorkerID, unless beat: WorkerMessage.Heartbeat, into effects: inout [Effect]
  ) {
    guard let member = members.first(where: { $0.id == worker }),
      member.isCordoned != beat.isCordoned
    else { return }
    effects.append(.send(.cordon(member.isCordoned, term: configuration.term), to: worker))
  }

  func unknownWorker(_ name: String) -> CallFailure {
    let names = members.map(\.name).sorted(by: naturalOrder)
    let shown = names.prefix(8).joined(separator: ", ") + (names.count > 8 ? ", …" : "")
    let those = names.isEmpty ? "there are none" : "there are \(shown)"
    return CallFailure(.notFound, "no worker named \(name) here; \(those): see `attnmesh workers`")
  }
}

/// What this coordinator was told about workers, by name: it holds for whoever comes under the name,
/// and over what the worker heard of a coordinator before.
struct Cordons: Sendable {
  private var decisions: [(name: String, isCordoned: Bool)] = []

  /// nil when nobody has asked for anything.
  func decision(on name: String) -> Bool? { decisions.first { $0.name == name }?.isCordoned }

  /// - Returns: false when there is no room. A cordon is never forgotten; that one was lifted is, the
  ///   oldest first.
  mutating func decide(_ name: String, _ isCordoned: Bool) -> Bool {
    let others = decisions.filter { $0.name != name }
    guard others.count < Limits.cordonsKeptMaximum else {
      guard let oldest = others.firstIndex(where: { !$0.isCordoned }) else { return !isCordoned }
      decisions = others
      decisions.remove(at: oldest)
      decisions.append((name, isCordoned))
      return true
    }
    decisions = others + [(name, isCordoned)]
    return true
  }
}
