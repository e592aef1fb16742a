import MeshCore
import Testing

extension CoordinatorHarness {
  func page(
    _ request: ListRequest = ListRequest(), as role: Role = .operator, client: String = "ann"
  ) -> JobPage {
    guard case .success(.jobs(let page)) = call(.list(request), as: role, client: client) else {
      return JobPage(jobs: [], next: -1, total: -1)
    }
    return page
  }

  /// All pages, the newest job first.
  func pages(_ request: ListRequest) -> [JobPage] {
    var (request, pages): (ListRequest, [JobPage]) = (request, [])
    repeat {
      pages.append(page(request))
      request.before = pages[pages.count - 1].next
    } while request.before > 0 && pages.count < 1_000
    return pages
  }

  /// So many jobs, of as many clients as that takes.
  func submit(count: Int) -> [JobID] {
    (0..<count).compactMap { submit(sampleJob(queries: 10), client: "c\($0 / 60)") }
  }

  /// A job with workers 1 and 2, done.
  func done(client: String = "ann", name: String = "") -> JobID? {
    guard let job = submit(client: client, name: name) else { return nil }
    send(.store(.created(job)))
    call(.start(job), client: client)
    send(.store(.sealed(job, sampleInputs)))
    guard let table, table.job == job else { return nil }
    storeAll(table)
    finish(job)
    return job
  }
}

/// Every job is found, however many there are.
@Suite struct ListingTests {
  @Test("all of many jobs are listed, a page at a time, the newest first")
  func paging() throws {
    let mesh = CoordinatorHarness()
    let jobs = mesh.submit(count: 333)
    #expect(jobs.count == 333)
    let pages = mesh.pages(ListRequest())
    #expect(pages.map(\.jobs.count) == [100, 100, 100, 33])
    #expect(pages.allSatisfy { $0.total == 333 })
    #expect(pages.flatMap(\.jobs).map(\.job) == jobs.reversed())
    let small = mesh.pages(ListRequest(limit: 50))
    #expect(small.flatMap(\.jobs).map(\.job) == jobs.reversed() && small.count == 7)
    for limit in [0, -1, .min, 101, .max] {
      #expect((1...100).contains(mesh.page(ListRequest(limit: limit)).jobs.count), "\(limit)")
    }
    #expect(mesh.page(ListRequest(before: -5)).jobs.count == 100)
  }

  @Test("a page goes on where the last one ended, whatever came and went meanwhile")
  func stable() throws {
    let mesh = CoordinatorHarness()
    let jobs = mesh.submit(count: 30)
    let first = mesh.page(ListRequest(limit: 10))
    _ = try #require(mesh.submit(sampleJob(queries: 10), client: "late"))
    for job in [first.jobs[9].job, jobs[15]] {
      mesh.call(.cancel(job))
      #expect(mesh.call(.remove(job))?.code == .ok)
    }
    let second = mesh.page(ListRequest(before: first.next, limit: 10))
    let expected = jobs.reversed().dropFirst(10).filter { $0 != jobs[15] }.prefix(10)
    #expect(second.jobs.map(\.job) == Array(expected))
  }

  @Test("jobs are listed by state, and by the beginning of an id, among all there are")
  func filters() throws {
    let mesh = CoordinatorHarness()
    let jobs = mesh.submit(count: 250)
    for job in jobs.prefix(3) { mesh.call(.cancel(job)) }
    let cancelled = mesh.page(ListRequest(states: [.cancelled, .done]))
    #expect(cancelled.jobs.map(\.job) == jobs.prefix(3).reversed() && cancelled.total == 3)
    #expect(mesh.page(ListRequest(states: [.failed])) == JobPage(jobs: [], next: 0, total: 0))
    // The oldest is found by its first digits, in capitals too.
    let digits = String("\(jobs[0])".prefix(12))
    for prefix in [digits, digits.uppercased()] {
      #expect(mesh.page(ListRequest(prefix: prefix)).jobs.map(\.job) == [jobs[0]])
    }
    let digit = String(digits.prefix(1))
    let many = mesh.page(ListRequest(limit: 2, prefix: digit))
    #expect(many.total == jobs.count { "\($0)".hasPrefix(digit) } && many.jobs.count == 2)
    #expect(mesh.page(ListRequest(), as: .client, client: "c0").total == 60)
    #expect(mesh.page(ListRequest(prefix: digits), as: .client, client: "c1").total == 0)
  }

