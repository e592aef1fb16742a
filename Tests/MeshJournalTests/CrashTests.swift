import Foundation
import MeshJournal
import Testing

/// Whatever moment the end comes at, the next coordinator finds what some commit left.
@Suite struct CrashTests {
  @Test("a process killed at any moment leaves all it was told is durable", arguments: 0..<20)
  func kill(round: Int) async throws {
    let directory = try TemporaryDirectory()
    let path = directory.path
    // Half of them while the journal is opened for the first time, half among commits.
    let isOpening = round.isMultiple(of: 2)
    let delay = UInt32(round * (isOpening ? 1_700 : 6_000) + 300)
    await #expect(processExitsWith: .signal(SIGKILL)) {
      [path = path as String, delay = delay as UInt32, isOpening = isOpening as Bool] in
      @Sendable func end() {
        usleep(delay)
        Glibc.kill(getpid(), SIGKILL)
      }
      if isOpening { Thread.detachNewThread(end) }
      let journal = try Journal(directory: path)
      if !isOpening { Thread.detachNewThread(end) }
      for number in 1... {
        try journal.run(number...number)
        try write(Array("\(number) ".utf8), to: path + "/more", flags: O_APPEND)
      }
    }
    let told = String(decoding: contents(of: path + "/more"), as: UTF8.self)
    let last = told.split(separator: " ").last.flatMap { Int($0) } ?? 0
    let journal = try Journal(directory: path)
    #expect(Script.position(of: try journal.load(), in: last...last + 1) != nil, "told \(last)")
    try journal.commit([])
  }

  @Test("a log cut at any place holds the commits before the cut")
  func truncatedLog() throws {
    let source = try TemporaryDirectory(inMemory: true)
    let count = 12
    let journal = try Journal(directory: source.path)
    try journal.run(1...count)
    let (database, log) = (contents(of: source.database), contents(of: source.log))
    let frame = 24 + 4_096
    let frames = (log.count - 32) / frame
    try #require(frames > 3 * count && log.count == 32 + frames * frame)
    let target = try TemporaryDirectory(inMemory: true)
    var last = 0
    for index in 0...frames {
      let start = 32 + index * frame
      for cut in [start - 32, start - 1, start, start + 1, start + 24, start + 2_000]
      where cut >= 0 && cut <= log.count {
        if index > 0, cut == start - 32 { continue }
        try target.put(database: database, log: Array(log[..<cut]))
        let entries = try Journal(directory: target.path).load()
        let found = try #require(
          Script.position(of: entries, in: last...count), "cut at \(cut) of \(log.count)")
        last = found
      }
    }
    #expect(last == count)
    withExtendedLifetime(journal) {}
  }

  @Test("copies taken between commits, across checkpoints, hold all of them")
  func copies() throws {
    let source = try TemporaryDirectory(inMemory: true)
    let target = try TemporaryDirectory(inMemory: true)
    let journal = try Journal(directory: source.path)
    var longest = 0
    var wasReset = false
    for number in 1...500 {
      try journal.run(number...number)
      let log = contents(of: source.log)
      // The log is begun anew in place, so its header tells.
      wasReset = wasReset || log.count == longest && number > 300
      longest = max(longest, log.count)
      guard number % 10 == 0 else { continue }
      try target.put(database: contents(of: source.database), log: log)
      #expect(try Journal(directory: target.path).load() == Script.state(after: number))
    }
    #expect(wasReset && longest < 8 << 20)
  }
}
