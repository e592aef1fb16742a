/// Replies to calls that change something, kept so that a retry under the same request id gets the
/// reply of the first try instead of a second effect.
struct ReplyCache: Sendable {
  private struct Entry: Sendable {
    let id: RequestID
    let request: CallRequest
    var outcome: CallOutcome?
    var tickets: [Coordinator.Ticket]
  }

  private var entries: [Entry] = []

  enum Admission {
    /// First seen: do it, and call `finish` with the outcome.
    case new
    /// The reply of the first try.
    case repeated(CallOutcome)
    /// The first try is still under way; its reply goes to this ticket as well.
    case joined
    /// The id was used for something else.
    case conflict
  }

  mutating func admit(
    _ request: CallRequest, ticket: Coordinator.Ticket
  ) -> Admission {
    guard let index = entries.firstIndex(where: { $0.id == ticket.request }) else {
      if entries.count >= Limits.repliesKeptMaximum,
        let oldest = entries.firstIndex(where: { $0.outcome != nil })
      {
        entries.remove(at: oldest)
      }
      entries.append(Entry(id: ticket.request, request: request, outcome: nil, tickets: [ticket]))
      return .new
    }
    guard entries[index].request == request else { return .conflict }
    if let outcome = entries[index].outcome { return .repeated(outcome) }
    if !entries[index].tickets.contains(ticket), entries[index].tickets.count < 8 {
      entries[index].tickets.append(ticket)
    }
    return .joined
  }

  /// The reply that an earlier coordinator gave, or would have given.
  mutating func remember(_ request: CallRequest, id: RequestID, _ outcome: CallOutcome) {
    // Of two jobs that were tried under one id the later one counts.
    entries.removeAll { $0.id == id }
    if entries.count >= Limits.repliesKeptMaximum { entries.removeFirst() }
    entries.append(Entry(id: id, request: request, outcome: outcome, tickets: []))
  }

  /// Whether a call is under way or kept under this id.
  func holds(_ request: RequestID) -> Bool { entries.contains { $0.id == request } }

  /// Keeps the outcome; returns everyone who waits for it.
  mutating func finish(_ ticket: Coordinator.Ticket, _ outcome: CallOutcome) -> [Coordinator.Ticket]
  {
    guard let index = entries.firstIndex(where: { $0.id == ticket.request }) else {
      return [ticket]
    }
    // A call that may be retried must not be answered for ever by one bad moment.
    if case .failure(let failure) = outcome,
      failure.code == .unavailable || failure.code == .resourceExhausted
    {
      return entries.remove(at: index).tickets
    }
    entries[index].outcome = outcome
    defer { entries[index].tickets = [] }
    return entries[index].tickets
  }
}

/// A call that waits for something to happen.
struct ParkedCall: Sendable {
  var request: EventsRequest
  let ticket: Coordinator.Ticket
  let client: String
  /// Whose jobs' events it may see; nil for all.
  let owner: String?
  let until: Duration
}
