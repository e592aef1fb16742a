import AttentionKernels
import Testing

@Suite struct PackingTests {
  @Test("a packed tile holds every element once, and zeros elsewhere", arguments: supportedLevels)
  func roundTrip(level: KernelLevel) {
    for type in ElementType.allCases {
      for (d, keys) in [(1, 1), (7, 33), (16, 32), (33, 31), (40, 256), (256, 65)] {
        let problem = HeadProblem(
          headDimension: d, rows: 1, keys: keys, type: type, seed: UInt64(d))
        let layout = problem.layout
        let tile = packedTile(
          AttentionKernel(level: level), problem, start: 0, keyCount: keys
        ).array
        var expected = [Float](repeating: 0, count: layout.tileFloats(keyCount: keys))
        for key in 0..<keys {
          for k in 0..<d {
            expected[(key / 64 * d + k) * 64 + key % 64] = Float(problem.keys[key * d + k])
            let panel = layout.keyTileFloats(keyCount: keys) + k / 64 * 64 * keys
            let width = layout.valuePanelWidth(column: k / 64 * 64)
            expected[panel + key * width + k % 64] = Float(problem.values[key * d + k])
          }
        }
        #expect(tile == expected, "\(type) d \(d) keys \(keys)")
      }
    }
  }

  @Test("every float16 and bfloat16 widens exactly", arguments: supportedLevels)
  func widening(level: KernelLevel) {
    let kernel = AttentionKernel(level: level)
    let layout = PackedLayout(headDimension: 256)
    for type in [ElementType.float16, .bfloat16] {
      let tile = AlignedFloats(count: layout.tileFloats(keyCount: 256))
      let bits = (0..<65536).map { UInt16($0) }
      bits.withUnsafeBytes { bytes in
        guard let base = bytes.baseAddress else { return }
        kernel.packTile(
          keys: base, values: base, type: type, keyCount: 256, layout: layout, into: tile.base)
      }
      let values = tile.base + layout.keyTileFloats(keyCount: 256)
      let wrong = bits.filter { bits in
        let exact =
          type == .float16
          ? Float(Float16(bitPattern: bits)) : Float(bitPattern: UInt32(bits) << 16)
        // Panels [4][256 keys][64 columns].
        let (key, column) = (Int(bits) / 256, Int(bits) % 256)
        let got = values[(column / 64 * 256 + key) * 64 + column % 64]
        return exact.isNaN ? !got.isNaN : got.bitPattern != exact.bitPattern
      }
      #expect(wrong.isEmpty)
    }
  }

  @Test("raw rows need no alignment", arguments: supportedLevels)
  func unaligned(level: KernelLevel) {
    let kernel = AttentionKernel(level: level)
    for type in ElementType.allCases {
      let problem = HeadProblem(headDimension: 40, rows: 1, keys: 33, type: type, seed: 41)
      let expected = packedTile(kernel, problem, start: 0, keyCount: 33).array
      let tile = AlignedFloats(count: expected.count)
      let keys = [0] + type.bytes(problem.keys)
      let values = [0] + type.bytes(problem.values)
      keys.withUnsafeBytes { keys in
        values.withUnsafeBytes { values in
          guard let keys = keys.baseAddress, let values = values.baseAddress else { return }
          kernel.packTile(
            keys: keys + 1, values: values + 1, type: type, keyCount: 33,
            layout: problem.layout, into: tile.base)
        }
      }
      #expect(tile.array == expected)
    }
  }

  @Test("packed queries carry the scale's power of two and sign, exactly")
  func queries() {
    for scale in [0.125, 0.3, -0.3, 0, 7] {
      var problem = HeadProblem(headDimension: 7, rows: 9, keys: 1, seed: 42)
      problem.scale = scale
      let split = LogitScale(scale)
      #expect((1...2).contains(split.factor))
      let whole = scale * 1.442_695_040_888_963_4
      #expect(abs(split.queryFactor * Double(split.factor) - whole) <= abs(whole) * 0x1p-24)
      for level in supportedLevels {
        let run = HeadRun(AttentionKernel(level: level), problem, firstRow: 0, rowCount: 9)
        #expect(run.packedQueries.array == problem.queries.map { Float($0 * split.queryFactor) })
      }
    }
  }

  @Test("levels are found by name, and the best one is supported")
  func levels() {
    for level in KernelLevel.allCases { #expect(KernelLevel(name: level.name) == level) }
    #expect(KernelLevel(name: "sse9") == nil)
    #expect(KernelLevel.best.isSupported)
    #expect(AttentionKernel(level: .best).fmaPeakLoop(iterations: 10).isFinite)
  }
}
