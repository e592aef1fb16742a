import Foundation
import MeshJournal
import Testing

/// A journal that isn't what was written is refused in words, or holds what a commit left.
@Suite struct DamageTests {
  /// Opens, loads and commits. Whatever is wrong must come as a `JournalError`.
  private func probe(_ directory: TemporaryDirectory) throws -> [Journal.Entry]? {
    do throws(JournalError) {
      let journal = try Journal(directory: directory.path)
      let entries = try journal.load()
      try journal.commit([Journal.Entry(id: "new", number: 1 << 40, image: [1])], removing: ["x"])
      return entries
    } catch {
      #expect(!error.description.contains("\n"))
      #expect(error != .superseded)
      return nil
    }
  }

  @Test("a byte changed anywhere in the database is noticed, or doesn't matter")
  func flippedDatabase() throws {
    let source = try TemporaryDirectory(inMemory: true)
    try Journal(directory: source.path).run(1...24)
    let bytes = contents(of: source.database)
    #expect(contents(of: source.log) == [])
    var generator = SplitMix64(state: 5)
    let target = try TemporaryDirectory(inMemory: true)
    var refused = 0
    let places =
      Array(0..<160) + (0..<1_200).map { _ in Int.random(in: 0..<bytes.count, using: &generator) }
    for place in places {
      var changed = bytes
      changed[place] ^= UInt8.random(in: 1...255, using: &generator)
      try target.put(database: changed, log: nil)
      guard let found = try probe(target) else {
        refused += 1
        continue
      }
      #expect(found == Script.state(after: 24), "byte \(place) of \(bytes.count)")
    }
    print("journal: \(refused) of \(places.count) changed bytes refused, the others meant nothing")
    #expect(refused > 100)
  }

  @Test("a byte changed anywhere in the log leaves the commits before it")
  func flippedLog() throws {
    let source = try TemporaryDirectory(inMemory: true)
    let journal = try Journal(directory: source.path)
    try journal.run(1...12)
    let (database, log) = (contents(of: source.database), contents(of: source.log))
    var generator = SplitMix64(state: 6)
    let target = try TemporaryDirectory(inMemory: true)
    let places =
      Array(0..<64) + (0..<400).map { _ in Int.random(in: 0..<log.count, using: &generator) }
    for place in places {
      var changed = log
      changed[place] ^= UInt8.random(in: 1...255, using: &generator)
      try target.put(database: database, log: changed)
      guard let found = try probe(target) else { continue }
      #expect(Script.position(of: found, in: 0...12) != nil, "byte \(place) of \(log.count)")
    }
    withExtendedLifetime(journal) {}
  }

  @Test("a database cut anywhere is refused")
  func truncatedDatabase() throws {
    let source = try TemporaryDirectory(inMemory: true)
    try Journal(directory: source.path).run(1...24)
    let bytes = contents(of: source.database)
    let target = try TemporaryDirectory(inMemory: true)
    for cut in [1, 15, 16, 99, 100, 511, 4_095] + stride(from: 4_096, to: bytes.count, by: 4_096) {
      try target.put(database: Array(bytes[..<cut]), log: nil)
      #expect(try probe(target) == nil, "cut at \(cut) of \(bytes.count)")
    }
  }

  @Test("what isn't a journal is told as such")
  func otherFiles() throws {
    let target = try TemporaryDirectory()
    try target.put(database: Array("not a database, whatever its name says\n".utf8), log: nil)
    #expect(refusal(target)?.hasPrefix("the journal is damaged: ") == true)
    try target.put(database: [], log: [UInt8](repeating: 1, count: 5_000))
    #expect(refusal(target)?.contains("empty or missing") == true)
    unlink(target.database)
    #expect(refusal(target)?.contains("empty or missing") == true)
    unlink(target.log)
    symlink("/tmp/elsewhere", target.database)
    #expect(refusal(target)?.contains("isn't a file of this user") == true)
    unlink(target.database)
    let missing = #expect(throws: JournalError.self) {
      _ = try Journal(directory: target.path + "/missing")
    }
    #expect(missing?.description.contains("No such file") == true)
  }

  private func refusal(_ directory: TemporaryDirectory) -> String? {
    #expect(throws: JournalError.self) { _ = try Journal(directory: directory.path) }?.description
  }

  @Test("a journal of a later program is left alone")
  func newerSchema() throws {
    let target = try TemporaryDirectory()
    try Journal(directory: target.path).run(1...3)
    var bytes = contents(of: target.database)
    // user_version: bytes 60 to 63 of the header, most significant first.
    bytes[63] = 7
    try target.put(database: bytes, log: nil)
    #expect(throws: JournalError.newerSchema(found: 7, known: 1)) {
      _ = try Journal(directory: target.path)
    }
    #expect(contents(of: target.database).elementsEqual(bytes), "it was written to")
  }

  @Test("a full disk fails the commit and loses nothing", .enabled(if: geteuid() == 0))
  func fullDisk() throws {
    let directory = try TemporaryDirectory()
    guard mount("tmpfs", directory.path, "tmpfs", 0, "size=512k") == 0 else {
      try Test.cancel("no file system can be mounted here")
    }
    defer { umount2(directory.path, Int32(MNT_DETACH)) }
    var journal: Journal? = try Journal(directory: directory.path)
    try write([UInt8](repeating: 0, count: 160_000), to: directory.path + "/more")
    var last = 0
    let failure = #expect(throws: JournalError.self) {
      for number in 1...1_000 {
        try journal?.run(number...number)
        last = number
      }
    }
    guard case .io(let message) = failure else { throw try #require(failure) }
    #expect(message.contains("full"), "\(message)")
    #expect(try journal?.load() == Script.state(after: last))
    // With room again it goes on where it was.
    unlink(directory.path + "/more")
    try journal?.run(last + 1...last + 1)
    #expect(try journal?.load() == Script.state(after: last + 1))
    journal = nil
    #expect(try Journal(directory: directory.path).load() == Script.state(after: last + 1))
  }
}
