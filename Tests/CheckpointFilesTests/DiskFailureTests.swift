import CheckpointFiles
import Glibc
import MeshCore
import Testing

struct DiskFailureTests {
  private let states = States()
  private let name = "000000000000abcd0000000000000007-5-3-9-0.amck"

  @Test("a disk without room is met when the file is made, and nothing is left of it")
  func fullDisk() async {
    await #expect(processExitsWith: .success) {
      // In a process of its own, since the limit is the process's.
      signal(SIGXFSZ, SIG_IGN)
      var limit = rlimit(rlim_cur: 20_000, rlim_max: 20_000)
      guard setrlimit(__rlimit_resource_t(1), &limit) == 0 else { exit(2) }
      let scratch = try ScratchDirectory()
      let error = #expect(throws: CheckpointError.self) {
        try scratch.checkpoints.create(States().identity, epoch: States.epoch)
      }
      guard case .noSpace = error, scratch.names.isEmpty else { exit(3) }
    }
  }

  @Test("a full file system is told from other failures", .enabled(if: SmallDisk.isAvailable))
  func fullFileSystem() throws {
    let disk = try SmallDisk()
    defer { disk.unmount() }
    let directory = try CheckpointDirectory(path: disk.path)
    let file = try directory.create(states.identity, epoch: States.epoch)
    var other = states
    other.identity = CheckpointIdentity(
      job: states.identity.job, planHash: states.identity.planHash, numerics: "",
      vrank: VRank(6), partBytes: [1 << 20])
    let error = #expect(throws: CheckpointError.self) {
      try directory.create(other.identity, epoch: States.epoch)
    }
    #expect(error == .noSpace(operation: "write a checkpoint"))
    // What has its room keeps it.
    for generation in UInt64(1)...4 { try states.write(generation, to: file) }
    #expect(try directory.candidates(states.identity).slots.map(\.generation) == [4, 3])
  }

  @Test("after a failed flush nothing is written to the file; a new one takes its place")
  func failedFlush() throws {
    // Takes every write, and cannot be flushed.
    try failure(by: "/dev/null", O_RDWR, .io(operation: "flush a checkpoint", code: EINVAL))
  }

  @Test("after a write without room nothing is written to the file; a new one takes its place")
  func failedWriteForRoom() throws {
    try failure(by: "/dev/full", O_RDWR, .noSpace(operation: "write a checkpoint"))
  }

  @Test("after a refused write nothing is written to the file; a new one takes its place")
  func refusedWrite() throws {
    try failure(by: "/dev/null", O_RDONLY, .io(operation: "write a checkpoint", code: EBADF))
  }

  private func failure(by device: String, _ flags: Int32, _ expected: CheckpointError) throws {
    let scratch = try ScratchDirectory()
    let file = try states.makeFile(in: scratch)
    try scratch.replaceDescriptor(of: name, by: device, flags)
    #expect(throws: expected) { try states.write(4, to: file) }
    let dead = CheckpointError.io(
      operation: "write a checkpoint after a failed write", code: EIO)
    #expect(throws: dead) { try states.write(4, to: file) }
    #expect(try states.restoredGeneration(from: scratch) == 3)

    let second = try scratch.checkpoints.create(states.identity, epoch: States.epoch)
    let secondName = "000000000000abcd0000000000000007-5-3-9-1.amck"
    #expect(scratch.names == [name, secondName])
    #expect(try states.restoredGeneration(from: scratch) == 3)
    try states.write(4, to: second)
    #expect(scratch.names == [secondName])
    #expect(try states.restoredGeneration(from: scratch) == 4)
  }

  @Test("a failed read is not taken for damage")
  func failedRead() throws {
    let scratch = try ScratchDirectory()
    do { _ = try states.makeFile(in: scratch) }
    let slot = try #require(try scratch.checkpoints.candidates(states.identity).slots.first)
    try scratch.replaceDescriptor(of: name, by: scratch.path, O_RDONLY | O_DIRECTORY)
    #expect(
      throws: CheckpointError.io(operation: "read part 0 of \(slot.location)", code: EISDIR)
    ) { try states.read(slot) }
  }

  @Test("a directory that can't be used says why")
  func directories() throws {
    let scratch = try ScratchDirectory()
    try scratch.write([], as: "file")
    func error(_ path: String) -> CheckpointError? {
      #expect(throws: CheckpointError.self) { try CheckpointDirectory(path: path) }
    }
    let missing = "\(scratch.path)/a/b"
    #expect(
      error(missing).map { "\($0)" }
        == "cannot create the directory \(missing): No such file or directory")
    #expect(
      error("\(scratch.path)/file")
        == .io(operation: "open the directory \(scratch.path)/file", code: ENOTDIR))
    let made = "\(scratch.path)/new"
    _ = try CheckpointDirectory(path: made)
    var status = stat()
    #expect(stat(made, &status) == 0 && status.st_mode & 0o777 == 0o700)
  }

  @Test(
    "a directory that takes no files is found out, also by root, and one that does is left as it was"
  )
  func probe() throws {
    let scratch = try ScratchDirectory()
    let before = scratch.names
    try scratch.checkpoints.probe()
    #expect(scratch.names == before)
    let process = try CheckpointDirectory(path: "/proc")
    let error = #expect(throws: CheckpointError.self) { try process.probe() }
    #expect(error.map { "\($0)".hasPrefix("cannot make a file in /proc: ") } == true)
  }

  @Test("a full disk is no reason to refuse a directory", .enabled(if: SmallDisk.isAvailable))
  func probeOfFullDisk() throws {
    let disk = try SmallDisk()
    defer { disk.unmount() }
    let directory = try CheckpointDirectory(path: disk.path)
    let file = open("\(disk.path)/ballast", O_WRONLY | O_CREAT, 0o600)
    defer { close(file) }
    let bytes = [UInt8](repeating: 1, count: 4_096)
    while write(file, bytes, bytes.count) > 0 {}
    #expect(errno == ENOSPC)
    try directory.probe()
  }
}

/// A file system of 64 KiB, where the process may mount one.
struct SmallDisk {
  let path: String

  static let isAvailable: Bool = {
    guard let disk = try? SmallDisk() else { return false }
    disk.unmount()
    return true
  }()

  init() throws {
    var template = Array("/tmp/attnmesh-disk-XXXXXX".utf8CString)
    let made = template.withUnsafeMutableBufferPointer { buffer in
      buffer.baseAddress.map { mkdtemp($0) != nil } ?? false
    }
    try #require(made)
    path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    guard mount("tmpfs", path, "tmpfs", 0, "size=64k") == 0 else {
      rmdir(path)
      throw CheckpointError.io(operation: "mount", code: errno)
    }
  }

  func unmount() {
    umount2(path, Int32(MNT_DETACH))
    rmdir(path)
  }
}
