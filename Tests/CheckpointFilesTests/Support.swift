import CheckpointFiles
import Checksums
import Glibc
import MeshCore
import Testing

/// How many times longer randomised suites run: ten times under `make soak`.
let soakFactor = getenv("ATTNMESH_SOAK") == nil ? 1 : 10

/// A directory of its own for one test, in memory where there is such a file system, removed with
/// everything in it.
final class ScratchDirectory: Sendable {
  let path: String
  /// Where the checkpoints are.
  let checkpoints: CheckpointDirectory

  init() throws {
    let parent = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp"
    var template = Array("\(parent)/attnmesh-checkpoints-XXXXXX".utf8CString)
    let made = template.withUnsafeMutableBufferPointer { buffer in
      buffer.baseAddress.map { mkdtemp($0) != nil } ?? false
    }
    try #require(made, "no directory for the test")
    path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    checkpoints = try CheckpointDirectory(path: path)
  }

  deinit {
    for name in names {
      unlink("\(path)/\(name)")
      rmdir("\(path)/\(name)")
    }
    rmdir(path)
  }

  /// Names of everything in the directory, sorted.
  var names: [String] {
    guard let stream = opendir(path) else { return [] }
    defer { closedir(stream) }
    var result: [String] = []
    while let entry = readdir(stream) {
      let name = withUnsafeBytes(of: entry.pointee.d_name) { bytes in
        String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
      }
      if name != "." && name != ".." { result.append(name) }
    }
    return result.sorted()
  }

  func contents(of name: String) throws -> [UInt8] {
    let file = try OpenFile("\(path)/\(name)", O_RDONLY)
    return try file.contents()
  }

  func write(_ bytes: [UInt8], as name: String) throws {
    let file = try OpenFile("\(path)/\(name)", O_WRONLY | O_CREAT | O_TRUNC)
    file.write(bytes, at: 0)
  }

  /// The same number, another file: what a failing disk looks like to the process that has it open.
  func replaceDescriptor(of name: String, by path: String, _ flags: Int32) throws {
    for number in 3..<Int32(1024) {
      var target = [CChar](repeating: 0, count: 4096)
      guard readlink("/proc/self/fd/\(number)", &target, target.count - 1) > 0 else { continue }
      let found = target.withUnsafeBytes { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
      guard found == "\(self.path)/\(name)" else { continue }
      let other = try OpenFile(path, flags)
      try #require(dup2(other.number, number) == number)
      return
    }
    Issue.record("\(name) is not open")
  }
}

/// A file that a test changes behind the back of what it tests.
final class OpenFile: Sendable {
  let number: Int32

  init(_ path: String, _ flags: Int32 = O_RDWR) throws {
    number = open(path, flags | O_CLOEXEC, 0o600)
    try #require(number >= 0, "cannot open \(path)")
  }

  deinit { close(number) }

  func contents() throws -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: Int(lseek(number, 0, SEEK_END)))
    try #require(pread(number, &bytes, bytes.count, 0) == bytes.count)
    return bytes
  }

  func write(_ bytes: some Collection<UInt8>, at offset: Int) {
    let bytes = Array(bytes)
    #expect(pwrite(number, bytes, bytes.count, off_t(offset)) == bytes.count)
  }

  func resize(_ byteCount: Int) { #expect(ftruncate(number, off_t(byteCount)) == 0) }
}
