extension CPULevel {
  /// Runs `iterations` steps of x = x * a + b on every accumulator of a register tile: independent
  /// chains of full-width multiply-adds without memory access, the ceiling that a kernel is
  /// measured against. Returns a checksum, so that the work can't be dropped.
  ///
  /// A step is `peakFlops` floating-point operations. The factor is a bfloat16 number, so that chains of
  /// pairs stay finite too.
  @_alwaysEmitIntoClient @inline(__always)
  package static func peakLoop<Tile: RegisterTile>(_: Tile.Type, iterations: Int) -> Float {
    var tile = Tile(repeating: 1)
    var step = 0
    while step < iterations {
      tile.scale(Self.self, by: 0.996_093_75, adding: 0.003_906_25)
      step &+= 1
    }
    return tile.checksum
  }

  /// Floating-point operations of one step of `peakLoop`: two per accumulator.
  @_alwaysEmitIntoClient @inline(__always)
  package static func peakFlops<Tile: RegisterTile>(_: Tile.Type) -> Int {
    2 &* Tile.rows &* Tile.Columns.width
  }
}
