/// A block of accumulators [rows][columns] that lives in registers: its shape is a type, so the
/// compiler keeps every accumulator in a register of its own.
///
/// The shape never changes the bits of a result: each element is one chain of multiply-adds in
/// index order, whatever is computed beside it.
@usableFromInline
package protocol RegisterTile {
  associatedtype Columns: ColumnVectors
  /// The same rows, half the columns: for what is left beside whole tiles.
  associatedtype Narrow: RegisterTile where Narrow.Columns == Columns.Half

  static var rows: Int { get }
  init(repeating value: Float)
  /// Loads [rows][columns] from rows `stride` floats apart.
  init(loading pointer: UnsafePointer<Float>, stride: Int)
  func store(to pointer: UnsafeMutablePointer<Float>, stride: Int)
  /// Row r gains row r of [rows][columns] at `pointer`, rows `stride` floats apart.
  mutating func add(_ pointer: UnsafePointer<Float>, stride: Int)
  /// Row r gains `factors[r]` times row r of [rows][columns] at `pointer`.
  mutating func add<Level: CPULevel>(
    _: Level.Type, _ pointer: UnsafePointer<Float>, stride: Int,
    times factors: UnsafePointer<Float>)
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
  @usableFromInline package typealias Narrow = OneRow<Columns.Half>
  @usableFromInline package var columns: Columns

  @_alwaysEmitIntoClient @inline(__always)
  package static var rows: Int { 1 }

  @_alwaysEmitIntoClient @inline(__always)
  package init(repeating value: Float) { columns = Columns(repeating: value) }

  @_alwaysEmitIntoClient @inline(__always)
  package init(loading pointer: UnsafePointer<Float>, stride: Int) {
    columns = Columns(loading: pointer)
  }

  @_alwaysEmitIntoClient @inline(__always)
  package func store(to pointer: UnsafeMutablePointer<Float>, stride: Int) {
    columns.store(to: pointer)
  }

  @_alwaysEmitIntoClient @inline(__always)
  package mutating func add(_ pointer: UnsafePointer<Float>, stride: Int) {
    columns = columns.adding(Columns(loading: pointer))
  }

  @_alwaysEmitIntoClient @inline(__always)
  package mutating func add<Level: CPULevel>(
    _: Level.Type, _ pointer: UnsafePointer<Float>, stride: Int,
    times factors: UnsafePointer<Float>
  ) {
    columns = columns.adding(Level.self, factors[0], times: Columns(loading: pointer))
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
  package init(loading pointer: UnsafePointer<Float>, stride: Int) {
    upper = Upper(loading: pointer, stride: stride)
    lower = Lower(loading: pointer + Upper.rows &* stride, stride: stride)
  }

  @_alwaysEmitIntoClient @inline(__always)
  package func store(to pointer: UnsafeMutablePointer<Float>, stride: Int) {
    upper.store(to: pointer, stride: stride)
    lower.store(to: pointer + Upper.rows &* stride, stride: stride)
  }

  @_alwaysEmitIntoClient @inline(__always)
  package mutating func add(_ pointer: UnsafePointer<Float>, stride: Int) {
    upper.add(pointer, stride: stride)
    lower.add(pointer + Upper.rows &* stride, stride: stride)
  }

  @_alwaysEmitIntoClient @inline(__always)
  package mutating func add<Level: CPULevel>(
    _: Level.Type, _ pointer: UnsafePointer<Float>, stride: Int,
    times factors: UnsafePointer<Float>
  ) {
    upper.add(Level.self, pointer, stride: stride, times: factors)
    lower.add(
      Level.self, pointer + Upper.rows &* stride, stride: stride, times: factors + Upper.rows)
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
