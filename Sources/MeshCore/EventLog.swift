/// An observation with its place in the coordinator's log.
package struct RecordedEvent: Hashable, Sendable {
  /// Goes up by 1. A coordinator with a store goes on from the last one that it finds there.
  package var sequence: UInt64
  /// Since the coordinator started; below 0 for what an earlier one saw.
  package var seconds: Double
  /// Seconds since 1970.
  package var wallSeconds: Double
  package var observation: Observation

  package init(sequence: UInt64, seconds: Double, wallSeconds: Double, observation: Observation) {
    self.sequence = sequence
    self.seconds = seconds
    self.wallSeconds = wallSeconds
    self.observation = observation
  }
}

/// The last events, with numbers that never repeat.
package struct EventLog: Sendable {
  private var events: [RecordedEvent] = []
  private var last: UInt64 = 0
  private let term: UInt64
  /// Number of the last event of earlier coordinators.
  private let inherited: UInt64

  /// - Parameter earlier: what is left of earlier coordinators' events, in order and without gaps.
  package init(term: UInt64 = 0, earlier: [RecordedEvent] = []) {
    self.term = term
    events = earlier.suffix(Limits.eventsKeptMaximum)
    last = earlier.last?.sequence ?? 0
    inherited = last
  }

  mutating func append(_ observation: Observation, at now: Duration, wallSeconds: Double) {
    last += 1
    events.append(
      RecordedEvent(
        sequence: last, seconds: now.seconds, wallSeconds: wallSeconds, observation: observation))
    if events.count >= 2 * Limits.eventsKeptMaximum {
      events.removeFirst(events.count - Limits.eventsKeptMaximum)
    }
  }

  /// The newest events without those that come in great number and say little, oldest first.
  func last(_ count: Int) -> [RecordedEvent] {
    var found: [RecordedEvent] = []
    for event in events.reversed() where !event.observation.kind.isMinor {
      guard found.count < count else { break }
      found.append(event)
    }
    return found.reversed()
  }

  /// All that are kept and come after this one.
  func all(after sequence: UInt64) -> ArraySlice<RecordedEvent> {
    events.suffix(Int(last - min(sequence, last)))
  }

  /// The last events that tell of trouble, the newest last.
  func alarms() -> [RecordedEvent] {
    events.reversed().lazy.filter { $0.observation.kind.level <= .warning }
      .prefix(Limits.alarmsToldMaximum).reversed()
  }

  /// Events after a position, at most `Limits.eventsPerReplyMaximum`.
  ///
  /// - Parameter isVisible: whether the caller may see what happened to a job.
  func read(_ request: EventsRequest, isVisible: (JobID?) -> Bool = { _ in true }) -> EventsReply {
    let oldest = events.first?.sequence ?? last + 1
    // What an earlier coordinator had beyond that is lost, and its numbers are given again.
    let isOwn = request.term == 0 || request.term == term
    let after = isOwn ? request.after : min(request.after, inherited)
    // Any number may be asked for, also the largest there is.
    let missed = after < oldest - 1 ? oldest - 1 - after : 0
    var found: [RecordedEvent] = []
    var next = min(max(after, oldest - 1), last)
    for event in events.suffix(Int(last - next)) {
      guard found.count < Limits.eventsPerReplyMaximum else { break }
      next = event.sequence
      guard request.job == nil || event.observation.job == request.job,
        isVisible(event.observation.job)
      else { continue }
      found.append(event)
    }
    return EventsReply(events: found, next: next, missed: missed, term: term)
  }
}
