internal import FoldEngine
internal import MeshCore

/// Cuts rows [heads][tokens][columns], float32, that come in order into the tiles of which they are.
struct TileStream {
  private let tokens: Int
  private let rowBytes: Int
  private let rowsPerTile: Int
  private var head = 0
  private var start = 0
  private var pending: [UInt8] = []

  /// - Parameter rowsPerTile: `Plan.queryTileRows` or `Plan.keyTileKeys`.
  init(tokens: Int, columns: Int, rowsPerTile: Int) {
    self.tokens = tokens
    self.rowsPerTile = rowsPerTile
    rowBytes = columns * 4
  }

  /// Takes the next bytes.
  ///
  /// - Parameter take: given each tile that is whole now: its flattened head, its tokens, and its rows.
  mutating func add(
    _ bytes: UnsafeRawBufferPointer,
    take: (_ head: Int, _ tokens: Range<Int>, UnsafeRawBufferPointer) throws(MeshError) -> Void
  ) throws(MeshError) {
    var rest = bytes
    while true {
      let range = start..<min(start + rowsPerTile, tokens)
      let missing = range.count * rowBytes - pending.count
      guard rest.count >= missing else {
        pending += rest
        return
      }
      if pending.isEmpty {
        try take(head, range, UnsafeRawBufferPointer(rebasing: rest[..<missing]))
      } else {
        pending += rest[..<missing]
        let whole = pending.withUnsafeBytes { PartPayload(copying: $0) }
        pending = []
        try take(head, range, whole.bytes)
      }
      rest = UnsafeRawBufferPointer(rebasing: rest[missing...])
      start = range.upperBound == tokens ? 0 : range.upperBound
      if start == 0 { head += 1 }
    }
  }
}
