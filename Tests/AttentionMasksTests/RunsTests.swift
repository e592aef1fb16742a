import AttentionMasks
import Testing

@Suite struct RunsTests {
  @Test("numbers and places agree with a plain list")
  func places() {
    for seed in 0..<300 as Range<UInt64> {
      var random = SplitMix64(seed: seed)
      let ranges = (0..<Int.random(in: 0...8, using: &random)).map { _ in
        let start = Int.random(in: 0..<60, using: &random)
        return start..<start + Int.random(in: 0...12, using: &random)
      }
      let runs = Runs(ranges)
      let plain = Set(ranges.joined()).sorted()
      #expect(Array(runs) == plain)
      #expect(runs.count == plain.count && runs.isEmpty == plain.isEmpty)
      #expect(runs.first == plain.first && runs.last == plain.last)
      #expect((0..<runs.count).map { runs[$0] } == plain)
      for number in -1...75 {
        #expect(runs.place(of: number) == plain.firstIndex(of: number), "\(number) in \(plain)")
        #expect(runs.contains(number) == plain.contains(number))
        #expect(runs.count(below: number) == plain.count { $0 < number })
      }
      let apart = zip(runs.ranges, runs.ranges.dropFirst())
      #expect(apart.allSatisfy { $0.upperBound < $1.lowerBound })
    }
  }

  @Test("union, intersection and tiles agree with sets")
  func sets() {
    for seed in 0..<200 as Range<UInt64> {
      var random = SplitMix64(seed: seed)
      func drawn() -> Runs {
        Runs(
          (0..<4).map { _ in
            let start = Int.random(in: 0..<60, using: &random)
            return start..<start + Int.random(in: 0...12, using: &random)
          })
      }
      let (left, right) = (drawn(), drawn())
      #expect(Array(left.union(right)) == Set(left).union(right).sorted())
      #expect(Array(left.intersection(right)) == Set(left).intersection(right).sorted())
      for size in [1, 2, 7, 100] {
        #expect(Array(left.tiles(of: size)) == Set(left.map { $0 / size }).sorted())
      }
    }
  }
}
