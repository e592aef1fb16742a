package import MeshCore

/// The arithmetic of a program: what steps do to the states of hosted ranks and to packed tiles.
package protocol ProgramEngine: AnyObject {
  associatedtype Work: StepWork

  /// Makes room for a virtual rank.
  func host(_ vrank: VRank)

  /// Packs one part of a tile at once; the parts of a tile come in order.
  func pack(_ tile: TileID, part: Int, payload: UnsafeRawBufferPointer)

  /// Lets go of a packed tile.
  func unpack(_ tile: TileID)

  /// The work of one step of a hosted rank.
  ///
  /// - Precondition: what the step reads is packed.
  func work(of vrank: VRank, step: Int) -> Work
}

/// The work of a step.
package protocol StepWork: ItemisedWork {
  /// What the step published, once every item is done; nil for a step that publishes nothing.
  var publication: Publication? { get }
}

/// A tile that a step published.
package struct Publication: Hashable, Sendable {
  package let tile: TileID
  /// The payload of each part.
  package let parts: [[UInt8]]

  package init(tile: TileID, parts: [[UInt8]]) {
    self.tile = tile
    self.parts = parts
  }
}

/// Attention publishes nothing.
extension FoldWork: StepWork {
  package var publication: Publication? { nil }
}

extension FoldEngine: ProgramEngine {
  package func unpack(_ tile: TileID) { unpack(tile.index) }

  package func work(of vrank: VRank, step: Int) -> FoldWork {
    fold(vrank, steps: step..<step + 1)
  }
}
