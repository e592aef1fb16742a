import CheckpointFiles
import Checksums
import Glibc
import MeshCore
import Testing

struct HostileFileTests {
  private let states = States()
  private let name = "000000000000abcd0000000000000007-5-3-9-0.amck"

  private func faults(_ scratch: ScratchDirectory) throws -> [SlotFault] {
    let found = try scratch.checkpoints.candidates(states.identity)
    #expect(found.slots.isEmpty)
    return found.rejected.map(\.fault)
  }

  /// A checkpoint whose both headers say something else, with the checksums that go with it.
  private func faults(header: (inout [UInt8]) -> Void) throws -> [SlotFault] {
    let scratch = try ScratchDirectory()
    _ = try states.makeFile(in: scratch)
    var image = try scratch.contents(of: name)
    for start in [0, states.slotBytes] {
      var page = Array(image[start..<start + 4096])
      header(&page)
      let checksum = page.withUnsafeBytes { crc32c(UnsafeRawBufferPointer(rebasing: $0[..<4092])) }
      for byte in 0..<4 { page[4092 + byte] = UInt8(truncatingIfNeeded: checksum >> (8 * byte)) }
      image.replaceSubrange(start..<start + 4096, with: page)
    }
    try scratch.write(image, as: name)
    return try faults(scratch)
  }

  @Test("a header that says something else is rejected with the reason")
  func otherHeaders() throws {
    #expect(try faults { $0[0] = 0 } == [.magic, .magic])
    #expect(try faults { $0[4] = 2 } == [.format(2), .format(2)])
    #expect(try faults { $0.swapAt(6, 7) } == [.byteOrder, .byteOrder])
    let job = JobID(high: 0xABCD, low: 8)
    #expect(try faults { $0[16] = 8 } == [.job(job), .job(job)])
    #expect(try faults { $0[24] ^= 1 } == [.plan, .plan])
    #expect(try faults { $0[56] = 10 } == [.numerics("?ma-16/3"), .numerics("?ma-16/3")])
    #expect(try faults { $0[119] = 1 } == [.numerics("fma-16/3"), .numerics("fma-16/3")])
    #expect(try faults { $0[120] = 6 } == [.vrank(6), .vrank(6)])
    let epoch = Epoch(term: 3, counter: 8)
    #expect(try faults { $0[136] = 8 } == [.epoch(epoch), .epoch(epoch)])
    #expect(try faults { $0[168] ^= 1 } == [.tableDigest, .tableDigest])
  }

  @Test("sizes that a header claims are compared and never used")
  func hugeSizes() throws {
    let huge = SlotFault.parts(count: 2, bytes: 1 << 60)
    #expect(
      try faults { page in for byte in 152..<160 { page[byte] = byte == 159 ? 0x10 : 0 } }
        == [huge, huge])
    let many = SlotFault.parts(count: .max, bytes: 1700)
    #expect(try faults { page in for byte in 124..<128 { page[byte] = 0xFF } } == [many, many])
    let all = SlotFault.parts(count: 2, bytes: .max)
    #expect(try faults { page in for byte in 152..<160 { page[byte] = 0xFF } } == [all, all])
  }

  @Test("a checkpoint of another job, plan, arithmetic, cut or virtual rank is not restored")
  func otherIdentity() throws {
    func faults(_ change: (CheckpointIdentity) -> CheckpointIdentity) throws -> [SlotFault] {
      let scratch = try ScratchDirectory()
      var other = states
      other.identity = change(states.identity)
      _ = try other.makeFile(in: scratch)
      try scratch.write(try scratch.contents(of: try #require(scratch.names.first)), as: name)
      return try self.faults(scratch)
    }
    func identity(
      job: JobID = JobID(high: 0xABCD, low: 7), plan: [UInt8] = [1, 2, 3],
      numerics: String = "fma-16/3", vrank: Int = 5, parts: [Int] = [1000, 700]
    ) -> CheckpointIdentity {
      CheckpointIdentity(
        job: job, planHash: SHA256.hash(plan), numerics: numerics, vrank: VRank(vrank),
        partBytes: parts)
    }
    let job = JobID(high: 0, low: 1)
    #expect(try faults { _ in identity(job: job) } == [.job(job), .job(job)])
    #expect(try faults { _ in identity(plan: [4]) } == [.plan, .plan])
    #expect(
      try faults { _ in identity(numerics: "fma-16/33") }
        == [.numerics("fma-16/33"), .numerics("fma-16/33")])
    #expect(try faults { _ in identity(vrank: 4) } == [.vrank(4), .vrank(4)])
    let parts = SlotFault.parts(count: 3, bytes: 1700)
    #expect(try faults { _ in identity(parts: [1000, 350, 350]) } == [parts, parts])
    // The same sum cut elsewhere has another plan; were it not so, its parts would not fit.
    let scratch = try ScratchDirectory()
    var other = states
    other.identity = identity(parts: [700, 1000])
    _ = try other.makeFile(in: scratch)
    #expect(try states.restoredGeneration(from: scratch) == 0)
  }

  @Test("nothing but a regular file is opened")
  func otherFileTypes() throws {
    let scratch = try ScratchDirectory()
    _ = try states.makeFile(in: scratch)
    #expect(rename("\(scratch.path)/\(name)", "\(scratch.path)/elsewhere") == 0)
    #expect(symlink("elsewhere", "\(scratch.path)/\(name)") == 0)
    #expect(try faults(scratch) == [.notAFile])
    #expect(unlink("\(scratch.path)/\(name)") == 0)
    #expect(mkfifo("\(scratch.path)/\(name)", 0o600) == 0)
    #expect(try faults(scratch) == [.notAFile])
    #expect(unlink("\(scratch.path)/\(name)") == 0)
    #expect(mkdir("\(scratch.path)/\(name)", 0o700) == 0)
    #expect(try faults(scratch) == [.notAFile])
  }

  @Test("empty and foreign files are rejected")
  func foreignFiles() throws {
    let scratch = try ScratchDirectory()
    try scratch.write([], as: name)
    #expect(try faults(scratch) == [.truncated, .truncated])
    try scratch.write([UInt8](repeating: 0x41, count: states.fileBytes), as: name)
    #expect(try faults(scratch) == [.magic, .magic])
    try scratch.write([UInt8](repeating: 0, count: states.fileBytes), as: name)
    #expect(try faults(scratch) == [.unwritten, .unwritten])
    let file = try OpenFile("\(scratch.path)/\(name)")
    file.resize(1 << 40)
    #expect(try faults(scratch) == [.unwritten, .unwritten])
  }

  @Test("swapped slots and a slot put back from earlier give the newest state there is")
  func misplacedSlots() throws {
    let scratch = try ScratchDirectory()
    let file = try states.makeFile(in: scratch)
    let image = try scratch.contents(of: name)
    let (a, b) = (image[..<states.slotBytes], image[states.slotBytes...])
    try scratch.write(Array(b + a), as: name)
    #expect(try states.restoredGeneration(from: scratch) == 3)
    try scratch.write(Array(a + a), as: name)
    #expect(try states.restoredGeneration(from: scratch) == 3)
    try scratch.write(image, as: name)
    try states.write(4, to: file)
    try states.write(5, to: file)
    #expect(try states.restoredGeneration(from: scratch) == 5)
    try OpenFile("\(scratch.path)/\(name)").write(a, at: 0)
    #expect(try states.restoredGeneration(from: scratch) == 4)
  }
}
