import Glibc
import MeshJournal
import Testing

/// What goes in comes out, and one coordinator at a time may write.
@Suite struct JournalTests {
  private func entry(_ id: String, _ number: Int, _ image: [UInt8] = [1, 2, 3]) -> Journal.Entry {
    Journal.Entry(id: id, number: number, image: image)
  }

  @Test("entries come back in order of number, from this process and the next")
  func roundTrip() throws {
    let directory = try TemporaryDirectory()
    let every = [
      entry("b", 1, []), entry("c", 2, (0...255).map { $0 }),
      entry("a", 3, [UInt8](repeating: 7, count: 100_000)),
    ]
    do {
      let journal = try Journal(directory: directory.path)
      #expect(try journal.load() == [])
      try journal.commit([every[2], every[0]])
      try journal.commit([every[1]])
      #expect(try journal.load() == every)
      #expect(try journal.synchronous() == 2)
    }
    #expect(try Journal(directory: directory.path).load() == every)
  }

  @Test("a commit replaces what has its id, and removes what it is told to")
  func upsertAndRemove() throws {
    let directory = try TemporaryDirectory()
    let journal = try Journal(directory: directory.path)
    try journal.commit([entry("a", 1), entry("b", 2), entry("c", 3)])
    try journal.commit([entry("b", 2, [9]), entry("d", 4)], removing: ["a", "nobody", "d"])
    #expect(try journal.load() == [entry("b", 2, [9]), entry("c", 3)])
    try journal.commit([])
    try journal.commit([], removing: ["b", "c"])
    #expect(try journal.load() == [])
  }

  @Test("each opening has a higher term, and not less than the time")
  func terms() throws {
    let directory = try TemporaryDirectory()
    // In milliseconds, as of a coordinator without a store: workers go from one to the other.
    let now = Int64(time(nil)) * 1_000
    var last = UInt64(now) - 1
    // A clock that is set back doesn't lower it.
    for now in [now, now, now - 3_600_000, now] {
      let journal = try Journal(directory: directory.path, now: now)
      #expect(journal.term > last)
      last = journal.term
    }
  }

  @Test("a second opener supersedes the first, whose commits change nothing")
  func superseded() throws {
    let directory = try TemporaryDirectory()
    let first = try Journal(directory: directory.path)
    try first.commit([entry("a", 1)])
    let second = try Journal(directory: directory.path)
    #expect(second.term > first.term)
    #expect(throws: JournalError.superseded) {
      try first.commit([entry("b", 2)], removing: ["a"])
    }
    #expect(try second.load() == [entry("a", 1)])
    try second.commit([entry("c", 3)])
    #expect(throws: JournalError.superseded) { try first.commit([]) }
    #expect(try second.load() == [entry("a", 1), entry("c", 3)])
  }

  @Test("the files are this user's alone")
  func permissions() throws {
    let directory = try TemporaryDirectory()
    let journal = try Journal(directory: directory.path)
    try journal.commit([entry("a", 1)])
    for path in [directory.database, directory.log] {
      var status = stat()
      #expect(stat(path, &status) == 0 && status.st_mode & 0o777 == 0o600, "\(path)")
    }
    withExtendedLifetime(journal) {}
  }

  /// Not asserted: they are the disk's, and of a machine that does other things.
  @Test("times of commit and opening are told")
  func times() throws {
    let directory = try TemporaryDirectory()
    let clock = ContinuousClock()
    do {
      let journal = try Journal(directory: directory.path)
      let times = try (0..<2_000).map { number in
        let image = [UInt8](repeating: UInt8(number & 255), count: 1_500)
        return try clock.measure {
          try journal.commit([entry("job-\(number % 1_000)", number, image)])
        }
      }.sorted()
      print("journal: commit p50 \(times[1_000]), p95 \(times[1_900]), most \(times[1_999])")
    }
    let time = try clock.measure { _ = try Journal(directory: directory.path).load() }
    print("journal: opening with 1,000 entries \(time)")
  }
}
