package import MeshCore

/// The arithmetic of one worker's job: what is hosted, what is packed, and the work of steps. It belongs to one
/// thread; the work it hands out may be done on others, in the order in which it was handed out.
package protocol RankEngine: AnyObject {
  /// Makes room for a virtual rank.
  func host(_ vrank: VRank)

  /// Lets go of a virtual rank.
  ///
  /// - Returns: what holds its memory, nil if it isn't hosted. To free gigabytes takes long: whoever must not
  ///   be kept by it has another thread drop it.
  @discardableResult
  func retire(_ vrank: VRank) -> (any Sendable)?

  /// Lets go of the rows of a rank whose last step is done.
  ///
  /// - Returns: what holds their memory.
  func dropRows(of vrank: VRank) -> (any Sendable)?

  /// Takes a whole tile: the packing of it is work that has to be done before steps that read it begin.
  func pack(_ tile: TileID, _ parts: [PartPayload]) -> PackWork

  /// Lets go of a packed tile.
  ///
  /// - Returns: what holds its memory, nil if there is no such tile.
  @discardableResult
  func unpack(_ tile: TileID) -> (any Sendable)?

  associatedtype Work: StepWork

  /// The work of consecutive steps of a hosted rank.
  ///
  /// - Precondition: what the steps read is packed.
  func work(of vrank: VRank, steps: Range<Int>) -> Work

  /// The work of the step that published a tile, once more, by the rank that did; its state stays as it is.
  ///
  /// - Precondition: what the step reads is packed, and so are the rank's rows.
  func replay(_ tile: TileID) -> Work

  /// The running state of a hosted rank: for copies at tile boundaries, and to go on from one.
  func state(of vrank: VRank) -> RankState?

  /// The work of computing the result of a rank whose last step is done.
  ///
  /// - Parameter kept: the parts of the tiles that it keeps (`RankSteps.kept`), in order.
  func finish(_ vrank: VRank, kept: [PartPayload]) -> RankResult
}

/// The work of steps.
package protocol StepWork: ItemisedWork {
  /// What the steps published, once every item is done.
  var publications: [Publication] { get }

  /// (query, key) pairs that the items compute, over all heads: what a model of a worker takes time by.
  var visiblePairs: Int { get }
}

/// A tile that a step published.
package struct Publication: Sendable {
  package let tile: TileID
  /// The payload of each part.
  package let parts: [PartPayload]

  package init(tile: TileID, parts: [PartPayload]) {
    self.tile = tile
    self.parts = parts
  }

  package init(tile: TileID, copying parts: [[UInt8]]) {
    self.init(
      tile: tile, parts: parts.map { part in part.withUnsafeBytes { PartPayload(copying: $0) } })
  }
}
