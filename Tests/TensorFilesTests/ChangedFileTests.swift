import Glibc
import TensorFiles
import Testing

/// Files that somebody changes between the first byte that is read and the last.
struct ChangedFileTests {
  private let directory: TemporaryDirectory

  init() throws {
    directory = try TemporaryDirectory()
  }

  /// What happens to a file.
  enum Change: CaseIterable {
    case overwritten, overwrittenAndDatedBack, grown, shortened
  }

  private let bytes = npy(npyHeader(shape: "(2, 4)"), data: 32)

  private func make(_ change: Change, _ path: String) throws {
    var before = stat()
    try #require(stat(path, &before) == 0)
    let file = open(path, O_WRONLY | O_CLOEXEC)
    try #require(file >= 0)
    defer { close(file) }
    let size = Int(before.st_size)
    switch change {
    case .grown: try #require(pwrite(file, [1], 1, size) == 1)
    case .shortened: try #require(ftruncate(file, off_t(size - 8)) == 0)
    default: try #require(pwrite(file, [1], 1, size - 1) == 1)
    }
    if change == .overwrittenAndDatedBack {
      try #require(futimens(file, [before.st_atim, before.st_mtim]) == 0)
    }
  }

  private func failure(_ body: () throws -> Void) -> TensorFileError.Kind? {
    do {
      try body()
      return nil
    } catch {
      return (error as? TensorFileError)?.kind
    }
  }

  /// The file is written, opened and changed within one tick of the clock that stamps files, time and
  /// again.
  @Test("a change after the opening is noticed by the next read", arguments: Change.allCases)
  func noticed(change: Change) throws {
    for _ in 0..<20 {
      let path = try directory.write(bytes, as: "x.npy")
      let file = try TensorFile(opening: path)
      var half = [UInt8](repeating: 0, count: 16)
      try half.withUnsafeMutableBytes { try file.read(at: 0, into: $0) }
      try file.checkUnchanged()
      try make(change, path)
      let kind = failure { try half.withUnsafeMutableBytes { try file.read(at: 16, into: $0) } }
      #expect(kind == (change == .shortened ? .malformed : .changed))
      #expect(failure { try file.checkUnchanged() } == .changed)
    }
  }

  @Test("what was changed before is read as it is now")
  func reopened() throws {
    let path = try directory.write(bytes, as: "x.npy")
    try make(.overwritten, path)
    let file = try TensorFile(opening: path)
    #expect(try contents(of: file) == [UInt8](repeating: 0, count: 31) + [1])
    try file.checkUnchanged()
  }

  @Test("reading changes nothing, nor do other files, nor one that takes its name")
  func untouched() throws {
    let path = try directory.write(bytes, as: "x.npy")
    let file = try TensorFile(opening: path)
    let another = npy(npyHeader(shape: "(3,)"), data: 12)
    try #require(rename(directory.write(another, as: "z.npy"), path) == 0)
    #expect(try TensorFile(opening: path).identity != file.identity)
    try directory.write([1], as: "y.npy")
    _ = try contents(of: TensorFile(opening: path))
    #expect(try contents(of: file) == [UInt8](repeating: 0, count: 32))
  }
}
