import Glibc
import MeshJournal
import Testing

/// The last events, kept beside the journal.
@Suite struct EventJournalTests {
  private func entries(_ numbers: ClosedRange<UInt64>) -> [EventJournal.Entry] {
    numbers.map { EventJournal.Entry(sequence: $0, body: Array("event \($0)".utf8)) }
  }

  private func withDirectory(_ body: (TemporaryDirectory) throws -> Void) throws {
    let directory = try TemporaryDirectory()
    defer {
      for suffix in ["", "-wal", "-shm"] { unlink("\(directory.path)/events.sqlite\(suffix)") }
    }
    try body(directory)
  }

  @Test("what was appended is there again, in order, and only so many of the last ones")
  func last() throws {
    try withDirectory { directory in
      do {
        let journal = try EventJournal(directory: directory.path, keeping: 10)
        #expect(try journal.load().isEmpty)
        try journal.append(entries(1...4))
        try journal.append([])
        try journal.append(entries(5...7))
        #expect(try journal.load() == entries(1...7))
      }
      // As after a crash: nobody closed it.
      let next = try EventJournal(directory: directory.path, keeping: 10)
      #expect(try next.load() == entries(1...7))
      try next.append(entries(8...25))
      #expect(try next.load() == entries(16...25))
      try next.close()
      let fewer = try EventJournal(directory: directory.path, keeping: 3)
      #expect(try fewer.load() == entries(23...25))
      try fewer.close()
    }
  }

  @Test("what comes before a gap isn't told")
  func gap() throws {
    try withDirectory { directory in
      let journal = try EventJournal(directory: directory.path, keeping: 100)
      try journal.append(entries(1...3))
      try journal.append(entries(6...9))
      #expect(try journal.load() == entries(6...9))
      try journal.close()
    }
  }

  @Test("a file that isn't one is told as damaged, and left as it is")
  func damaged() throws {
    try withDirectory { directory in
      let path = directory.path + "/events.sqlite"
      let bytes = [UInt8](repeating: 0x41, count: 5_000)
      try write(bytes, to: path)
      #expect {
        _ = try EventJournal(directory: directory.path, keeping: 9)
      } throws: { error in
        if case JournalError.damaged = error { true } else { false }
      }
      #expect(contents(of: path) == bytes)
    }
  }

  @Test(
    "a file's directory is told from its path",
    arguments: [("a", "."), ("a/b", "a"), ("/a", "/"), ("/a/b", "/a"), ("./a", "."), ("", ".")])
  func directory(path: String, directory: String) {
    #expect(JournalFile.directory(of: path) == directory)
  }
}
