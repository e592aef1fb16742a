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
