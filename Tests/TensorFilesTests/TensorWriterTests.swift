import ElementTypes
import Glibc
import TensorFiles
import Testing

struct TensorWriterTests {
  private let directory: TemporaryDirectory

  init() throws {
    directory = try TemporaryDirectory()
  }

  private func location(_ name: String) throws -> TensorLocation {
    try TensorLocation.parse("\(directory.path)/\(name)")
  }

  private func written(_ name: String, _ element: ElementType, _ shape: [Int], fill: UInt8)
    throws
  {
    let writer = try TensorWriter(try location(name), element: element, shape: shape)
    let bytes = [UInt8](repeating: fill, count: writer.byteCount)
    try bytes.withUnsafeBytes { try writer.write(at: 0, bytes: $0) }
    try writer.commit()
  }

  private func error(of body: () throws(TensorFileError) -> Void) -> TensorFileError? {
    do throws(TensorFileError) {
      try body()
      return nil
    } catch {
      return error
    }
  }

  @Test(
    "what is written is read back, in every format",
    arguments: ["o.npy", "o.safetensors", "o.safetensors:a \"b\\\u{1}\té😀"], ElementType.allCases)
  func roundTrip(name: String, element: ElementType) throws {
    if name == "o.npy" && element == .bfloat16 { return }
    var random = SplitMix64(state: 3)
    for shape in [[], [1], [5], [3, 7], [2, 3, 5], [1, 2, 3, 4], [1000, 77]] {
      let location = try location(name)
      let writer = try TensorWriter(location, element: element, shape: shape)
      #expect(writer.dataOffset % 64 == 0)
      let bytes = (0..<writer.byteCount).map { _ in UInt8.random(in: 0...255, using: &random) }
      let half = bytes.count / 2
      try bytes[half...].withUnsafeBytes { try writer.write(at: half, bytes: $0) }
      try bytes[..<half].withUnsafeBytes { try writer.write(at: 0, bytes: $0) }
      let dataOffset = writer.dataOffset
      try writer.commit()
      let file = try TensorFile(location)
      #expect(file.element == element)
      #expect(file.shape == shape)
      #expect(file.dataOffset == dataOffset)
      #expect(try contents(of: file) == bytes)
    }
    #expect(directory.names.count == 1)
  }

  @Test("the header is the one numpy writes, byte for byte")
  func numpyHeader() throws {
    let writer = try TensorWriter(try location("o.npy"), element: .float32, shape: [2, 4])
    try Fixture.version1.suffix(32).withUnsafeBytes { try writer.write(at: 0, bytes: $0) }
    try writer.commit()
    let descriptor = open("\(directory.path)/o.npy", O_RDONLY | O_CLOEXEC)
    defer { close(descriptor) }
    var bytes = [UInt8](repeating: 0, count: 200)
    let count = read(descriptor, &bytes, 200)
    #expect(Array(bytes.prefix(count)) == Fixture.version1)
  }

  @Test("a safetensors file without a name given holds one tensor named tensor")
  func defaultName() throws {
    try written("o.safetensors", .bfloat16, [2, 2], fill: 1)
    #expect(try TensorFile(try location("o.safetensors:tensor")).shape == [2, 2])
  }

  @Test("what is never written is zero, whichever order of axes the file has", arguments: [nil, 3])
  func unwritten(swappedAxis: Int?) throws {
    let writer = try TensorWriter(
      try location("o.npy"), element: .float32, shape: [2, 3, 4], swappedAxis: swappedAxis)
    try [UInt8](repeating: 7, count: 4).withUnsafeBytes { try writer.write(at: 0, bytes: $0) }
    try writer.commit()
    let bytes = try contents(of: TensorFile(try location("o.npy")))
    #expect(bytes.prefix(4) == [7, 7, 7, 7] && bytes.count == 96)
    #expect(bytes.dropFirst(4).allSatisfy { $0 == 0 })
  }

  @Test("nothing is to be seen before the commit, and nothing is left when it is dropped")
  func invisible() throws {
    for name in ["o.npy", "o.safetensors:x"] {
      do {
        let writer = try TensorWriter(try location(name), element: .float32, shape: [64])
        #expect(directory.names.filter { !$0.hasSuffix(".partial") } == [])
        _ = writer.byteCount
      }
      #expect(directory.names == [])
    }
  }

  @Test("an existing file stays whole until the commit replaces it, also for who has it open")
  func replaces() throws {
    try written("o.npy", .float32, [4], fill: 1)
    let old = try TensorFile(try location("o.npy"))
    let writer = try TensorWriter(try location("o.npy"), element: .float16, shape: [3])
    #expect(try contents(of: TensorFile(try location("o.npy"))) == [UInt8](repeating: 1, count: 16))
    try writer.commit()
    #expect(try TensorFile(try location("o.npy")).shape == [3])
    #expect(try contents(of: old) == [UInt8](repeating: 1, count: 16))
    #expect(directory.names == ["o.npy"])
  }