  @Test("a job has its name, its time of submit and its deadline, also after a restart")
  func names() throws {
    let mesh = CoordinatorHarness()
    mesh.step = .zero
    let job = try #require(mesh.submit(deadline: 500, name: "nightly 7"))
    let submitted = mesh.now.seconds
    func check(_ line: Int = #line) throws {
      let summary = try #require(mesh.status(job)?.summary)
      #expect(summary.name == "nightly 7" && abs(summary.submittedAt - submitted) < 0.01, "\(line)")
      #expect(abs((summary.deadlineAt ?? 0) - submitted - 500) < 0.01, "\(line)")
      #expect(summary.result == ResultStatus(.none))
    }
    try check()
    mesh.restart(after: .seconds(7))
    try check()
    let plain = try #require(mesh.submit())
    #expect(mesh.status(plain)?.summary.name == "" && mesh.status(plain)?.summary.deadlineAt == nil)
    for name in ["a\nb", String(repeating: "ä", count: 32), "\u{1B}[2J"] {
      let request = SubmitRequest(spec: sampleJob(queries: 10), deadlineSeconds: 0, name: name)
      #expect(mesh.call(.submit(request))?.code == .invalidArgument, "\(name)")
    }
  }
}

/// What becomes of results and jobs that aren't wanted any more.
@Suite struct ResultKeepingTests {
  @Test("a result says until when it is kept, and when and by whom it was discarded")
  func discarded() throws {
    let mesh = CoordinatorHarness()
    mesh.join(1, 2)
    let job = try #require(mesh.done())
    let kept = try #require(mesh.status(job)?.summary.result)
    #expect(kept.state == .kept && abs((kept.at ?? 0) - mesh.now.seconds - 3_600) < 1)
    mesh.call(.discard(job), client: "bob")
    let gone = try #require(mesh.status(job)?.summary.result)
    #expect(gone.state == .discarded && gone.client == "bob")
    #expect(abs((gone.at ?? 0) - mesh.now.seconds) < 1)
    #expect(mesh.observed(.jobDiscarded).map(\.detail) == ["by bob"])
    let refusal = mesh.call(.result(job))
    #expect(refusal?.code == .notFound)
    #expect(refusal?.message.contains("it was discarded by bob at \(utc(gone.at ?? 0))") == true)
    mesh.restart(after: .seconds(60))
    mesh.send(.tick)
    #expect(mesh.status(job)?.summary.result == gone, "it isn't forgotten")
  }

  @Test("a result that nobody fetched says when it expired, and why")
  func expired() throws {
    let mesh = CoordinatorHarness(retention: .seconds(7_200))
    mesh.join(1, 2)
    let job = try #require(mesh.done())
    mesh.now += .seconds(7_201)
    mesh.send(.tick)
    let gone = try #require(mesh.status(job)?.summary.result)
    #expect(gone.state == .expired && gone.client.isEmpty && gone.at != nil)
    let refusal = mesh.call(.result(job))?.message ?? ""
    #expect(refusal.contains("it expired at "))
    #expect(refusal.contains("keeps results for 2 h (--retention)"))
  }

