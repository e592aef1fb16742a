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
    mesh.call(.list())
    #expect(mesh.reply(to: 6) == nil)
    mesh.now += .milliseconds(900)
    mesh.call(.list())
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
    mesh.call(.list())
    let empty = mesh.reply(to: 5)?.events
    #expect(empty?.events.isEmpty == true && empty?.missed == 0 && empty?.next == 1)
    #expect(read(mesh, after: after, id: 6) == nil)
    mesh.call(.list())
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

  @Test("events have the time of day, by the clock as it is now")
  func timeOfDay() throws {
    let mesh = CoordinatorHarness()
    mesh.join(1)
    // The clock is set.
    mesh.send(.clock(1e9))
    mesh.join(2)
    let events = try #require(read(mesh, after: 0))
    #expect(events.events.map { $0.wallSeconds.rounded() } == [10, 1e9])
    #expect(abs(events.wallSeconds - 1e9) < 1)
    mesh.send(.clock(.nan))
    #expect(abs((read(mesh, after: 0)?.wallSeconds ?? 0) - 1e9) < 1)
  }

  @Test("a coordinator goes on from what is left of the events of the one before")
  func afterRestart() throws {
    let mesh = CoordinatorHarness()
    mesh.join(1, 2, 3)
    let before = try #require(read(mesh, after: 0))
    #expect(before.events.count == 3 && before.term == 3)
    // The last one didn't get to the disk.
    mesh.restart(term: 4, events: Array(before.events.dropLast()))
    mesh.join(1)
    let all = try #require(read(mesh, after: 0))
    #expect(all.term == 4 && all.events.map(\.sequence) == [1, 2, 3])
    #expect(Array(all.events.prefix(2)) == Array(before.events.prefix(2)))
    #expect(all.events.last?.observation.worker == "worker-1")
    // Whoever had read to the end of the former one misses nothing of this one.
    let request = EventsRequest(after: before.next, job: nil, term: 3)
    let followed = mesh.call(.events(request), as: .viewer)?.events
    #expect(followed?.events.map(\.sequence) == [3] && followed?.missed == 0)
    let here = EventsRequest(after: 3, job: nil, term: 4)
    #expect(mesh.call(.events(here), as: .viewer, id: 5) == nil)
    mesh.join(2)
    #expect(mesh.reply(to: 5)?.events?.events.map(\.sequence) == [4])
    // One without a store begins anew.
    mesh.restart(term: 9)
    mesh.join(1)
    let anew = mesh.call(.events(EventsRequest(after: 4, job: nil, term: 4)), as: .viewer)?.events
    #expect(anew?.events.map(\.sequence) == [1] && anew?.term == 9)
  }

  @Test("a client sees the events of its own jobs, and is woken by those alone")
  func ownEvents() throws {
    let mesh = CoordinatorHarness()
    mesh.join(1)
    let hers = try #require(mesh.submit(client: "alice"))
    _ = try #require(mesh.submit(client: "bob"))
    let all = CallRequest.events(EventsRequest(after: 0, job: nil))
    let told = try #require(mesh.call(all, as: .client, client: "alice")?.events)
    #expect(told.events.map(\.observation.job) == [hers])
    let more = CallRequest.events(EventsRequest(after: told.next, job: nil))
    #expect(mesh.call(more, as: .client, client: "alice", id: 5) == nil)
    _ = try #require(mesh.submit(client: "bob"))
    mesh.join(2)
    #expect(mesh.reply(to: 5) == nil)
    mesh.send(.store(.created(hers)))
    mesh.call(.cancel(hers), client: "alice")
    #expect(mesh.reply(to: 5)?.events?.events.map(\.observation.kind) == [.jobCancelled])
  }
}
