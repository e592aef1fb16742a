/// What the products of a forward pass multiply: their sums are float32 in either case.
@usableFromInline
package enum Operands: Sendable {
  /// Q, K, V and P as float32.
  case float32
  /// Q, K, V and P rounded to bfloat16, in pairs along the summed index: a word, a float's four bytes,
  /// holds the element of an even index and, in its upper half, the next one.
  case bfloat16
}

/// Sizes of packed buffers, in floats. Every buffer starts on a 64-byte boundary.
///
/// With bfloat16 operands a word of two elements stands for each pair of columns of Q and K, and for
/// each pair of keys of V; an odd last one has a zero beside it.
///
/// - K of a tile: panels [ceil(keys / 64)][headDimension][64 keys], the last one filled with zeros.
/// - V of a tile, right behind K: panels [ceil(paddedDimension / 64)][keys][64 columns], the last
///   one with the 16, 32 or 48 columns that are left; columns beyond the head dimension are zeros.
///   Panels, since a kernel reads the columns of its register tile key after key: the prefetcher
///   follows.
/// - Q of a query tile: rows [rows][headDimension], times a power of two (`LogitScale`).
/// - O~, the accumulator: rows [rows][paddedDimension]; m and l: [rows].
@usableFromInline
package struct PackedLayout: Sendable, Equatable {
  /// Keys of the largest tile.
  @_alwaysEmitIntoClient @inline(__always)
  package static var keyCountMaximum: Int { 256 }

  /// Rows of the largest query tile.
  @_alwaysEmitIntoClient @inline(__always)
  package static var rowCountMaximum: Int { 64 }

  /// Largest head dimension.
  @_alwaysEmitIntoClient @inline(__always)
  package static var headDimensionMaximum: Int { 256 }

  /// Keys whose P V is summed in one chain, a power of two: see `valueBand`.
  @_alwaysEmitIntoClient @inline(__always)
  package static var valueChunk: Int { 64 }

  /// d, 1...256.
  @usableFromInline package let headDimension: Int
  @usableFromInline package let operands: Operands

  package init(headDimension: Int, operands: Operands = .float32) {
    precondition(
      (1...PackedLayout.headDimensionMaximum).contains(headDimension),
      "head dimension \(headDimension) is not in 1...\(PackedLayout.headDimensionMaximum)")
    self.headDimension = headDimension
    self.operands = operands
  }

  /// log2 of the elements in a word.
  @_alwaysEmitIntoClient @inline(__always)
  package var pairing: Int { operands == .bfloat16 ? 1 : 0 }

  /// Words of a row of Q or K.
  @_alwaysEmitIntoClient @inline(__always)
  package var rowWords: Int { (headDimension &+ pairing) &>> pairing }

  /// Floats of a row of Q or K in whole vectors of words, before they are paired.
  @_alwaysEmitIntoClient @inline(__always)
  package var wholeWordFloats: Int {
    operands == .bfloat16 ? (headDimension &+ 31) & ~31 : paddedDimension
  }

  /// Words of a column of V.
  @_alwaysEmitIntoClient @inline(__always)
  package func keyWords(_ keyCount: Int) -> Int { (keyCount &+ pairing) &>> pairing }

  /// d rounded up to whole vectors of sixteen floats.
  @_alwaysEmitIntoClient @inline(__always)
  package var paddedDimension: Int { (headDimension &+ 15) & ~15 }

  /// Floats of the K panels of `keyCount` keys of one head; V starts there.
  @_alwaysEmitIntoClient @inline(__always)
  package func keyTileFloats(keyCount: Int) -> Int { ((keyCount &+ 63) & ~63) &* rowWords }

  /// Columns of the V panel that starts at `column`, a multiple of 64.
  @_alwaysEmitIntoClient @inline(__always)
  package func valuePanelWidth(column: Int) -> Int {
    paddedDimension &- column < 64 ? paddedDimension &- column : 64
  }

  /// Where column panels of `keyCount` keys have `column` of key 0, and how far apart keys are.
  @_alwaysEmitIntoClient @inline(__always)
  package func panelPlace(column: Int, keyCount: Int) -> (offset: Int, stride: Int) {
    let panel = column & ~63
    return (panel &* keyWords(keyCount) &+ (column & 63), valuePanelWidth(column: panel))
  }

  /// Floats of K and V of `keyCount` keys of one head.
  @_alwaysEmitIntoClient @inline(__always)
  package func tileFloats(keyCount: Int) -> Int {
    keyTileFloats(keyCount: keyCount) &+ keyWords(keyCount) &* paddedDimension
  }

  /// Floats of `rowCount` packed query rows.
  @_alwaysEmitIntoClient @inline(__always)
  package func queryFloats(rowCount: Int) -> Int { rowCount &* rowWords }

  /// Floats of the accumulator O~ of `rowCount` rows.
  @_alwaysEmitIntoClient @inline(__always)
  package func accumulatorFloats(rowCount: Int) -> Int { rowCount &* paddedDimension }
}
