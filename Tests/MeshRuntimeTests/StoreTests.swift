import Glibc
import MeshCore
import MeshJournal
import MeshRuntime
import Synchronization
import Testing
import ZeroMQ

/// What of a store outlives its coordinator.
@Suite struct StoreTests {
  private let jobs = (1...3).map { JobID(high: 7, low: $0) }

  @Test("one coordinator at a time has a store, and the next finds its journal")
  func oneAtATime() throws {
    let store = try TemporaryStore()
    let entry = Journal.Entry(id: "\(jobs[0])", number: 1, image: [1, 2])
    do {
      let first = try StoreDirectory.open(store.path)
      try #require(first.journal).commit([entry])
      let refusal = #expect(throws: MeshError.self) { _ = try StoreDirectory.open(store.path) }
      #expect(refusal?.message.contains("another coordinator has it") == true)
      #expect(try first.entries() == [entry])
    }
    #expect(try StoreDirectory.open(store.path).entries() == [entry])
  }

  @Test("a damaged journal is told with the store's name, and the store is free again")
  func damagedJournal() throws {
    let store = try TemporaryStore()
    try write([UInt8](repeating: 9, count: 8_192), to: store.path + "/journal.sqlite")
    for _ in 0..<2 {
      let refusal = #expect(throws: MeshError.self) { _ = try StoreDirectory.open(store.path) }
      #expect(refusal?.message.hasPrefix("--store \(store.path): the journal is damaged") == true)
    }
  }

  @Test("jobs that nobody answers for are removed, and nothing else")
  func orphans() throws {
    let store = try TemporaryStore()
    let directory = try StoreDirectory.open(store.path)
    for job in jobs { _ = try directory.seal(job) }
    mkdir(store.path + "/mine", 0o700)
    try write([1], to: store.file(jobs[2], "checksums.new"))
    directory.removeJobs(except: [jobs[1]])
    #expect(store.jobs == ["\(jobs[1])"])
    #expect(store.names(store.path).contains("mine"))
    _ = try directory.reopen(jobs[1], sampleJob, needsInputs: true)
  }

  @Test("a link in place of a job's directory isn't followed")
  func linkedOrphan() throws {
    let store = try TemporaryStore()
    let directory = try StoreDirectory.open(store.path)
    mkdir(store.path + "/mine", 0o700)
    try write([1], to: store.path + "/mine/query")
    symlink("mine", "\(store.path)/\(jobs[0])")
    directory.removeJobs(except: [])
    #expect(store.names(store.path + "/mine") == ["query"])
  }

  @Test("the store's thread leaves files with names where they are")
  func stop() throws {
    let store = try TemporaryStore()
    #expect(
      try told(
        .open(store.path), orders: [.command(.create(jobs[0], sampleJob, client: "c")), .stop])
        == [.created(jobs[0])])
    #expect(store.jobs == ["\(jobs[0])"])
    #expect(store.names(of: jobs[0]) == ["key", "logSumExp", "output", "query", "value"])
    let unnamed = try TemporaryStore()
    #expect(
      try told(
        .unnamed(in: unnamed.path),
        orders: [.command(.create(jobs[0], sampleJob, client: "c")), .stop])
        == [.created(jobs[0])])
    #expect(unnamed.names(unnamed.path) == [])
  }

  @Test("a job that can't be reopened is told as failed, and can still be dropped")
  func reopen() throws {
    let store = try TemporaryStore()
    for job in jobs.prefix(2) { _ = try StoreDirectory.open(store.path).seal(job) }
    unlink(store.file(jobs[1], "query"))
    let orders = jobs.map { StoreLoop.Order.command(.drop($0, keepResult: $0 == jobs[0])) }
    let events = try told(.open(store.path), orders: orders + [.stop]) { loop in
      for job in jobs { loop.reopen(job, sampleJob, client: "c", needsInputs: true) }
    }
    try #require(events.count == 4, "\(events)")
    for (event, job) in zip(events, jobs.dropFirst()) {
      guard case .failed(job, let failure) = event else {
        Issue.record("\(event)")
        continue
      }
      #expect(failure.code == .dataLoss)
    }
    #expect(events.suffix(2) == [.dropped(jobs[1]), .dropped(jobs[2])])
    #expect(store.jobs == ["\(jobs[0])"])
    #expect(store.names(of: jobs[0]) == ["logSumExp", "output"])
  }

  /// Runs a store's loop over some orders, and gives what it told.
  private func told(
    _ directory: StoreDirectory, orders: [StoreLoop.Order], before: (StoreLoop) -> Void = { _ in }
  ) throws -> [StoreEvent] {
    let events = Events()
    let mailbox = try Mailbox<StoreLoop.Order>(capacity: 100)
    let background = try BackgroundQueue(name: "store-io")
    let options = SocketOptions(
      sendHighWaterMark: 1, receiveHighWaterMark: 1, maximumFrameBytes: 1_024)
    let loop = StoreLoop(
      router: try OwnedSocket(.router, context: try Context(), options: options), orders: mailbox,
      directory: directory, background: background, tell: { events.append($0) })
    before(loop)
    for order in orders { _ = mailbox.post(order) }
    try loop.run()
    background.stop()
    return events.all
  }

  private final class Events: Sendable {
    private let events = Mutex<[StoreEvent]>([])
    var all: [StoreEvent] { events.withLock { $0 } }
    func append(_ event: StoreEvent) { events.withLock { $0.append(event) } }
  }
}
