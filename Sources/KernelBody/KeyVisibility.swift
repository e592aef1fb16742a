/// How many leading keys of a tile each row of a query tile sees: row r sees keys
/// 0 ..< clamp(first + r * increment, 0, keyCount).
@usableFromInline
package struct KeyVisibility: Sendable, Equatable {
  /// Keys that row 0 sees; may be negative or beyond the tile.
  @usableFromInline package let first: Int
  /// Further keys per row: 0 where all rows see the same keys, 1 under a causal mask. Not negative.
  @usableFromInline package let increment: Int

  package init(first: Int, increment: Int) {
    precondition(increment >= 0, "increment \(increment) is negative")
    self.first = first
    self.increment = increment
  }

  @_alwaysEmitIntoClient @inline(__always)
  package func count(row: Int, keyCount: Int) -> Int {
    let seen = first &+ row &* increment
    return seen < 0 ? 0 : (seen < keyCount ? seen : keyCount)
  }
}
