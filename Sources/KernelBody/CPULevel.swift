/// A CPU level: how it multiplies and adds. The kernels are extensions of this protocol.
///
/// Each level's type stands in its own target, and therefore in the symbol names of its specialised
/// code: the linker merges functions of one name, and must not hand code compiled for one CPU to
/// another level. There are no associated types, for they would bring such shared functions along.
@usableFromInline
package protocol CPULevel {
  /// sum + left * right, lane by lane.
  static func multiplyAdd(_ sum: Lanes, _ left: Lanes, _ right: Lanes) -> Lanes
  /// sum + left * right.
  static func multiplyAdd(_ sum: Float, _ left: Float, _ right: Float) -> Float
}

/// A level whose multiply-add rounds once: arithmetic class "fma-f32-v1", for CPUs with FMA.
@usableFromInline
package protocol FusedLevel: CPULevel {}

extension FusedLevel {
  @_alwaysEmitIntoClient @inline(__always)
  package static func multiplyAdd(_ sum: Lanes, _ left: Lanes, _ right: Lanes) -> Lanes {
    sum.addingProduct(left, right)
  }

  @_alwaysEmitIntoClient @inline(__always)
  package static func multiplyAdd(_ sum: Float, _ left: Float, _ right: Float) -> Float {
    sum.addingProduct(left, right)
  }
}

/// A level whose multiply-add rounds twice: arithmetic class "muladd-f32-v1". Without an FMA
/// instruction `addingProduct` calls libm once per lane, about fifty times slower.
@usableFromInline
package protocol SeparateLevel: CPULevel {}

extension SeparateLevel {
  @_alwaysEmitIntoClient @inline(__always)
  package static func multiplyAdd(_ sum: Lanes, _ left: Lanes, _ right: Lanes) -> Lanes {
    sum + left * right
  }

  @_alwaysEmitIntoClient @inline(__always)
  package static func multiplyAdd(_ sum: Float, _ left: Float, _ right: Float) -> Float {
    sum + left * right
  }
}
