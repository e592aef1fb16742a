import Glibc
import MeshCore
import MeshJournal
import MeshRuntime
import Testing

/// A coordinator's events and workers in its store.
@Suite struct EventKeeperTests {
  private let store: TemporaryStore

  init() throws { store = try TemporaryStore() }

  private func core(_ kept: EventKeeper.Kept? = nil) -> Coordinator {
    Coordinator(
      configuration: Coordinator.Configuration(
        term: 1, storeEndpoint: "", diskQuotaBytes: .max, retention: .seconds(1), seed: 1,
        wallSeconds: 1_000),
      workers: kept?.workers ?? [], at: .seconds(1))
  }

  private func note(_ count: Int, in core: inout Coordinator) {
    for number in 0..<count {
      _ = core.handle(
        .noted(Observation(.storeAlarm, detail: "event \(number)")), at: .seconds(1))
    }
  }

  @Test("many events are written a few hundred at a time, and all in the end")
  func batches() throws {
    var core = core()
    note(1_000, in: &core)
    let kept = EventKeeper.open(store.path)
    let journal = try #require(kept.journal)
    let keeper = try EventKeeper(journal, after: 0)
    keeper.keep(core)
    while try journal.load().isEmpty { usleep(1_000) }
    #expect(try journal.load().count == 256)
    keeper.finish(core)
    let events = EventKeeper.open(store.path).events
    #expect(events.map(\.sequence) == Array(1...1_000))
  }

  @Test("workers that are here, and those that were lost, are there for the next coordinator")
  func workers() throws {
    var core = core()
    for number in UInt64(1)...3 {
      let hello = WorkerMessage.Hello(
        worker: WorkerID(incarnation: .max - number), name: "w\(number)", processID: 7,
        version: protocolVersion, numerics: "fma", level: "avx2", threads: 2, memoryBytes: 1 << 30,
        endpoint: "tcp://w")
      _ = core.handle(.message(.hello(hello), from: hello.worker), at: .seconds(1))
    }
    _ = core.handle(
      .workerGone(WorkerID(incarnation: .max - 2), reason: "it was cut off"), at: .seconds(2))
    let keeper = try EventKeeper(try #require(EventKeeper.open(store.path).journal), after: 0)
    keeper.finish(core)
    let kept = EventKeeper.open(store.path)
    #expect(kept.problem == nil && kept.workers.map(\.name) == ["w1", "w3", "w2"])
    let expected = [1, 3, 2].map { WorkerID(incarnation: UInt64.max - $0) }
    #expect(kept.workers.map(\.worker) == expected)
    #expect(kept.workers.map(\.loss?.reason) == [nil, nil, "it was cut off"])
    let next = self.core(kept)
    #expect(next.knownWorkers(at: .seconds(1)) == kept.workers)
  }
}
