/// tile[rows][columns] += left[rows][count] * right[count][columns], `count` in index order.
///
/// `left` has rows `leftStride` floats apart and columns `leftStep`, so that it may be read transposed;
/// `right` has rows `rightStride` floats apart and aligned to 64 bytes. The one micro-kernel of all
/// products, forward and backward.
@_alwaysEmitIntoClient @inline(__always)
package func multiply<Level: CPULevel, Tile: RegisterTile>(
  _: Level.Type, into tile: inout Tile,
  left: UnsafePointer<Float>, leftStride: Int, leftStep: Int = 1,
  right: UnsafePointer<Float>, rightStride: Int, count: Int
) {
  var left = left
  var right = right
  let end = left + count &* leftStep
  while left < end {
    tile.accumulate(Level.self, left, stride: leftStride, Tile.Columns(loading: right))
    left += leftStep
    right += rightStride
  }
}
