internal import AttentionMasks

/// K/V tiles of one group of heads, ascending: what a rank folds, one a step.
package struct NeededTiles: Hashable, Sendable {
  private let places: Runs
  private let groups: Int
  private let group: Int

  /// - Parameter places: of the tiles' tokens; tile `place * groups + group` is the group's there.
  init(_ places: Runs, groups: Int, group: Int) {
    self.places = places
    self.groups = groups
    self.group = group
  }

  /// Adds them to those of their group, of which there is one entry.
  func join(_ others: inout [NeededTiles]) {
    if let index = others.firstIndex(where: { $0.group == group }) {
      let union = others[index].places.union(places)
      others[index] = NeededTiles(union, groups: groups, group: group)
    } else {
      others.append(self)
    }
  }

  /// How many there are.
  package var count: Int { places.count }

  /// The step that folds a tile; nil for one that isn't among them.
  package func place(of tile: Int) -> Int? {
    tile % groups == group ? places.place(of: tile / groups) : nil
  }

  package func contains(_ tile: Int) -> Bool { place(of: tile) != nil }

  /// How many of them are below a tile, which needn't be among them.
  package func count(below tile: Int) -> Int {
    places.count(below: (tile - group + groups - 1) / groups)
  }
}

extension NeededTiles: RandomAccessCollection {
  package var startIndex: Int { 0 }
  package var endIndex: Int { places.count }
  /// - Precondition: 0 <= step < count.
  package subscript(step: Int) -> Int { places[step] * groups + group }
}
