internal import KernelBody

/// What each CPU level's target offers: one set of functions, compiled for that CPU.
protocol KernelDoors: PairDoors {
  static func packTile(
    keys: UnsafeRawPointer, values: UnsafeRawPointer, type: ElementType, keyCount: Int,
    layout: PackedLayout, into target: UnsafeMutablePointer<Float>)
  static func packQueries(
    rows: UnsafeRawPointer, type: ElementType, rowCount: Int, scale: Double,
    layout: PackedLayout, into target: UnsafeMutablePointer<Float>)
  static func reset(_ state: StatePointers, rowCount: Int, layout: PackedLayout)
  static func fold(_ arguments: FoldArguments)
  static func finish(
    _ state: StatePointers, rowCount: Int, layout: PackedLayout,
    output: UnsafeMutablePointer<Float>, logSumExp: UnsafeMutablePointer<Float>)

  static func packBackwardTile(
    keys: UnsafeRawPointer, values: UnsafeRawPointer, type: ElementType, keyCount: Int,
    layout: PackedLayout, into target: UnsafeMutablePointer<Float>)
  static func packRows(
    _ rows: UnsafeRawPointer, type: ElementType, rowCount: Int, layout: PackedLayout,
    into target: UnsafeMutablePointer<Float>)
  static func prepare(
    outputs: UnsafePointer<Float>, outputGradients: UnsafePointer<Float>,
    logSumExp: UnsafePointer<Float>, rowCount: Int, layout: PackedLayout,
    differences: UnsafeMutablePointer<Float>, binaryLogSumExp: UnsafeMutablePointer<Float>)
  static func backward(_ arguments: BackwardArguments)
  static func finishGradients(
    _ gradients: UnsafePointer<Float>, scale: Float, rowCount: Int, layout: PackedLayout,
    into target: UnsafeMutablePointer<Float>)

  static func peak(iterations: Int) -> Float
  static var peakFlopsPerIteration: Int { get }
}

/// Forward with bfloat16 operands, from bfloat16 layouts: what a level may do in its own way.
protocol PairDoors {
  static func foldPairs(_ arguments: FoldArguments)
  static func pairPeak(iterations: Int) -> Float
  static var pairPeakFlopsPerIteration: Int { get }
}
