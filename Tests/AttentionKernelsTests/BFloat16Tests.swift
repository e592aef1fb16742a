import AttentionKernels
import Testing

/// The forward pass with bfloat16 operands: within twice the error of a naive bfloat16 computation, and
/// with the same promises of bits as float32.
@Suite struct BFloat16Tests {
  private enum Probe: FusedLevel {}

  /// Every kind of mask and shape, odd head dimensions, lengths and borders.
  static func problem(_ place: Int) -> (name: String, problem: HeadProblem) {
    let (rows, keys) = [(70, 301), (64, 512), (33, 257), (200, 91), (5, 1)][place % 5]
    let dealt = DealtMask(place, queries: rows, keys: keys, seed: UInt64(place))
    var problem = HeadProblem(
      headDimension: [64, 33, 128, 40, 1, 111][place % 6], rows: rows, keys: keys, type: .bfloat16,
      mask: dealt.mask, shape: dealt.shape, spread: place % 2 == 0 ? 1 : 3, seed: UInt64(place))
    problem.operands = .bfloat16
    return ("d \(problem.headDimension), \(dealt.testDescription)", problem)
  }

  @Test("agrees with the reference within twice the naive error", arguments: 0..<DealtMask.count)
  func reference(kind: Int) {
    for round in 0..<5 {
      let (name, problem) = Self.problem(kind + DealtMask.count * round)
      let tolerance = tolerance(problem)
      for level in supportedLevels {
        let violation = violation(problem, attend(level, problem), tolerance)
        #expect(violation == nil, "\(level.name), \(name)")
      }
    }
  }

  @Test("operands are rounded: results differ from those of float32, by little")
  func rounding() {
    var problem = Self.problem(1).problem
    let rounded = attend(.best, problem)
    problem.operands = .float32
    let exact = attend(.best, problem)
    #expect(rounded.output != exact.output)
    let largest = zip(rounded.output, exact.output).reduce(0) { max($0, abs($1.0 - $1.1)) }
    #expect(largest < 0x1p-6)
  }

  @Test("heights and levels of one class change no bit", arguments: 0..<DealtMask.count)
  func bits(kind: Int) {
    let (name, problem) = Self.problem(kind + 2)
    let whole = attend(.best, problem).bits
    for height in [1, 5, 16, 17] {
      #expect(attend(.best, problem, height: height).bits == whole, "\(name), height \(height)")
    }
    for level in supportedLevels where level.bfloat16Class == KernelLevel.best.bfloat16Class {
      #expect(attend(level, problem).bits == whole, "\(name), \(level.name)")
    }
  }

  @Test("of a pair of keys the one that a row doesn't see changes no bit, even where it is NaN")
  func pairs() {
    for kind in 0..<DealtMask.count {
      let (name, clean) = Self.problem(kind + 4)
      let d = clean.headDimension
      for row in [0, clean.rowCount / 2, clean.rowCount - 1] {
        var dirty = clean
        for key in 0..<clean.keyCount where !clean.mask.sees(query: row, key: key) {
          for k in key * d..<(key + 1) * d { (dirty.keys[k], dirty.values[k]) = (.nan, .infinity) }
        }
        for level in supportedLevels {
          let (left, right) = (attend(level, clean), attend(level, dirty))
          #expect(left.rowBits(row, of: d) == right.rowBits(row, of: d), "\(name)")
        }
      }
    }
  }

  @Test(
    "a packed tile holds pairs of columns of K and pairs of keys of V", arguments: supportedLevels)
  func packing(level: KernelLevel) {
    for (d, keys) in [(1, 1), (7, 33), (64, 64), (33, 31), (40, 255), (256, 65)] {
      var problem = HeadProblem(
        headDimension: d, rows: 1, keys: keys, type: .bfloat16, seed: UInt64(d))
      problem.operands = .bfloat16
      let layout = problem.layout
      let tile = packedTile(AttentionKernel(level: level), problem, start: 0, keyCount: keys)
      var expected = [UInt32](repeating: 0, count: layout.tileFloats(keyCount: keys))
      func put(_ value: Double, _ word: Int, isHigh: Bool) {
        let bits = Float(value).bitPattern
        expected[word] |= isHigh ? bits & 0xFFFF_0000 : bits &>> 16
      }
      for key in 0..<keys {
        for k in 0..<d {
          put(
            problem.keys[key * d + k],
            (key / 64 * layout.rowWords + k / 2) * 64 + key % 64, isHigh: k % 2 == 1)
          let width = layout.valuePanelWidth(column: k / 64 * 64)
          let panel =
            layout.keyTileFloats(keyCount: keys) + k / 64 * 64 * layout.keyWords(keys)
          put(
            problem.values[key * d + k], panel + key / 2 * width + k % 64, isHigh: key % 2 == 1)
        }
      }
      #expect(tile.bits == expected, "d \(d) keys \(keys)")
    }
  }

  @Test("rounding to bfloat16: ties to even, NaN quiet, infinity kept")
  func rounds() {
    let values: [(Float, UInt32)] = [
      (1, 0x3F80), (Float(bitPattern: 0x3F80_8000), 0x3F80),
      (Float(bitPattern: 0x3F81_8000), 0x3F82), (Float(bitPattern: 0x3F80_8001), 0x3F81),
      (.infinity, 0x7F80), (-.infinity, 0xFF80), (Float(bitPattern: 0x7FFF_FFFF), 0x7FC0),
      (Float(bitPattern: 0xFF80_0001), 0x7FC0), (-0.0, 0x8000), (0, 0),
      (.greatestFiniteMagnitude, 0x7F80),
    ]
    for (value, bits) in values {
      let words = Probe.bfloat16Words(low: Lanes(repeating: value), high: Lanes(repeating: 1))
      #expect(words[3].bitPattern == 0x3F80_0000 | bits)
    }
  }
}
