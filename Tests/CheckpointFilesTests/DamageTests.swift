import CheckpointFiles
import Glibc
import MeshCore
import Testing

/// Nothing that can happen to the bytes of a file makes a worker restore a state that was not
/// written.
struct DamageTests {
  private let states = States()
  private let name = "000000000000abcd0000000000000007-5-3-9-0.amck"

  @Test(
    "every flipped bit is found, and the other slot is restored", arguments: CheckpointSlot.allCases
  )
  func bitFlips(slot: CheckpointSlot) throws {
    let scratch = try ScratchDirectory()
    _ = try states.makeFile(in: scratch)
    let file = try OpenFile("\(scratch.path)/\(name)")
    let image = try file.contents()
    #expect(image.count == states.fileBytes)
    var wrong: [Int] = []
    let start = slot.rawValue * states.slotBytes
    for offset in start..<start + states.slotBytes {
      for bit in 0..<8 {
        file.write([image[offset] ^ 1 << bit], at: offset)
        // Slot A has the newest state. Damage in slot B must be found too.
        let isFound =
          slot == .a
          ? try states.restoredGeneration(from: scratch) == 2
          : try restorable(scratch) == [3]
        if !isFound { wrong.append(offset * 8 + bit) }
      }
      file.write([image[offset]], at: offset)
    }
    #expect(wrong.isEmpty)
    #expect(try restorable(scratch) == [3, 2])
  }

  /// Generations that are whole.
  private func restorable(_ scratch: ScratchDirectory) throws -> [UInt64] {
    try scratch.checkpoints.candidates(states.identity).slots
      .filter { (try? states.read($0)) == states.parts($0.generation) }.map(\.generation)
  }

  @Test("every truncation is found, and what is whole is restored")
  func truncations() throws {
    let scratch = try ScratchDirectory()
    _ = try states.makeFile(in: scratch)
    let file = try OpenFile("\(scratch.path)/\(name)")
    var wrong: [Int] = []
    for length in (0..<states.fileBytes).reversed() {
      file.resize(length)
      let expected: UInt64 = length >= states.slotBytes ? 3 : 0
      if try states.restoredGeneration(from: scratch) != expected { wrong.append(length) }
      if try restorable(scratch).contains(2) { wrong.append(length) }
    }
    #expect(wrong.isEmpty)
  }

  @Test("a hole from any byte to the end of either slot gives the other state or the same one")
  func holes() throws {
    let scratch = try ScratchDirectory()
    _ = try states.makeFile(in: scratch)
    let file = try OpenFile("\(scratch.path)/\(name)")
    let image = try file.contents()
    var wrong: [Int] = []
    for length in 0..<states.fileBytes {
      let end = length < states.slotBytes ? states.slotBytes : states.fileBytes
      file.resize(length)
      file.resize(end)
      file.write(image[end...], at: end)
      let isUnchanged = image[length..<end].allSatisfy { $0 == 0 }
      let expected: [UInt64] = isUnchanged ? [3, 2] : length < states.slotBytes ? [2] : [3]
      if try restorable(scratch) != expected { wrong.append(length) }
      file.write(image[length..<end], at: length)
    }
    #expect(wrong.isEmpty)
  }

  @Test("a torn write leaves the state before it")
  func tornWrites() throws {
    let scratch = try ScratchDirectory()
    let checkpoint = try states.makeFile(in: scratch)
    let before = try scratch.contents(of: name)
    try states.write(4, to: checkpoint)
    let file = try OpenFile("\(scratch.path)/\(name)")
    let after = try file.contents()
    var random = SplitMix64(seed: 4)
    for sectorBytes in [4096, 512, 64] {
      let sectors = states.fileBytes / sectorBytes
      let changed = (0..<sectors).filter {
        let range = $0 * sectorBytes..<($0 + 1) * sectorBytes
        return before[range] != after[range]
      }
      // From the front, from the back, and any: a disk writes in the order it likes.
      var kept: [Set<Int>] = changed.indices.flatMap {
        [Set(changed[..<$0]), Set(changed[$0...])]
      }
      for _ in 0..<1000 { kept.append(Set(changed.filter { _ in Bool.random(using: &random) })) }
      for sectors in kept {
        file.write(before, at: 0)
        for sector in sectors {
          let start = sector * sectorBytes
          file.write(after[start..<start + sectorBytes], at: start)
        }
        let expected: UInt64 = sectors.count == changed.count ? 4 : 3
        #expect(try states.restoredGeneration(from: scratch) == expected, "\(sectors)")
      }
    }
  }
}
