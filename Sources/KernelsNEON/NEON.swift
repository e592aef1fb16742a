package import KernelBody

/// The kernels for arm64: register tiles of 6 rows x 16 columns, 24 of 32 registers and 4 for the
/// columns. Compiled in every test run, as Embedded Swift for a bare arm64; not run by the project.
///
/// Every function is a door: the loops are inside, compiled for this level. None may be inlined
/// into a caller, for that would compile it for the caller's CPU.
package enum NEON: FusedLevel {
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
    foldTile(SixRows<OneVector>.self, Self.self, arguments)
  }

  @inline(never)
  package static func foldPairs(_ arguments: FoldArguments) {
    foldTile(FourRows<OneVector>.self, BFloat16Pairs<Self>.self, arguments)
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
  package static func packBackwardTile(
    keys: UnsafeRawPointer, values: UnsafeRawPointer, type: ElementType, keyCount: Int,
    layout: PackedLayout, into target: UnsafeMutablePointer<Float>
  ) {
    packBackwardTileRows(
      keys: keys, values: values, type, keyCount: keyCount, layout: layout, into: target)
  }

  @inline(never)
  package static func packRows(
    _ rows: UnsafeRawPointer, type: ElementType, rowCount: Int, layout: PackedLayout,
    into target: UnsafeMutablePointer<Float>
  ) {
    packPaddedRows(rows, type, rowCount: rowCount, layout: layout, into: target)
  }

  @inline(never)
  package static func prepare(
    outputs: UnsafePointer<Float>, outputGradients: UnsafePointer<Float>,
    logSumExp: UnsafePointer<Float>, rowCount: Int, layout: PackedLayout,
    differences: UnsafeMutablePointer<Float>, binaryLogSumExp: UnsafeMutablePointer<Float>
  ) {
    prepareRows(
      outputs: outputs, outputGradients: outputGradients, logSumExp: logSumExp,
      rowCount: rowCount, layout: layout, differences: differences,
      binaryLogSumExp: binaryLogSumExp)
  }

  @inline(never)
  package static func backward(_ arguments: BackwardArguments) {
    backwardTile(SixRows<OneVector>.self, arguments)
  }

  @inline(never)
  package static func finishGradients(
    _ gradients: UnsafePointer<Float>, scale: Float, rowCount: Int, layout: PackedLayout,
    into target: UnsafeMutablePointer<Float>
  ) {
    finishGradientRows(
      gradients, scale: scale, rowCount: rowCount, layout: layout, into: target)
  }

  @inline(never)
  package static func peak(iterations: Int) -> Float {
    peakLoop(SixRows<OneVector>.self, iterations: iterations)
  }

  package static var peakFlopsPerIteration: Int { peakFlops(SixRows<OneVector>.self) }

  @inline(never)
  package static func pairPeak(iterations: Int) -> Float {
    BFloat16Pairs<Self>.peakLoop(FourRows<OneVector>.self, iterations: iterations)
  }

  package static var pairPeakFlopsPerIteration: Int { 2 * peakFlops(FourRows<OneVector>.self) }
}
