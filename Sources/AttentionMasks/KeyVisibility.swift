/// Which keys of a tile each row of a query tile sees: row r sees keys
/// clamp(lower + r) ..< clamp(upper + r), both clamped to floor ... ceiling.
///
/// One interval per row that moves on by one key from row to row: all keys, a causal mask, a sliding
/// window, and each of them inside a document (floor ... ceiling). Seen from the keys it is the same
/// (`transposed`), and the products of the backward pass that sum over rows use it so. Masks that are
/// more than one interval are several folds.
@usableFromInline
package struct KeyVisibility: Sendable, Equatable {
  /// First key of row 0, and the one behind its last.
  @usableFromInline package let lower: Int
  @usableFromInline package let upper: Int
  /// No row sees keys but floor ..< ceiling.
  @usableFromInline package let floor: Int
  @usableFromInline package let ceiling: Int

  /// For `lower` and `upper` of rows that are bounded by `floor` and `ceiling` alone.
  @_alwaysEmitIntoClient @inline(__always)
  package static var unbounded: Int { 1 &<< 48 }

  /// - Precondition: lower < upper, both within twice `unbounded`; 0 <= floor <= ceiling.
  package init(
    lower: Int = -KeyVisibility.unbounded, upper: Int = KeyVisibility.unbounded, floor: Int = 0,
    ceiling: Int
  ) {
    precondition(
      lower < upper && lower >= -2 * Self.unbounded && upper <= 2 * Self.unbounded,
      "rows that see keys \(lower) ..< \(upper)")
    precondition(0 <= floor && floor <= ceiling, "keys \(floor) ..< \(ceiling)")
    self.init(unchecked: lower, upper, floor, ceiling)
  }

  @_alwaysEmitIntoClient @inline(__always)
  package init(unchecked lower: Int, _ upper: Int, _ floor: Int, _ ceiling: Int) {
    self.lower = lower
    self.upper = upper
    self.floor = floor
    self.ceiling = ceiling
  }

  /// The first key that `row` sees, if it sees any.
  @_alwaysEmitIntoClient @inline(__always)
  package func start(_ row: Int) -> Int { clamp(lower &+ row) }

  /// The key behind the last that `row` sees. Not below `start`; equal to it where it sees none.
  @_alwaysEmitIntoClient @inline(__always)
  package func end(_ row: Int) -> Int { clamp(upper &+ row) }

  /// Where the first vector of sixteen keys starts that `row` sees any of; `end` where it sees none.
  @_alwaysEmitIntoClient @inline(__always)
  package func firstVector(_ row: Int) -> Int {
    let (start, end) = (start(row), end(row))
    return start < end ? start & ~15 : end
  }

  @_alwaysEmitIntoClient @inline(__always)
  package func clamp(_ key: Int) -> Int { key < floor ? floor : (key < ceiling ? key : ceiling) }

  /// The same for rows counted from `row` on.
  @_alwaysEmitIntoClient @inline(__always)
  package func from(row: Int) -> Self {
    Self(unchecked: lower &+ row, upper &+ row, floor, ceiling)
  }

  /// Of the keys that rows see, those in `start ..< end`.
  @_alwaysEmitIntoClient @inline(__always)
  package func among(_ start: Int, _ end: Int) -> Self {
    let low = clamp(start)
    let high = clamp(end)
    return Self(unchecked: lower, upper, low, high < low ? low : high)
  }

  /// Which of `rowCount` rows see each key, for keys floor ..< ceiling: key k is seen by row r where
  /// lower + r <= k < upper + r.
  @_alwaysEmitIntoClient @inline(__always)
  package func transposed(rowCount: Int) -> Self {
    Self(unchecked: 1 &- upper, 1 &- lower, 0, rowCount)
  }
}
