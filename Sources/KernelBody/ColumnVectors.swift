/// The columns that a register tile spans: one or two `Lanes`, side by side.
@usableFromInline
package protocol ColumnVectors {
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
  var firstColumn: Float { get }
}

/// Sixteen columns.
@usableFromInline
package struct OneVector: ColumnVectors {
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
  package var firstColumn: Float { lanes[0] }
}

/// Thirty-two columns.
@usableFromInline
package struct TwoVectors: ColumnVectors {
  @usableFromInline package var low: OneVector
  @usableFromInline package var high: OneVector

  @_alwaysEmitIntoClient @inline(__always)
  package static var width: Int { 32 }

  @_alwaysEmitIntoClient @inline(__always)
  package init(low: OneVector, high: OneVector) {
    self.low = low
    self.high = high
  }

  @_alwaysEmitIntoClient @inline(__always)
  package init(loading pointer: UnsafePointer<Float>) {
    low = OneVector(loading: pointer)
    high = OneVector(loading: pointer + 16)
  }

  @_alwaysEmitIntoClient @inline(__always)
  package init(repeating value: Float) {
    low = OneVector(repeating: value)
    high = OneVector(repeating: value)
  }

  @_alwaysEmitIntoClient @inline(__always)
  package func store(to pointer: UnsafeMutablePointer<Float>) {
    low.store(to: pointer)
    high.store(to: pointer + 16)
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
  package var firstColumn: Float { low.firstColumn + high.firstColumn }
}
