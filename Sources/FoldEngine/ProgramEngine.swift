package import MeshCore

/// The arithmetic of a program: what steps do to the states of hosted ranks and to packed tiles.
package protocol ProgramEngine: AnyObject {
  associatedtype Work: StepWork

  /// Makes room for a virtual rank.
  func host(_ vrank: VRank)

  /// Packs one part of a tile at once; the parts of a tile come in order.
  func pack(_ tile: TileID, part: Int, payload: UnsafeRawBufferPointer)

  /// Lets go of a packed tile.
  @discardableResult
  func unpack(_ tile: TileID) -> (any Sendable)?

  /// The work of consecutive steps of a hosted rank.
  ///
  /// - Precondition: what the steps read is packed.
  func work(of vrank: VRank, steps: Range<Int>) -> Work
}

/// Attention publishes nothing.
extension FoldWork: StepWork {
  package var publications: [Publication] { [] }
}

extension FoldEngine: ProgramEngine {}

extension FoldEngine: RankEngine {
  package func work(of vrank: VRank, steps: Range<Int>) -> FoldWork { fold(vrank, steps: steps) }

  package func replay(_ tile: TileID) -> FoldWork {
    preconditionFailure("attention publishes no \(tile)")
  }

  package func finish(_ vrank: VRank, kept: [PartPayload]) -> RankResult {
    precondition(kept.isEmpty, "attention keeps nothing")
    return finish(vrank)
  }
}