  /// Permissions of a file itself, or nil where there is none.
  private func mode(_ name: String) -> mode_t? {
    var status = stat()
    return lstat("\(directory.path)/\(name)", &status) == 0 ? status.st_mode & 0o7777 : nil
  }

  @Test(
    "what replaces a file has its permissions", arguments: [0o600, 0o640, 0o666, 0o777],
    [true, false])
  func keepsMode(mode wanted: Int, named: Bool) throws {
    let path = try directory.write([1], as: "o.npy")
    try #require(chmod(path, mode_t(wanted)) == 0)
    let writer = try TensorWriter(
      try location("o.npy"), element: .float32, shape: [2], named: named)
    try writer.commit()
    #expect(mode("o.npy") == mode_t(wanted))
    #expect(try TensorFile(try location("o.npy")).shape == [2])
  }

  @Test("a link is followed, also to a file of another directory or to none, and stays a link")
  func followsLinks() throws {
    let other = try TemporaryDirectory()
    try other.write([1], as: "there.npy")
    let links = [
      ("a.npy", "there.npy", "\(other.path)/there.npy"),
      ("b.npy", "new.npy", "\(other.path)/new.npy"),
      ("c.npy", "chained.npy", "d.npy"), ("d.npy", "chained.npy", "\(other.path)/chained.npy"),
    ]
    for (name, _, target) in links {
      try #require(symlink(target, "\(directory.path)/\(name)") == 0)
    }
    for (name, target, _) in links {
      try written(name, .float32, [3], fill: 7)
      #expect(mode(name) == 0o777)
      let file = try TensorFile(opening: "\(other.path)/\(target)")
      #expect(try contents(of: file) == [UInt8](repeating: 7, count: 12))
    }
    #expect(directory.names == ["a.npy", "b.npy", "c.npy", "d.npy"])
    #expect(other.names == ["chained.npy", "new.npy", "there.npy"])
  }

  @Test("links that lead to each other are refused")
  func loopOfLinks() throws {
    try #require(symlink("b.npy", "\(directory.path)/a.npy") == 0)
    try #require(symlink("a.npy", "\(directory.path)/b.npy") == 0)
    let failure = error { () throws(TensorFileError) in
      try TensorWriter.checkWritable("\(directory.path)/a.npy")
    }
    #expect(failure?.kind == .system(code: ELOOP))
  }

  @Test("a write-protected file is refused", .enabled(if: geteuid() != 0))
  func writeProtected() throws {
    let path = try directory.write([1], as: "o.npy")
    try #require(chmod(path, 0o400) == 0)
    let failure = error { () throws(TensorFileError) in try TensorWriter.checkWritable(path) }
    #expect(failure?.kind == .system(code: EACCES))
  }

  @Test("two writers of one name do not disturb each other: the last commit stays")
  func twoWriters() throws {
    let first = try TensorWriter(try location("o.npy"), element: .float32, shape: [1])
    let second = try TensorWriter(try location("o.npy"), element: .float32, shape: [2])
    try second.commit()
    try first.commit()
    #expect(try TensorFile(try location("o.npy")).shape == [1])
    #expect(directory.names == ["o.npy"])
  }

  @Test("where files need a name a hidden partial one is used, renamed or removed")
  func namedFallback() throws {
    let location = try location("o.npy")
    do {
      let writer = try TensorWriter(location, element: .float32, shape: [2], named: true)
      #expect(directory.names == [".o.npy.\(getpid()).partial"])
      _ = writer.byteCount
    }
    #expect(directory.names == [])
    let writer = try TensorWriter(location, element: .float32, shape: [2], named: true)
    try writer.commit()
    #expect(directory.names == ["o.npy"])
    #expect(try contents(of: TensorFile(location)) == [UInt8](repeating: 0, count: 8))
  }

  @Test(
    "the leftover of a dead process with our number is not in the way", arguments: [true, false])
  func leftover(named: Bool) throws {
    let leftover = ".o.npy.\(getpid()).partial"
    try directory.write([1], as: leftover)
    let location = try location("o.npy")
    let writer = try TensorWriter(location, element: .float32, shape: [2], named: named)
    try writer.commit()
    #expect(directory.names == [leftover, "o.npy"])
    #expect(try TensorFile(location).shape == [2])
  }

