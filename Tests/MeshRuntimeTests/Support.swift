import ElementTypes
import Glibc
import MeshCore
import MeshRuntime
import Testing

/// A store's directory for one test, removed with everything in it.
final class TemporaryStore {
  let path: String

  init() throws {
    var template = Array("/tmp/attnmesh-store-XXXXXX".utf8CString)
    let made = template.withUnsafeMutableBufferPointer { buffer in
      buffer.baseAddress.map { mkdtemp($0) != nil } ?? false
    }
    try #require(made, "no directory for the test")
    path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  deinit { remove(path) }

  /// Removes whatever is there, and doesn't follow links.
  func remove(_ path: String) {
    for name in names(path) { remove("\(path)/\(name)") }
    if unlink(path) != 0 { rmdir(path) }
  }

  func file(_ job: JobID, _ name: String) -> String { "\(path)/\(job)/\(name)" }

  /// Names of what a job has, or the store.
  func names(_ path: String) -> [String] {
    var status = stat()
    guard lstat(path, &status) == 0, status.st_mode & S_IFMT == S_IFDIR,
      let stream = opendir(path)
    else { return [] }
    defer { closedir(stream) }
    var names: [String] = []
    while let entry = readdir(stream) {
      let name = withUnsafeBytes(of: entry.pointee.d_name) { bytes in
        String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
      }
      if name != "." && name != ".." { names.append(name) }
    }
    return names.sorted()
  }

  func names(of job: JobID) -> [String] { names("\(path)/\(job)") }

  /// Names of jobs that have a directory.
  var jobs: [String] { names(path).filter { JobID($0) != nil } }
}

/// With several tiles and parts of both kinds, the last ones short.
let sampleJob = AttentionJob(
  batch: 1, queryHeads: 20, keyValueHeads: 4, queryTokens: 150, keyTokens: 600, headDimension: 256,
  element: .float32, mask: .causal, scale: 0.5, layout: .zigzag)

extension StoreDirectory {
  /// Leaves a job as it is once it was sealed.
  func seal(_ job: JobID, _ spec: AttentionJob = sampleJob) throws -> TileChecksums {
    let files = try create(job, spec)
    for tensor in spec.inputTensors {
      let bytes = (0..<spec.byteCount(tensor)).map {
        UInt8(truncatingIfNeeded: $0 &* Int(tensor.rawValue) >> 3)
      }
      try bytes.withUnsafeBytes { try files.append($0, to: tensor, at: 0) }
    }
    let checksums = try TileChecksums(files.reader)
    try checksums.save(in: try #require(files.directory), of: job, with: files.reader)
    return checksums
  }
}

func contents(of path: String) -> [UInt8] {
  let file = open(path, O_RDONLY | O_CLOEXEC)
  guard file >= 0 else { return [] }
  defer { close(file) }
  var bytes: [UInt8] = []
  var buffer = [UInt8](repeating: 0, count: 1 << 16)
  while case let count = read(file, &buffer, buffer.count), count > 0 { bytes += buffer[..<count] }
  return bytes
}

func write(_ bytes: [UInt8], to path: String) throws {
  let file = open(path, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0o600)
  defer { close(file) }
  try #require(file >= 0 && Glibc.write(file, bytes, bytes.count) == bytes.count, "\(path)")
}
