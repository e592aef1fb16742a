/// The standard slopes of ALiBi (Press, Smith, Lewis 2022, section 3): for n heads, a power of two, the
/// geometric sequence 2^(-8/n), 2^(-16/n), … 2^-8. For other counts those of the next lower power of two m, and
/// then every other one of 2m, from the first on, as the authors' code has it.
///
/// By square roots and products of Doubles, each rounded once: the same bits on every machine.
package enum ALiBiSlopes {
  /// The slope of each of `heads` query heads.
  package static func standard(heads: Int) -> [Float] {
    precondition(heads > 0, "\(heads) heads")
    let lower = 1 << (Int.bitWidth - 1 - heads.leadingZeroBitCount)
    let further = sequence(lower * 2).enumerated().filter { $0.offset % 2 == 0 }.map(\.element)
    return (sequence(lower) + further.prefix(heads - lower)).map { Float($0) }
  }

  /// Of a power of two of heads.
  private static func sequence(_ heads: Int) -> [Double] {
    // 2^(-8 i / n) = 2^-(whole) · (2^(-1/n'))^rest, in which no product has more than a few factors: roots
    // of roots are exact to half a unit, and long products of them would not be.
    (1...heads).map { head in
      let eighths = 8 * head
      var slope = 1 / Double(1 << (eighths / heads))
      // The binary digits of the rest, each a square root of the one before.
      var (rest, root) = (eighths % heads, 0.5)
      while rest > 0 {
        root = root.squareRoot()
        rest *= 2
        if rest >= heads {
          slope *= root
          rest -= heads
        }
      }
      return slope
    }
  }
}
