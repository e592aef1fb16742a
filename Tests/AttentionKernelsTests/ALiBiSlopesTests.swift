import AttentionKernels
import Testing

@Suite struct ALiBiSlopesTests {
  @Test("powers of two are a geometric sequence down to 2^-8")
  func powersOfTwo() {
    #expect(ALiBiSlopes.standard(heads: 1) == [0x1p-8])
    #expect(ALiBiSlopes.standard(heads: 2) == [0x1p-4, 0x1p-8])
    #expect(ALiBiSlopes.standard(heads: 8) == (1...8).map { 1 / Float(1 << $0) })
    let many = ALiBiSlopes.standard(heads: 65_536)
    #expect(many.count == 65_536 && many.last == 0x1p-8)
    #expect(zip(many, many.dropFirst()).allSatisfy { $0 > $1 })
  }

  @Test("other counts take every other slope of the next power of two")
  func others() {
    let root = Float(0.5.squareRoot())
    let twelve = ALiBiSlopes.standard(heads: 12)
    #expect(twelve.prefix(8) == (1...8).map { 1 / Float(1 << $0) }[...])
    #expect(twelve.suffix(4) == [root, root / 2, root / 4, root / 8])
    #expect(ALiBiSlopes.standard(heads: 3) == [0x1p-4, 0x1p-8, 0x1p-2])
    #expect(ALiBiSlopes.standard(heads: 9).last == root)
  }
}
