import CheckpointFiles
import Glibc
import MeshCore
import Testing

struct MutationTests {
  private let states = States()
  private let name = "000000000000abcd0000000000000007-5-3-9-0.amck"

  /// Files whose pieces may end up in the one that is read.
  private struct Sources {
    var current: [UInt8]
    var foreign: [[UInt8]]
  }

  private func makeSources() throws -> Sources {
    var older: [[UInt8]] = []
    let scratch = try ScratchDirectory()
    let file = try scratch.checkpoints.create(states.identity, epoch: States.epoch)
    for generation in UInt64(1)...3 {
      try states.write(generation, to: file)
      older.append(try scratch.contents(of: name))
    }
    let current = older.removeLast()
    // The same virtual rank of another job.
    var other = states
    other.identity = CheckpointIdentity(
      job: JobID(high: 0, low: 1), planHash: states.identity.planHash, numerics: "fma-16/3",
      vrank: VRank(5), partBytes: states.identity.partBytes)
    let foreign = try ScratchDirectory()
    _ = try other.makeFile(in: foreign)
    older.append(try foreign.contents(of: try #require(foreign.names.first)))
    return Sources(current: current, foreign: older)
  }

  private func mutate(_ image: inout [UInt8], _ sources: Sources, _ random: inout SplitMix64) {
    guard !image.isEmpty else { return }
    let offset = Int.random(in: 0..<image.count, using: &random)
    let length = min(
      image.count - offset, 1 << Int.random(in: 0...13, using: &random))
    let range = offset..<offset + length
    switch Int.random(in: 0..<8, using: &random) {
    case 0, 1: image[offset] ^= 1 << UInt8.random(in: 0..<8, using: &random)
    case 2: image.replaceSubrange(range, with: repeatElement(0, count: length))
    case 3: for index in range { image[index] = UInt8.random(in: 0...255, using: &random) }
    case 4:
      let source = Int.random(in: 0...image.count - length, using: &random)
      image.replaceSubrange(range, with: Array(image[source..<source + length]))
    case 5, 6:
      // Sectors of an earlier state or of another job's file, at their own place.
      let foreign = sources.foreign.randomElement(using: &random) ?? []
      let sectors = offset / 512 * 512..<min(image.count, (offset + length + 511) / 512 * 512)
      image.replaceSubrange(sectors, with: foreign[sectors])
    default: image.removeLast(length / 2)
    }
  }

  @Test("no mutation makes a state that was not written", arguments: [11, 12] as [UInt64])
  func mutations(seed: UInt64) throws {
    let sources = try makeSources()
    let scratch = try ScratchDirectory()
    try scratch.write(sources.current, as: name)
    let file = try OpenFile("\(scratch.path)/\(name)")
    var random = SplitMix64(seed: seed)
    var restored: [UInt64: Int] = [:]
    for round in 0..<50_000 * soakFactor {
      var image = sources.current
      for _ in 0..<Int.random(in: 1...4, using: &random) { mutate(&image, sources, &random) }
      if image.count < states.fileBytes { file.resize(image.count) }
      file.write(image, at: 0)
      guard let generation = try states.restoredGeneration(from: scratch) else {
        Issue.record("round \(round) of seed \(seed) restored what was not written")
        return
      }
      restored[generation, default: 0] += 1
    }
    // The test would show nothing if all files were lost or none.
    for generation in UInt64(0)...3 {
      #expect(restored[generation, default: 0] > 100 || generation == 1, "\(restored)")
    }
  }
}