  @Test("a result whose files aren't there is told as missing, until they are")
  func missing() throws {
    let mesh = CoordinatorHarness()
    mesh.join(1, 2)
    let job = try #require(mesh.done())
    mesh.restart()
    mesh.send(.tick)
    let failure = StoreEvent.failed(job, CallFailure(.dataLoss, "it isn't there"))
    mesh.send(.store(failure))
    mesh.send(.store(failure))
    #expect(mesh.status(job)?.summary.result == ResultStatus(.missing))
    #expect(mesh.state(job) == .done && mesh.observed(.resultMissing).count == 1)
    // It is for the store to find out whether it has come meanwhile.
    #expect(mesh.call(.result(job))?.code == .ok)
    mesh.send(.store(.found(job)))
    #expect(mesh.status(job)?.summary.result.state == .kept)
    #expect(mesh.observed(.resultFound).count == 1)
  }

  @Test("a job whose end isn't on disk yet stays until that is told")
  func removedTooEarly() throws {
    let mesh = CoordinatorHarness()
    let job = try #require(mesh.queue())
    mesh.commitsAtOnce = false
    mesh.call(.cancel(job))
    #expect(mesh.call(.remove(job))?.code == .unavailable)
    mesh.commit()
    mesh.commit()
    #expect(mesh.observed(.jobCancelled).map(\.job) == [job])
    #expect(mesh.page().total == 1)
    mesh.commitsAtOnce = true
    #expect(mesh.call(.remove(job))?.code == .ok && mesh.page().total == 0)
  }

  @Test("of more jobs than are kept none goes whose end isn't on disk yet")
  func expiredTooEarly() throws {
    let before = CoordinatorHarness()
    let first = try #require(before.queue())
    let queued = try #require(before.disk[first])
    let ended = (2...2 * Limits.jobsMaximum).map { number in
      var image = queued
      (image.job, image.number) = (JobID(high: 7, low: UInt64(number)), number)
      image.request = RequestID(high: 7, low: UInt64(number))
      (image.state, image.isDiscarded) = (.cancelled, true)
      return image
    }
    let mesh = CoordinatorHarness(
      Coordinator(
        configuration: Coordinator.Configuration(
          term: 5, storeEndpoint: "", diskQuotaBytes: .max, retention: .seconds(3_600), seed: 1,
          wallSeconds: queued.writtenAt),
        images: [queued] + ended, at: .seconds(1)))
    let last = try #require(mesh.submit(sampleJob(queries: 10)))
    mesh.commitsAtOnce = false
    mesh.call(.cancel(first))
    mesh.send(.tick)
    mesh.commit()
    mesh.commit()
    #expect(mesh.observed(.jobCancelled).contains { $0.job == first })
    #expect(mesh.page().total == 2 * Limits.jobsMaximum && mesh.page().jobs.first?.job == last)
  }

  @Test("a job that has ended is removed from disk, store and list; one that hasn't is not")
  func remove() throws {
    let mesh = CoordinatorHarness()
    mesh.join(1, 2)
    let job = try #require(mesh.done())
    let running = try #require(mesh.queue())
    let waiting = try #require(mesh.queue())
    for job in [running, waiting] {
      let refusal = mesh.call(.remove(job))
      #expect(
        refusal?.code == .failedPrecondition && refusal?.message.contains("cancel it") == true)
    }
    mesh.commitsAtOnce = false
    #expect(mesh.call(.remove(job), id: 7) == nil, "told when it is on disk")
    #expect(mesh.commands.isEmpty)
    mesh.commit()
    #expect(mesh.reply(to: 7)?.status?.summary.job == job)
    let isDropped = mesh.commands.contains {
      if case .drop(job, keepResult: false) = $0 { true } else { false }
    }
    #expect(isDropped && mesh.disk[job] == nil)
    #expect(mesh.call(.remove(job), id: 7)?.status?.summary.job == job, "a repeat has its reply")
    mesh.commitsAtOnce = true
    #expect(mesh.call(.status(job))?.code == .notFound)
    #expect(mesh.page().jobs.map(\.job) == [waiting, running])
    #expect(mesh.observed(.jobRemoved).map(\.detail) == ["by ann"])
    mesh.restart()
    mesh.send(.tick)
    #expect(mesh.page().total == 2)
  }
}
