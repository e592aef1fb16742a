import MeshCore
import Testing

/// What happened, read from a position.
@Suite struct EventLogTests {
  private func read(
    _ mesh: CoordinatorHarness, after: UInt64, job: JobID? = nil, id: UInt64? = nil
  ) -> EventsReply? {
    mesh.call(.events(EventsRequest(after: after, job: job)), as: .viewer, id: id)?.events
  }

  @Test("events are numbered from 1, read from a cursor, and filtered by job")
  func cursor() throws {
    let mesh = CoordinatorHarness()
    mesh.join(1, 2)
    let job = try #require(mesh.queue())
    let other = try #require(mesh.submit())
    let all = try #require(read(mesh, after: 0))
    #expect(all.events.map(\.sequence) == Array(1...UInt64(all.events.count)))
    #expect(all.missed == 0 && all.next == UInt64(all.events.count))
    #expect(all.events.map(\.observation) == mesh.observed)
    let rest = try #require(read(mesh, after: 2))
    #expect(rest.events == Array(all.events.dropFirst(2)))
    let mine = try #require(read(mesh, after: 0, job: job))
    #expect(mine.events.map(\.observation.kind) == [.jobSubmitted, .jobQueued, .jobStarted])
    #expect(mine.next == all.next)
    let others = try #require(read(mesh, after: 0, job: other))
    #expect(others.events.map(\.observation.kind) == [.jobSubmitted])
  }

  @Test("a call without events is parked: answered by the next one, or before its deadline")
  func parking() throws {
    let mesh = CoordinatorHarness()
    mesh.join(1)
    #expect(read(mesh, after: 1, id: 5) == nil)
    mesh.send(.tick)
    #expect(mesh.reply(to: 5) == nil)
    mesh.join(2)
    #expect(mesh.reply(to: 5)?.events?.events.map(\.sequence) == [2])

    #expect(read(mesh, after: 2, id: 6) == nil)
    // Anything may remind the coordinator of the time; a late tick would be an event itself.
    mesh.now += .seconds(29)
    mesh.call(.list)
    #expect(mesh.reply(to: 6) == nil)
    mesh.now += .milliseconds(900)
    mesh.call(.list)
    let empty = try #require(mesh.reply(to: 6)?.events)
    #expect(empty.events.isEmpty && empty.next == 2 && empty.missed == 0)
    mesh.send(.tick)
    #expect(mesh.reply(to: 6) == nil)
  }

  @Test("a caller that asks again under its id still waits once")
  func parkingOnce() {
    let mesh = CoordinatorHarness()
    for _ in 0..<2 * Limits.parkedCallsMaximum { #expect(read(mesh, after: 0, id: 5) == nil) }
    mesh.join(1)
    let replies = mesh.effects.count { if case .reply = $0 { true } else { false } }
    #expect(replies == 1)
  }

  @Test("events dropped before they were read are counted, and a page is bounded")
  func missed() throws {
    let mesh = CoordinatorHarness()
    let rounds = 2 * Limits.eventsKeptMaximum
    for _ in 0..<rounds {
      mesh.join(1)
      mesh.send(.message(.goodbye, from: WorkerID(incarnation: 1)))
    }
    let page = try #require(read(mesh, after: 10))
    let first = try #require(page.events.first?.sequence)
    #expect(page.missed == first - 11 && page.missed > 0)
    #expect(page.events.count == Limits.eventsPerReplyMaximum)
    var (position, count) = (page.next, page.events.count)
    while position < UInt64(2 * rounds) {
      let more = try #require(read(mesh, after: position))
      #expect(more.missed == 0 && more.events.first?.sequence == position + 1)
      position = more.next
      count += more.events.count
    }
    #expect(UInt64(count) == UInt64(2 * rounds) - first + 1)
  }

  @Test("a position beyond the end waits for what comes next", arguments: [3, UInt64.max])
  func beyondTheEnd(after: UInt64) {
    let mesh = CoordinatorHarness()
    mesh.join(1)
    #expect(read(mesh, after: after, id: 5) == nil)
    mesh.now += .milliseconds(29_900)
    mesh.call(.list)
    let empty = mesh.reply(to: 5)?.events
    #expect(empty?.events.isEmpty == true && empty?.missed == 0 && empty?.next == 1)
    #expect(read(mesh, after: after, id: 6) == nil)
    mesh.call(.list)
    mesh.join(2)
    #expect(mesh.reply(to: 6)?.events?.events.map(\.sequence) == [2])
  }

  @Test("only so many calls are parked, and of one client fewer")
  func bounded() {
    let mesh = CoordinatorHarness()
    let wait = CallRequest.events(EventsRequest(after: 0, job: nil))
    let (all, own) = (Limits.parkedCallsMaximum, Limits.parkedCallsPerClientMaximum)
    for number in 0..<all {
      #expect(mesh.call(wait, client: "c\(number / own)") == nil)
    }
    let greedy = mesh.call(wait, client: "c0")
    #expect(greedy?.code == .resourceExhausted)
    #expect(greedy?.message.contains("\(own) calls of c0 wait") == true)
    let late = mesh.call(wait, client: "another")
    #expect(late?.code == .resourceExhausted)
    #expect(late?.message.contains("\(all) calls wait") == true)
    // What needn't wait is answered all the same.
    mesh.join(1)
    #expect(read(mesh, after: 0)?.events.isEmpty == false)
    for number in 0..<own { #expect(read(mesh, after: 1, id: UInt64(10_000 + number)) == nil) }
    #expect(read(mesh, after: 0)?.events.isEmpty == false)
  }
}
