import Glibc
import MeshCore
import MeshJournal
import MeshRuntime
import Testing

/// A coordinator's state is copied while it runs, and made again elsewhere.
@Suite struct StoreBackupTests {
  /// What a coordinator puts on disk of a job, but for its state.
  private func image(_ number: Int, _ state: JobState) -> JobImage {
    var core = Coordinator(
      configuration: Coordinator.Configuration(
        term: 1, storeEndpoint: "", diskQuotaBytes: .max, retention: .seconds(1),
        seed: UInt64(number), wallSeconds: 1))
    let request = RequestID(high: 2, low: UInt64(number))
    let submit = CallRequest.submit(SubmitRequest(spec: sampleJob, deadlineSeconds: 0))
    let header = CallHeader(
      request: request, role: .client, client: "ann", method: submit.method.rawValue,
      remaining: .seconds(1))
    let ticket = Coordinator.Ticket(caller: 1, request: request)
    for case .commit(_, let images, _) in core.handle(.call(header, submit, ticket), at: .zero) {
      var image = images[0]
      (image.number, image.state) = (number, state)
      return image
    }
    preconditionFailure("a submit is committed")
  }

  private func store(_ images: [JobImage]) throws -> (TemporaryStore, StoreDirectory) {
    let store = try TemporaryStore()
    let directory = try StoreDirectory.open(store.path)
    try #require(directory.journal).commit(images.map { $0.entry() })
    return (store, directory)
  }

  private func images(in store: TemporaryStore) throws -> (term: UInt64, [JobImage]) {
    let directory = try StoreDirectory.open(store.path)
    return (directory.term, try directory.entries().map { try JobImage($0) })
  }

  private func refusal(_ body: () throws -> Void) -> String? {
    do {
      try body()
      return nil
    } catch let error as MeshError {
      return error.kind == .badInput ? error.message : "another kind: \(error.message)"
    } catch {
      return "another error: \(error)"
    }
  }

  @Test("a backup of a store that is in use has its jobs, and its term is exceeded after a restore")
  func roundTrip() throws {
    let jobs = [image(1, .failed), image(2, .queued), image(3, .cancelled)]
    let (source, running) = try store(jobs)
    let (elsewhere, target) = (try TemporaryStore(), try TemporaryStore())
    let file = elsewhere.path + "/backup"
    let made = try StoreBackup.make(of: source.path, to: file, replaces: false)
    #expect(made.jobs == 3 && made.term == running.term && made.bytes > 0)
    #expect(elsewhere.names(elsewhere.path) == ["backup"], "one file, and nothing beside it")
    // The coordinator goes on under its term.
    try running.journal?.commit([image(4, .queued).entry()])
    let restored = try StoreBackup.restore(file, to: target.path)
    #expect(restored.jobs == 3 && restored.requeued.isEmpty)
    #expect(target.names(target.path) == ["journal.sqlite", "lock"])
    let (term, found) = try images(in: target)
    #expect(term > running.term && found == jobs)
  }

  @Test("jobs that were running begin anew; done ones whose result is gone say so")
  func states() throws {
    let jobs = [image(1, .running), image(2, .finishing), image(3, .done), image(4, .done)]
    let (source, running) = try store(jobs)
    let (elsewhere, target) = (try TemporaryStore(), try TemporaryStore())
    let file = elsewhere.path + "/backup"
    _ = try StoreBackup.make(of: source.path, to: file, replaces: false)
    #expect(mkdir("\(target.path)/\(jobs[3].job)", 0o700) == 0)
    let restored = try StoreBackup.restore(file, to: target.path)
    #expect(restored.requeued == [jobs[0].job, jobs[1].job])
    #expect(restored.withoutInputs == [jobs[0].job, jobs[1].job])
    #expect(restored.withoutResult == [jobs[2].job])
    let (_, found) = try images(in: target)
    #expect(found.map(\.state) == [.queued, .queued, .done, .done])
    #expect(found.allSatisfy { !$0.isDiscarded }, "its files may be put back at any time")
    #expect(running.journal != nil)
  }

  @Test("a file that is there is replaced only when that is wanted")
  func target() throws {
    let (source, _) = try store([image(1, .queued)])
    let elsewhere = try TemporaryStore()
    let file = elsewhere.path + "/backup"
    try write([1, 2, 3], to: file)
    let told = refusal { _ = try StoreBackup.make(of: source.path, to: file, replaces: false) }
    #expect(told?.contains("--force") == true && contents(of: file) == [1, 2, 3])
    _ = try StoreBackup.make(of: source.path, to: file, replaces: true)
    #expect(contents(of: file).count > 1_000)
    #expect(elsewhere.names(elsewhere.path) == ["backup"])
    let nothing = refusal {
      _ = try StoreBackup.make(of: elsewhere.path, to: file + "2", replaces: false)
    }
    #expect(nothing?.contains("no journal") == true)
    #expect(elsewhere.names(elsewhere.path) == ["backup"])
  }

  @Test("a store that has a journal, or a coordinator, is not restored into")
  func inUse() throws {
    var (source, running): (TemporaryStore, StoreDirectory?) = try store([image(1, .queued)])
    let file = source.path + "/backup"
    _ = try StoreBackup.make(of: source.path, to: file, replaces: false)
    let before = contents(of: source.path + "/journal.sqlite")
    let busy = refusal { _ = try StoreBackup.restore(file, to: source.path) }
    #expect(busy?.contains("another coordinator has it") == true)
    #expect(running != nil)
    running = nil
    let full = refusal { _ = try StoreBackup.restore(file, to: source.path) }
    #expect(full?.contains("a journal in it already") == true)
    #expect(contents(of: source.path + "/journal.sqlite").count >= before.count)
  }

  @Test(
    "a damaged backup is refused, and nothing is made of it", arguments: [0, 100, 4_096, nil])
  func damage(at place: Int?) throws {
    let (source, _) = try store((1...40).map { image($0, .queued) })
    let (elsewhere, target) = (try TemporaryStore(), try TemporaryStore())
    let file = elsewhere.path + "/backup"
    _ = try StoreBackup.make(of: source.path, to: file, replaces: false)
    var bytes = contents(of: file)
    // Otherwise in the middle of what a job's image says.
    let client = try #require(bytes.firstRange(of: Array("\"client\":\"ann\"".utf8)))
    let place = place ?? client.lowerBound
    for index in place..<min(bytes.count, place + 64) { bytes[index] ^= 0x5A }
    try write(bytes, to: file)
    let told = refusal { _ = try StoreBackup.restore(file, to: target.path) }
    #expect(told?.contains("is no backup that can be restored") == true, "\(told ?? "restored")")
    #expect(target.names(target.path).isEmpty)
  }
}
