package import AttentionMasks
package import ElementTypes
package import MeshCore
internal import TensorFiles

/// The input tensors of a job, open, checked against each other, and read in pieces.
package struct JobInputs: Sendable {
  package let spec: AttentionJob
  /// The query's shape, which is the output's, with the heads first: three or four dimensions.
  package let shape: [Int]
  /// One line about tensors whose axes seem to be in the other order; nil for all others.
  package let doubt: String?
  /// What the block map says; nil where the job has none.
  package let blocks: BlockMap?
  private let files: [InputTensor: TensorFile]
  private let blockMap: BlockMapFile?

  /// What the user asks of the tensors.
  package struct Options: Sendable {
    package var mask: MaskRule
    /// Where the contents of the block map are whose blocks the mask has.
    package var blockMap: String?
    /// What becomes of the logits beside their factor.
    package var logits: Logits
    /// nil for 1/√d.
    package var scale: Float?
    /// nil for the layout that suits the mask.
    package var layout: Layout?
    /// bfloat16 rounds float32 inputs once, before anything is computed or sent.
    package var precision: ElementType
    /// 0 lets whoever plans the job choose.
    package var vranks: Int
    package var strategy = Strategy.auto
    /// Of usp, where it was asked for.
    package var grid: Grid?
    /// How the files have heads and tokens.
    package var axes: AxisOrder
    /// Whether float64, big-endian and Fortran-ordered tensors are converted.
    package var converts: Bool

    package init(
      mask: MaskRule, blockMap: String? = nil, logits: Logits = Logits(), scale: Float?,
      layout: Layout?, precision: ElementType, vranks: Int, strategy: Strategy = .auto,
      grid: Grid? = nil, axes: AxisOrder = .headsFirst, converts: Bool = false
    ) {
      self.mask = mask
      self.blockMap = blockMap
      self.logits = logits
      self.scale = scale
      self.layout = layout
      self.precision = precision
      self.vranks = vranks
      self.strategy = strategy
      self.grid = grid
      self.axes = axes
      self.converts = converts
    }

    /// A grid has as many as its product; of one that can't be, none are counted.
    fileprivate var vranksAsked: Int {
      guard vranks == 0, let grid else { return vranks }
      let (ranks, isTooMany) = grid.groups.multipliedReportingOverflow(by: grid.shards)
      return isTooMany || !(1...Limits.vranksMaximum).contains(ranks) ? 0 : ranks
    }

    /// How their tensors are read.
    var reading: TensorReading {
      TensorReading(converts: converts, swappedAxis: axes.swappedAxis(of: .output))
    }
  }

  /// Of three tensors that agree with each other.
  init(
    _ q: TensorFile, _ k: TensorFile, _ v: TensorFile, _ options: Options, _ logits: LogitRule,
    _ blockMap: BlockMapFile?
  ) {
    let (queries, keys) = (Self.fourDimensions(q.shape), Self.fourDimensions(k.shape))
    shape = q.shape
    files = [.query: q, .key: k, .value: v]
    self.blockMap = blockMap
    blocks = blockMap?.blocks
    var mask = options.mask
    mask.blocks?.isPerHead = blockMap?.isPerHead ?? false
    var spec = AttentionJob(
      batch: queries[0], queryHeads: queries[1], keyValueHeads: keys[1], queryTokens: queries[2],
      keyTokens: keys[2], headDimension: queries[3],
      element: options.precision == .bfloat16 ? .bfloat16 : q.element,
      mask: mask, logits: logits,
      scale: options.scale ?? 1 / Float(queries[3]).squareRoot(),
      layout: options.layout ?? options.mask.suitableLayout,
      vranks: options.vranksAsked, hasBatchDimension: q.shape.count == 4, axes: options.axes)
    spec.strategy = options.strategy
    spec.grid = options.grid
    spec.cutHeads(blocks: blocks)
    self.spec = spec
    doubt = spec.axesDoubt
  }

  static func fourDimensions(_ shape: [Int]) -> [Int] {
    shape.count == 4 ? shape : [1] + shape
  }

  /// Shape of the log-sum-exp: the query's without its last dimension.
  package var logSumExpShape: [Int] { shape.dropLast() }

  /// What was found of a tensor in its file.
  package func found(
    _ tensor: InputTensor
  ) -> (location: String, element: String, shape: [Int], byteCount: Int) {
    if tensor == .blockMap, let blockMap {
      let file = blockMap.file
      return (file.path, file.type, file.shape, file.byteCount)
    }
    guard let file = files[tensor] else { preconditionFailure("no file for \(tensor)") }
    return ("\(file.location)", file.element.name, file.shape, file.byteCount)
  }

  package func byteCount(_ tensor: InputTensor) -> Int { spec.byteCount(tensor) }

  /// Reads bytes of a tensor as the job has them, that is after any rounding.
  package func read(
    _ tensor: InputTensor, at offset: Int, into target: UnsafeMutableRawBufferPointer
  ) throws(MeshError) {
    if tensor == .blockMap {
      target.copyBytes(from: (blocks?.bytes ?? [])[offset..<offset + target.count])
      return
    }
    guard let file = files[tensor] else { preconditionFailure("no file for \(tensor)") }
    try file.read(at: offset, as: spec.element, into: target)
  }

  /// Finds out whether all that was read is of one version of the files.
  ///
  /// - Throws: bad input, naming the file that was changed.
  package func checkUnchanged() throws(MeshError) {
    for tensor in InputTensor.allCases {
      do throws(TensorFileError) {
        try files[tensor]?.checkUnchanged()
      } catch {
        throw MeshError(.badInput, error.description)
      }
    }
  }

  /// Finds the first NaN or infinity.
  ///
  /// - Throws: bad input, naming tensor, head and token.
  package func rejectNonfinite() throws(MeshError) {
    for tensor in InputTensor.allCases {
      try files[tensor]?.rejectNonfinite("\(tensor)", axes: .rows)
    }
  }
}
