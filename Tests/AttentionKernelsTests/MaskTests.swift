import AttentionKernels
import Testing

/// The mask algebra against its definition, and kernels under every kind of mask against the masked
/// reference.
@Suite struct MaskTests {
  @Test("slices have every pair that is seen once, in order, and no other")
  func partition() {
    for seed in 0..<UInt64(40 * DealtMask.count) {
      var random = SplitMix64(seed: seed)
      let (queries, keys) = (
        Int.random(in: 1...200, using: &random), Int.random(in: 1...600, using: &random)
      )
      let dealt = DealtMask(Int(seed), queries: queries, keys: keys, seed: seed)
      for first in stride(from: 0, to: queries, by: 64) {
        for start in stride(from: 0, to: keys, by: 256) {
          check(dealt, rows: first..<min(first + 64, queries), keys: start..<min(start + 256, keys))
        }
      }
    }
  }

  @Test("what a row's slices hold is what it sees, pair by pair")
  func foldedSights() {
    for kind in 0..<DealtMask.count {
      let (queries, keys) = (150 + kind, 170 - kind)
      let dealt = DealtMask(kind, queries: queries, keys: keys, seed: UInt64(kind))
      for row in 0..<queries {
        let found = dealt.mask.foldedSight(query: row, keys: 0..<keys)
        let wanted = dealt.mask.sight(query: row, keyCount: keys)
        #expect(found.keys == wanted.keys, "\(dealt), row \(row)")
        #expect(found.keys.isEmpty || found.position == wanted.position, "\(dealt), row \(row)")
        let late = dealt.mask.foldedSight(query: row, keys: 70..<keys)
        #expect(
          late.keys.map { $0 + 70 } == wanted.keys.filter { $0 >= 70 }, "\(dealt), row \(row)")
        #expect(late.keys.isEmpty || late.position == wanted.position - 70, "\(dealt), row \(row)")
      }
    }
  }

  private func check(_ dealt: DealtMask, rows: Range<Int>, keys: Range<Int>) {
    let slices = dealt.mask.slices(rows: rows, keys: keys)
    var wrong: [Int] = []
    var pairs = 0
    for row in rows {
      let seen = slices.filter { $0.rows.contains(row - rows.lowerBound) }.flatMap { slice in
        let place = row - rows.lowerBound - slice.rows.lowerBound
        return Array(slice.visibility.start(place)..<slice.visibility.end(place))
      }
      let wanted = keys.filter { dealt.mask.sees(query: row, key: $0) }
      if seen.map({ $0 + keys.lowerBound }) != wanted { wrong.append(row) }
      pairs += wanted.count
    }
    #expect(wrong.isEmpty, "\(dealt.testDescription)")
    #expect(dealt.mask.pairCount(rows: rows, keys: keys) == pairs, "\(dealt.testDescription)")
    // What is skipped costs nothing: no fold without a pair.
    #expect(slices.allSatisfy { $0.pairCount > 0 }, "\(dealt.testDescription)")
  }

  static func problem(_ place: Int, seed: UInt64) -> (name: String, problem: HeadProblem) {
    let (rows, keys) = [(130, 300), (64, 700), (33, 257), (200, 90)][place % 4]
    let dealt = DealtMask(place, queries: rows, keys: keys, seed: seed)
    return (
      dealt.testDescription,
      HeadProblem(
        headDimension: [16, 40, 64, 96][place / 4 % 4], rows: rows, keys: keys,
        type: ElementType.allCases[place % 3], mask: dealt.mask, shape: dealt.shape,
        spread: place % 2 == 0 ? 1 : 3, seed: seed)
    )
  }

  @Test("forward and backward agree with the masked reference", arguments: 0..<DealtMask.count)
  func reference(kind: Int) {
    for round in 0..<4 {
      let (name, problem) = Self.problem(
        kind + DealtMask.count * round, seed: UInt64(kind + 100 * round))
      let (tolerance, run) = (tolerance(problem), BackwardRun(.best, problem))
      let gradientTolerance = run.tolerance()
      for level in supportedLevels {
        let forward = violation(problem, attend(level, problem), tolerance)
        #expect(forward == nil, "\(level.name), \(name)")
        let gradients = BackwardRun(level, problem).run()
        let backward = gradientTolerance.violation(
          queries: gradients.queries, keys: gradients.keys, values: gradients.values)
        #expect(backward == nil, "\(level.name), \(name), backward")
      }
    }
  }

  @Test("heights of query tiles and CPU levels change no bit", arguments: 0..<DealtMask.count)
  func bits(kind: Int) {
    let (name, problem) = Self.problem(kind, seed: UInt64(kind + 7))
    for level in supportedLevels {
      var run = BackwardRun(level, problem)
      let (whole, gradients) = (attend(level, problem).bits, run.run())
      for height in [1, 5, 16, 17] {
        #expect(attend(level, problem, height: height).bits == whole, "\(name), height \(height)")
        run.height = height
        let queries = run.run().queries.map(\.bitPattern)
        #expect(queries == gradients.queries.map(\.bitPattern), "\(name), height \(height)")
      }
    }
    let (whole, gradients) = (attend(.best, problem).bits, BackwardRun(.best, problem).run())
    let equals = supportedLevels.filter {
      $0.arithmeticClass == KernelLevel.best.arithmeticClass
    }
    for level in equals {
      #expect(attend(level, problem).bits == whole, "\(name), \(level.name)")
      #expect(BackwardRun(level, problem).run().bits == gradients.bits, "\(name), \(level.name)")
    }
  }

  @Test(
    "keys that nobody sees change no bit, even where they are NaN", arguments: 0..<DealtMask.count)
  func unseen(kind: Int) {
    var (name, clean) = Self.problem(kind, seed: UInt64(kind + 3))
    let d = clean.headDimension
    // Forty keys more, which belong to no document.
    let more = Self.problem(0, seed: 1).problem.keys.prefix(40 * d)
    clean.keys += more
    clean.values += more
    var dirty = clean
    for key in 0..<clean.keyCount
    where !(0..<clean.rowCount).contains(where: { clean.mask.sees(query: $0, key: key) }) {
      for k in key * d..<(key + 1) * d { (dirty.keys[k], dirty.values[k]) = (.nan, .infinity) }
    }
    for level in supportedLevels {
      #expect(attend(level, clean).bits == attend(level, dirty).bits, "\(name)")
      #expect(
        BackwardRun(level, clean).run().bits == BackwardRun(level, dirty).run().bits, "\(name)")
    }
  }

  @Test("a row's bits don't change with what it doesn't see: NaN for all other rows' keys")
  func others() {
    for kind in 0..<DealtMask.count {
      let (name, clean) = Self.problem(kind, seed: UInt64(kind + 11))
      let d = clean.headDimension
      let row = clean.rowCount / 2
      var dirty = clean
      for key in 0..<clean.keyCount where !clean.mask.sees(query: row, key: key) {
        for k in key * d..<(key + 1) * d { (dirty.keys[k], dirty.values[k]) = (.nan, .nan) }
      }
      for level in supportedLevels {
        let (left, right) = (attend(level, clean), attend(level, dirty))
        #expect(left.rowBits(row, of: d) == right.rowBits(row, of: d), "\(name)")
        let gradients = [clean, dirty].map {
          BackwardRun(level, $0).run().queries[row * d..<(row + 1) * d].map(\.bitPattern)
        }
        #expect(gradients[0] == gradients[1], "\(name)")
      }
    }
  }

  @Test("limits beyond any sequence are no limits")
  func largest() {
    let (rows, keys) = (64..<128, 256..<300)
    let full = AttentionMask(queries: 128, keys: 300).slices(rows: rows, keys: keys)
    let wide = AttentionMask(
      queries: 128, keys: 300, before: .max, after: .max, sinks: .max)
    #expect(
      wide.slices(rows: rows, keys: keys).map(\.pairCount).reduce(0, +)
        == full.map(\.pairCount).reduce(0, +))
    #expect(wide.pairCount(rows: 0..<64, keys: 0..<256) == 64 * 256)
    let visibility = wide.slices(rows: 0..<64, keys: 0..<256)[0].visibility
    let seeing = visibility.transposed(rowCount: 64)
    #expect(seeing.start(0) == 0 && seeing.end(0) == 64)
  }

  @Test("documents at borders of tiles have the bits that they have alone")
  func documents() {
    let packed = HeadProblem(
      headDimension: 32, rows: 192, keys: 640,
      mask: AttentionMask(packed: [0, 64, 192], keys: [0, 256, 640], after: 0), seed: 9)
    let whole = attend(.best, packed)
    for (rows, keys) in [(0..<64, 0..<256), (64..<192, 256..<640)] {
      var alone = packed
      alone.queries = Array(packed.queries[rows.lowerBound * 32..<rows.upperBound * 32])
      alone.keys = Array(packed.keys[keys.lowerBound * 32..<keys.upperBound * 32])
      alone.values = Array(packed.values[keys.lowerBound * 32..<keys.upperBound * 32])
      alone.mask = AttentionMask(queries: rows.count, keys: keys.count, after: 0)
      let result = attend(.best, alone)
      for row in rows {
        #expect(result.rowBits(row - rows.lowerBound, of: 32) == whole.rowBits(row, of: 32))
      }
    }
  }
}
