import AttentionMasks
import MeshCore
import Testing

/// A block map drawn at random, with rows and columns in which nothing is seen.
struct BlockCells {
  let block: MaskRule.Block
  let map: BlockMap
  private let shape: [Int]
  private let cells: [Bool]

  /// - Parameter heads: nil for one map for all.
  init(
    queries: Int, keys: Int, of queryTokens: Int, _ keyTokens: Int, heads: Int? = nil, seed: UInt64
  ) {
    block = MaskRule.Block(queries: queries, keys: keys, isPerHead: heads != nil)
    let (rows, columns) = block.counts(queryTokens: queryTokens, keyTokens: keyTokens)
    var random = SplitMix64(seed: seed)
    cells = (0..<(heads ?? 1) * rows * columns).map { cell in
      let (row, column) = (cell / columns % rows, cell % columns)
      return row % 7 != 3 && column % 5 != 4 && Int.random(in: 0..<3, using: &random) == 0
    }
    map = BlockMap(
      queries: queries, keys: keys, heads: heads ?? 1, rows: rows, columns: columns, cells: cells)
    shape = (heads.map { [$0] } ?? []) + [rows, columns]
  }

  /// Writes the map and gives the flags that name it.
  ///
  /// - Parameter type: as numpy calls it; of bool or uint8.
  func write(to scratch: Scratch, type: String = "|b1", name: String = "blocks.npy") -> [String] {
    let path = scratch.file(name)
    NpyFile.write(
      path,
      header:
        "{'descr': '\(type)', 'fortran_order': False, 'shape': (\(shape.map { "\($0), " }.joined())), }",
      dataBytes: 0)
    let one: UInt8 = type == "|b1" ? 1 : 200
    NpyFile.write(path, contents(of: path) + cells.map { $0 ? one : 0 })
    return ["--block-map", path, "--block-size", "\(block.queries),\(block.keys)"]
  }
}
