/// The columns that a register tile spans: one `Lanes` or several side by side.
@usableFromInline
package protocol ColumnVectors {
  /// Half as many columns, but no less than sixteen.
  associatedtype Half: ColumnVectors
  /// Width in floats.
  static var width: Int { get }
  init(loading pointer: UnsafePointer<Float>)
  init(repeating value: Float)
  func store(to pointer: UnsafeMutablePointer<Float>)
  /// self + scalar * columns, lane by lane.
  func adding<Level: CPULevel>(_: Level.Type, _ scalar: Float, times columns: Self) -> Self
  /// self * scalar + addend, lane by lane.
  func scaled<Level: CPULevel>(_: Level.Type, by scalar: Float, adding addend: Float) -> Self
  /// self + columns, lane by lane.
  func adding(_ columns: Self) -> Self
  /// The bits of `mask` in each column.
  func masked(_ mask: UInt32) -> Self
  var firstColumn: Float { get }
}

/// Sixteen columns.
@usableFromInline
package struct OneVector: ColumnVectors {
  @usableFromInline package typealias Half = OneVector
  @usableFromInline package var lanes: Lanes

  @_alwaysEmitIntoClient @inline(__always)
  package static var width: Int { 16 }

  @_alwaysEmitIntoClient @inline(__always)
  package init(lanes: Lanes) { self.lanes = lanes }

  @_alwaysEmitIntoClient @inline(__always)
  package init(loading pointer: UnsafePointer<Float>) { lanes = loadLanes(pointer) }

  @_alwaysEmitIntoClient @inline(__always)
  package init(repeating value: Float) { lanes = Lanes(repeating: value) }

  @_alwaysEmitIntoClient @inline(__always)
  package func store(to pointer: UnsafeMutablePointer<Float>) { storeLanes(lanes, to: pointer) }

  @_alwaysEmitIntoClient @inline(__always)
  package func adding<Level: CPULevel>(_: Level.Type, _ scalar: Float, times columns: Self) -> Self
  {
    Self(lanes: Level.multiplyAdd(lanes, Lanes(repeating: scalar), columns.lanes))
  }

  @_alwaysEmitIntoClient @inline(__always)
  package func scaled<Level: CPULevel>(_: Level.Type, by scalar: Float, adding addend: Float)
    -> Self
  {
    Self(lanes: Level.multiplyAdd(Lanes(repeating: addend), lanes, Lanes(repeating: scalar)))
  }

  @_alwaysEmitIntoClient @inline(__always)
  package func adding(_ columns: Self) -> Self { Self(lanes: lanes + columns.lanes) }

  @_alwaysEmitIntoClient @inline(__always)
  package func masked(_ mask: UInt32) -> Self {
    let bits = unsafeBitCast(lanes, to: SIMD16<UInt32>.self) & SIMD16(repeating: mask)
    return Self(lanes: unsafeBitCast(bits, to: Lanes.self))
  }

  @_alwaysEmitIntoClient @inline(__always)
  package var firstColumn: Float { lanes[0] }
}

/// Twice the columns of `Half`, side by side.
@usableFromInline
package struct Pair<Half: ColumnVectors>: ColumnVectors {
  @usableFromInline package var low: Half
  @usableFromInline package var high: Half

  @_alwaysEmitIntoClient @inline(__always)
  package static var width: Int { 2 &* Half.width }

  @_alwaysEmitIntoClient @inline(__always)
  package init(low: Half, high: Half) {
    self.low = low
    self.high = high
  }

  @_alwaysEmitIntoClient @inline(__always)
  package init(loading pointer: UnsafePointer<Float>) {
    low = Half(loading: pointer)
    high = Half(loading: pointer + Half.width)
  }

  @_alwaysEmitIntoClient @inline(__always)
  package init(repeating value: Float) {
    low = Half(repeating: value)
    high = Half(repeating: value)
  }

  @_alwaysEmitIntoClient @inline(__always)
  package func store(to pointer: UnsafeMutablePointer<Float>) {
    low.store(to: pointer)
    high.store(to: pointer + Half.width)
  }

  @_alwaysEmitIntoClient @inline(__always)
  package func adding<Level: CPULevel>(_: Level.Type, _ scalar: Float, times columns: Self) -> Self
  {
    Self(
      low: low.adding(Level.self, scalar, times: columns.low),
      high: high.adding(Level.self, scalar, times: columns.high))
  }

  @_alwaysEmitIntoClient @inline(__always)
  package func scaled<Level: CPULevel>(_: Level.Type, by scalar: Float, adding addend: Float)
    -> Self
  {
    Self(
      low: low.scaled(Level.self, by: scalar, adding: addend),
      high: high.scaled(Level.self, by: scalar, adding: addend))
  }

  @_alwaysEmitIntoClient @inline(__always)
  package func adding(_ columns: Self) -> Self {
    Self(low: low.adding(columns.low), high: high.adding(columns.high))
  }

  @_alwaysEmitIntoClient @inline(__always)
  package func masked(_ mask: UInt32) -> Self {
    Self(low: low.masked(mask), high: high.masked(mask))
  }

  @_alwaysEmitIntoClient @inline(__always)
  package var firstColumn: Float { low.firstColumn + high.firstColumn }
}

@usableFromInline package typealias TwoVectors = Pair<OneVector>
@usableFromInline package typealias FourVectors = Pair<TwoVectors>
