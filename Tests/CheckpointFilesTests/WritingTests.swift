import CheckpointFiles
import Checksums
import Glibc
import MeshCore
import Testing

struct WritingTests {
  private let states = States()

  @Test("a state comes back as it was written")
  func roundTrip() throws {
    let scratch = try ScratchDirectory()
    let file = try scratch.checkpoints.create(states.identity, epoch: States.epoch)
    try states.write(1, to: file)
    let found = try scratch.checkpoints.candidates(states.identity)
    let slot = try #require(found.slots.first)
    #expect(found.slots.count == 1)
    #expect(found.rejected.map(\.fault) == [.unwritten])
    #expect(slot.epoch == States.epoch && slot.generation == 1 && slot.next == 10)
    #expect(slot.partNext == [10, 10])
    #expect(try states.read(slot) == states.parts(1))
    #expect(slot.checksum(ofPart: 1) == states.part(1, 1).withUnsafeBytes { crc32c($0) })
  }

  @Test("a file has its whole size and only its owner's rights from the start")
  func creation() throws {
    let scratch = try ScratchDirectory()
    _ = try scratch.checkpoints.create(states.identity, epoch: States.epoch)
    let name = "000000000000abcd0000000000000007-5-3-9-0.amck"
    #expect(scratch.names == [name])
    var status = stat()
    #expect(stat("\(scratch.path)/\(name)", &status) == 0)
    #expect(status.st_size == states.fileBytes && status.st_blocks * 512 >= states.fileBytes)
    #expect(status.st_mode & 0o777 == 0o600)
  }

  @Test("slots take turns, and the newer state is the better one")
  func alternation() throws {
    let scratch = try ScratchDirectory()
    let file = try scratch.checkpoints.create(states.identity, epoch: States.epoch)
    for (generation, slot) in zip(UInt64(1)...5, [CheckpointSlot.a, .b, .a, .b, .a]) {
      #expect(file.nextSlot == slot)
      try states.write(generation, to: file)
      let generations = try scratch.checkpoints.candidates(states.identity).slots.map(\.generation)
      #expect(generations == (generation == 1 ? [1] : [generation, generation - 1]))
    }
  }

  @Test("a state written from a part on equals one written whole")
  func incremental() throws {
    var states = states
    states.identity = CheckpointIdentity(
      job: states.identity.job, planHash: states.identity.planHash, numerics: "fma-16/3",
      vrank: VRank(0), partBytes: [5000, 4096, 1, 8192, 300])
    let (whole, suffix) = (try ScratchDirectory(), try ScratchDirectory())
    let wholeFile = try whole.checkpoints.create(states.identity, epoch: States.epoch)
    let suffixFile = try suffix.checkpoints.create(states.identity, epoch: States.epoch)
    var parts = states.parts(1)
    var lastChange = [Int](repeating: 0, count: parts.count)
    // Each slot had its previous state two generations ago, so what changed since is two steps.
    let firsts = [0, 0, 0, 1, 1, 2, 3, 3, 4, 5]
    for (index, first) in firsts.enumerated() {
      let generation = UInt64(index + 1)
      let firstChanged = index > 0 ? max(first, firsts[index - 1]) : 0
      for part in firstChanged..<parts.count { parts[part] = states.part(part, generation) }
      for part in first..<parts.count { lastChange[part] = states.next(generation) }
      try states.write(parts, as: generation, to: wholeFile)
      let kept = index < 2 ? 0 : min(first, firsts[index - 1])
      try states.write(parts, as: generation, to: suffixFile, first: kept)
      let left = try #require(try whole.checkpoints.candidates(states.identity).slots.first)
      let right = try #require(try suffix.checkpoints.candidates(states.identity).slots.first)
      #expect(left.generation == generation && right.generation == generation)
      #expect(try states.read(right) == parts)
      #expect(try states.read(left) == parts)
      #expect(right.next == left.next)
      for part in kept..<parts.count { #expect(right.partNext[part] == right.next) }
      for part in 0..<kept { #expect(right.partNext[part] < right.next) }
    }
  }

  @Test("more parts than one system call takes are written")
  func manyParts() throws {
    let scratch = try ScratchDirectory()
    var states = states
    states.identity = CheckpointIdentity(
      job: states.identity.job, planHash: states.identity.planHash, numerics: "",
      vrank: VRank(0), partBytes: (0..<3000).map { 1 + $0 % 700 } + [3 << 20])
    let file = try scratch.checkpoints.create(states.identity, epoch: States.epoch)
    try states.write(1, to: file)
    try states.write(2, to: file)
    #expect(try states.restoredGeneration(from: scratch) == 2)
  }

  @Test(
    "a state that would overwrite the newest one, or isn't newer, or builds upon nothing is refused"
  )
  func unfit() throws {
    let scratch = try ScratchDirectory()
    let file = try states.makeFile(in: scratch)
    let empty = UnsafeRawBufferPointer(start: nil, count: 0)
    let asked: [(CheckpointSlot, UInt64, Int)] = [(.a, 9, 2), (.b, 3, 2), (.b, 9, 3), (.b, 9, -1)]
    for (slot, generation, first) in asked {
      let error = #expect(throws: CheckpointError.self) {
        try file.write(slot: slot, next: 1, generation: generation, first: first) { _ in empty }
      }
      guard case .unfit = error else {
        Issue.record("\(slot) \(generation) \(first): \(error.map { "\($0)" } ?? "taken")")
        continue
      }
    }
    // What is there is as good as before, and the file takes the next state.
    #expect(try states.restoredGeneration(from: scratch) == 3)
    try states.write(4, to: file)
    #expect(try states.restoredGeneration(from: scratch) == 4)
    let other = try ScratchDirectory()
    let fresh = try other.checkpoints.create(states.identity, epoch: States.epoch)
    #expect(throws: CheckpointError.self) { try states.write(1, to: fresh, first: 1) }
  }
}