  @Test("a commit that cannot rename leaves neither half a file nor a hidden one")
  func failedCommit() throws {
    let writer = try TensorWriter(try location("o.npy"), element: .float32, shape: [2])
    let path = "\(directory.path)/o.npy"
    try #require(mkdir(path, 0o700) == 0)
    defer { rmdir(path) }
    let failure: TensorFileError?
    do throws(TensorFileError) {
      try writer.commit()
      failure = nil
    } catch {
      failure = error
    }
    #expect(failure?.kind == .system(code: EISDIR))
    #expect(directory.names == ["o.npy"])
  }

  @Test("a long name still fits with what is put around it while it is written")
  func longName() throws {
    let name = String(repeating: "é", count: 125) + ".npy"
    try written(name, .float32, [2], fill: 5)
    #expect(directory.names == [name])
  }

  @Test("bytes outside the tensor are refused")
  func outside() throws {
    let writer = try TensorWriter(try location("o.npy"), element: .float32, shape: [2])
    let bytes = [UInt8](repeating: 0, count: 4)
    for offset in [5, 8, -1, Int.max, Int.min] {
      var kind: TensorFileError.Kind?
      do {
        try bytes.withUnsafeBytes { try writer.write(at: offset, bytes: $0) }
      } catch {
        kind = (error as? TensorFileError)?.kind
      }
      #expect(kind == .outOfRange)
    }
  }

  @Test("bfloat16 in .npy, empty and impossible shapes are refused before anything is made")
  func refusedShapes() throws {
    let path = "\(directory.path)/o.npy"
    let bfloat = error { () throws(TensorFileError) in
      try TensorWriter.checkWritable(path, element: .bfloat16)
    }
    #expect(bfloat?.kind == .unsupported)
    #expect(bfloat?.description.contains("path ending in .safetensors") == true)
    let shapes = [
      [0], [2, 0], [-1], [-1, -1], [Int.max, 2], [Int.max / 4], [1 << 40, 1 << 40],
      [Int](repeating: 1, count: 65),
    ]
    for shape in shapes {
      let location = try location("o.npy")
      let failure = error { () throws(TensorFileError) in
        _ = try TensorWriter(location, element: .float32, shape: shape)
      }
      #expect(failure?.kind == .unsupported, "\(shape)")
    }
    #expect(directory.names == [])
  }

  @Test("a tensor larger than the disk is refused at once, as a full disk")
  func fullDisk() throws {
    let location = try location("o.npy")
    let failure = error { () throws(TensorFileError) in
      _ = try TensorWriter(location, element: .float32, shape: [1 << 20, 1 << 38])
    }
    #expect(failure?.kind == .system(code: ENOSPC))
    #expect(failure?.description.contains("are free") == true)
    #expect(directory.names == [])
  }

  @Test("checkWritable accepts what can be written and leaves no trace")
  func checkAccepts() throws {
    try TensorWriter.checkWritable("\(directory.path)/o.npy")
    try TensorWriter.checkWritable("\(directory.path)/o.safetensors:x", element: .bfloat16)
    try directory.write([1], as: "o.npy")
    try TensorWriter.checkWritable("\(directory.path)/o.npy")
    #expect(directory.names == ["o.npy"])
  }

  @Test("checkWritable refuses what cannot be written, with the reason")
  func checkRefuses() throws {
    try directory.write([1], as: "file")
    try #require(mkfifo("\(directory.path)/fifo.npy", 0o600) == 0)
    try #require(mkdir("\(directory.path)/dir.npy", 0o700) == 0)
    defer { rmdir("\(directory.path)/dir.npy") }
    let cases: [(String, TensorFileError.Kind, String)] = [
      ("\(directory.path)/none/o.npy", .system(code: ENOENT), "create the directory first"),
      ("\(directory.path)/file/o.npy", .system(code: ENOTDIR), "Not a directory"),
      ("\(directory.path)/dir.npy", .unsupported, "is a directory"),
      ("\(directory.path)/fifo.npy", .unsupported, "not a regular file"),
      ("\(directory.path)/o.txt", .location, ".npy"),
      ("\(directory.path)/o.safetensors:__metadata__", .location, "cannot be the name"),
      (
        "\(directory.path)/\(String(repeating: "n", count: 256)).npy", .system(code: ENAMETOOLONG),
        "too long"
      ),
    ]
    for (path, kind, word) in cases {
      let failure = error { () throws(TensorFileError) in try TensorWriter.checkWritable(path) }
      #expect(failure?.kind == kind, "\(path)")
      #expect(failure?.description.contains(word) == true, "\(String(describing: failure))")
    }
    let proc = error { () throws(TensorFileError) in
      try TensorWriter.checkWritable("/proc/self/o.npy")
    }
    guard case .system = proc?.kind else {
      Issue.record("/proc was accepted")
      return
    }
  }
}
