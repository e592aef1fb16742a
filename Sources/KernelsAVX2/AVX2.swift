package import KernelBody

/// The kernels for CPUs with AVX2 and FMA: register tiles of 6 rows x 16 columns, 12 of 16
/// registers.
///
/// Every function is a door: the loops are inside, compiled for this level. None may be inlined
/// into a caller, for that would compile it for the caller's CPU.
package enum AVX2: FusedLevel {
  @inline(never)
  package static func packTile(
    keys: UnsafeRawPointer, values: UnsafeRawPointer, type: ElementType, keyCount: Int,
    layout: PackedLayout, into target: UnsafeMutablePointer<Float>
  ) {
    packTileRows(
      keys: keys, values: values, type, keyCount: keyCount, layout: layout, into: target)
  }

  @inline(never)
  package static func packQueries(
    rows: UnsafeRawPointer, type: ElementType, rowCount: Int, scale: Double,
    layout: PackedLayout, into target: UnsafeMutablePointer<Float>
  ) {
    packQueryRows(rows, type, rowCount: rowCount, scale: scale, layout: layout, into: target)
  }

  @inline(never)
  package static func fold(_ arguments: FoldArguments) {
    foldTile(SixRows<OneVector>.self, arguments)
  }

  @inline(never)
  package static func reset(_ state: StatePointers, rowCount: Int, layout: PackedLayout) {
    resetRows(state, rowCount: rowCount, layout: layout)
  }

  @inline(never)
  package static func finish(
    _ state: StatePointers, rowCount: Int, layout: PackedLayout,
    output: UnsafeMutablePointer<Float>, logSumExp: UnsafeMutablePointer<Float>
  ) {
    finishRows(state, rowCount: rowCount, layout: layout, output: output, logSumExp: logSumExp)
  }

  @inline(never)
  package static func peak(iterations: Int) -> Float {
    peakLoop(SixRows<OneVector>.self, iterations: iterations)
  }

  package static var peakFlopsPerIteration: Int { peakFlops(SixRows<OneVector>.self) }
}
