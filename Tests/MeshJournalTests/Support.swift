import Glibc
import MeshJournal
import Testing

/// A directory of its own for one test, removed with everything in it.
final class TemporaryDirectory {
  let path: String

  /// - Parameters:
  ///   - inMemory: where a sync costs nothing, for tests that open hundreds of journals.
  init(inMemory: Bool = false) throws {
    let parent = inMemory && access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp"
    var template = Array("\(parent)/attnmesh-journal-XXXXXX".utf8CString)
    let made = template.withUnsafeMutableBufferPointer { buffer in
      buffer.baseAddress.map { mkdtemp($0) != nil } ?? false
    }
    try #require(made, "no directory for the test")
    path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  deinit {
    for suffix in ["", "-wal", "-shm", "-journal"] { unlink(database + suffix) }
    unlink(path + "/more")
    rmdir(path)
  }

  var database: String { path + "/journal.sqlite" }
  var log: String { database + "-wal" }

  /// Puts a database and its log here, as a crash would leave them.
  func put(database: [UInt8], log: [UInt8]?) throws {
    for suffix in ["-wal", "-shm", "-journal"] { unlink(self.database + suffix) }
    try write(database, to: self.database)
    if let log { try write(log, to: self.log) }
  }
}

func write(_ bytes: [UInt8], to path: String, flags: Int32 = O_TRUNC) throws {
  let file = open(path, O_CREAT | O_WRONLY | O_CLOEXEC | flags, 0o600)
  try #require(file >= 0, "\(path)")
  defer { close(file) }
  try #require(Glibc.write(file, bytes, bytes.count) == bytes.count, "\(path)")
}

/// Bytes of a file; none when there is no such file.
func contents(of path: String) -> [UInt8] {
  let file = open(path, O_RDONLY | O_CLOEXEC)
  guard file >= 0 else { return [] }
  defer { close(file) }
  var bytes: [UInt8] = []
  var buffer = [UInt8](repeating: 0, count: 1 << 16)
  while case let count = read(file, &buffer, buffer.count), count > 0 { bytes += buffer[..<count] }
  return bytes
}

/// A sequence of commits and what is there after each: every commit adds an entry, changes an
/// earlier one, and removes an old one.
enum Script {
  static func commit(_ number: Int) -> (entries: [Journal.Entry], removing: [String]) {
    let changed = number > 1 ? [entry(number - 1, changed: true)] : []
    return (changed + [entry(number)], number > 8 ? [entry(number - 8).id] : [])
  }

  static func state(after count: Int) -> [Journal.Entry] {
    (max(1, count - 7)..<max(1, count + 1)).map { entry($0, changed: $0 < count) }
  }

  /// Images from nothing to several pages.
  private static func entry(_ number: Int, changed: Bool = false) -> Journal.Entry {
    let size = number * (changed ? 977 : 1_361) % 9_001
    return Journal.Entry(
      id: String(repeating: "0", count: 30) + (number < 16 ? "0" : "") + String(number, radix: 16),
      number: number, image: (0..<size).map { UInt8(truncatingIfNeeded: $0 * number &+ $0 >> 8) })
  }

  /// After how many commits, of `range`, the entries are what is there.
  static func position(of entries: [Journal.Entry], in range: ClosedRange<Int>) -> Int? {
    range.first { state(after: $0) == entries }
  }
}

extension Journal {
  func run(_ commits: ClosedRange<Int>) throws {
    for number in commits {
      let (entries, removing) = Script.commit(number)
      try commit(entries, removing: removing)
    }
  }
}

/// SplitMix64: a seeded stream of numbers, the same on every run.
struct SplitMix64: RandomNumberGenerator {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
    return mixed ^ (mixed >> 31)
  }
}
