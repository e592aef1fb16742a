/// A block of accumulators [rows][columns] that lives in registers: its shape is a type, so the
/// compiler keeps every accumulator in a register of its own.
///
/// The shape never changes the bits of a result: each element is one chain of multiply-adds in
/// index order, whatever is computed beside it.
@usableFromInline
package protocol RegisterTile {
  associatedtype Columns: ColumnVectors
  /// The same rows, sixteen columns: for the last columns of a padded head dimension.
  associatedtype Narrow: RegisterTile where Narrow.Columns == OneVector

  static var rows: Int { get }
  init(repeating value: Float)
  /// Loads [rows][columns] from rows `stride` floats apart; row r is multiplied by `factors[r]`.
  init(loading pointer: UnsafePointer<Float>, stride: Int, factors: UnsafePointer<Float>)
  func store(to pointer: UnsafeMutablePointer<Float>, stride: Int)
  /// Row r gains `left[r * stride]` times `columns`.
  mutating func accumulate<Level: CPULevel>(
    _: Level.Type, _ left: UnsafePointer<Float>, stride: Int, _ columns: Columns)
  /// Every element x becomes x * scalar + addend.
  mutating func scale<Level: CPULevel>(_: Level.Type, by scalar: Float, adding addend: Float)
  /// First column of each row, summed.
  var checksum: Float { get }
}

/// One row of accumulators.
@usableFromInline
package struct OneRow<Columns: ColumnVectors>: RegisterTile {
  @usableFromInline package typealias Narrow = OneRow<OneVector>
  @usableFromInline package var columns: Columns

  @_alwaysEmitIntoClient @inline(__always)
  package static var rows: Int { 1 }

  @_alwaysEmitIntoClient @inline(__always)
  package init(repeating value: Float) { columns = Columns(repeating: value) }

  @_alwaysEmitIntoClient @inline(__always)
  package init(
    loading pointer: UnsafePointer<Float>, stride: Int, factors: UnsafePointer<Float>
  ) {
    columns = Columns(loading: pointer).scaled(by: factors[0])
  }

  @_alwaysEmitIntoClient @inline(__always)
  package func store(to pointer: UnsafeMutablePointer<Float>, stride: Int) {
    columns.store(to: pointer)
  }

  @_alwaysEmitIntoClient @inline(__always)
  package mutating func accumulate<Level: CPULevel>(
    _: Level.Type, _ left: UnsafePointer<Float>, stride: Int, _ right: Columns
  ) {
    columns = columns.adding(Level.self, left[0], times: right)
  }

  @_alwaysEmitIntoClient @inline(__always)
  package mutating func scale<Level: CPULevel>(
    _: Level.Type, by scalar: Float, adding addend: Float
  ) {
    columns = columns.scaled(Level.self, by: scalar, adding: addend)
  }

  @_alwaysEmitIntoClient @inline(__always)
  package var checksum: Float { columns.firstColumn }
}

/// Two register tiles, one below the other.
@usableFromInline
package struct Stack<Upper: RegisterTile, Lower: RegisterTile>: RegisterTile
where Upper.Columns == Lower.Columns {
  @usableFromInline package typealias Columns = Upper.Columns
  @usableFromInline package typealias Narrow = Stack<Upper.Narrow, Lower.Narrow>
  @usableFromInline package var upper: Upper
  @usableFromInline package var lower: Lower

  @_alwaysEmitIntoClient @inline(__always)
  package static var rows: Int { Upper.rows &+ Lower.rows }

  @_alwaysEmitIntoClient @inline(__always)
  package init(repeating value: Float) {
    upper = Upper(repeating: value)
    lower = Lower(repeating: value)
  }

  @_alwaysEmitIntoClient @inline(__always)
  package init(
    loading pointer: UnsafePointer<Float>, stride: Int, factors: UnsafePointer<Float>
  ) {
    upper = Upper(loading: pointer, stride: stride, factors: factors)
    lower = Lower(
      loading: pointer + Upper.rows &* stride, stride: stride, factors: factors + Upper.rows)
  }

  @_alwaysEmitIntoClient @inline(__always)
  package func store(to pointer: UnsafeMutablePointer<Float>, stride: Int) {
    upper.store(to: pointer, stride: stride)
    lower.store(to: pointer + Upper.rows &* stride, stride: stride)
  }

  @_alwaysEmitIntoClient @inline(__always)
  package mutating func accumulate<Level: CPULevel>(
    _: Level.Type, _ left: UnsafePointer<Float>, stride: Int, _ right: Columns
  ) {
    upper.accumulate(Level.self, left, stride: stride, right)
    lower.accumulate(Level.self, left + Upper.rows &* stride, stride: stride, right)
  }

  @_alwaysEmitIntoClient @inline(__always)
  package mutating func scale<Level: CPULevel>(
    _: Level.Type, by scalar: Float, adding addend: Float
  ) {
    upper.scale(Level.self, by: scalar, adding: addend)
    lower.scale(Level.self, by: scalar, adding: addend)
  }

  @_alwaysEmitIntoClient @inline(__always)
  package var checksum: Float { upper.checksum + lower.checksum }
}

@usableFromInline package typealias TwoRows<C: ColumnVectors> = Stack<OneRow<C>, OneRow<C>>
@usableFromInline package typealias ThreeRows<C: ColumnVectors> = Stack<TwoRows<C>, OneRow<C>>
@usableFromInline package typealias FourRows<C: ColumnVectors> = Stack<TwoRows<C>, TwoRows<C>>
@usableFromInline package typealias SixRows<C: ColumnVectors> = Stack<FourRows<C>, TwoRows<C>>
@usableFromInline package typealias EightRows<C: ColumnVectors> = Stack<FourRows<C>, FourRows<C>>

/// tile[rows][columns] += left[rows][count] * right[count][columns], `count` in index order.
///
/// `left` has rows `leftStride` floats apart, `right` rows `rightStride` floats apart and aligned
/// to 64 bytes. The one micro-kernel of Q K^T and of P V.
@_alwaysEmitIntoClient @inline(__always)
package func multiply<Level: CPULevel, Tile: RegisterTile>(
  _: Level.Type, into tile: inout Tile,
  left: UnsafePointer<Float>, leftStride: Int,
  right: UnsafePointer<Float>, rightStride: Int, count: Int
) {
  var left = left
  var right = right
  let end = left + count
  while left < end {
    tile.accumulate(Level.self, left, stride: leftStride, Tile.Columns(loading: right))
    left += 1
    right += rightStride
  }
}
