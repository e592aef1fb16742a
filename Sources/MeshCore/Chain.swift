internal import AttentionMasks

/// The ranks through which the travelling accumulator of a tile goes: those that need the tile, in
/// ascending order or, where it goes down, in descending order. The last one keeps it.
struct Chain: Hashable, Sendable {
  /// Of each rank of a group of heads, the places of the tiles that it needs.
  private let needed: [Runs]
  /// Rank and group of heads.
  private let shard: Int
  private let group: Int
  private let groups: Int
  private let goesDown: Bool

  init(_ needed: [Runs], shard: Int, group: Int, groups: Int, goesDown: Bool) {
    self.needed = needed
    self.shard = shard
    self.group = group
    self.groups = groups
    self.goesDown = goesDown
  }

  /// Who hands a tile's accumulator to this rank; nil for the first.
  func previous(at tile: Int) -> VRank? { goesDown ? above(tile) : below(tile) }

  /// Whom this rank hands it to; nil for the last.
  func next(at tile: Int) -> VRank? { goesDown ? below(tile) : above(tile) }

  private func below(_ tile: Int) -> VRank? {
    (0..<shard).last { needed[$0].contains(tile / groups) }.map(vrank)
  }

  private func above(_ tile: Int) -> VRank? {
    (shard + 1..<needed.count).first { needed[$0].contains(tile / groups) }.map(vrank)
  }

  private func vrank(_ shard: Int) -> VRank { VRank(group * needed.count + shard) }
}
