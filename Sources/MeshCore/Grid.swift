/// Into how many groups of heads a job is cut, and into how many shards of tokens each: a virtual rank
/// for each shard of each group.
package struct Grid: Hashable, Sendable, Codable {
  package let groups: Int
  package let shards: Int

  package init(groups: Int, shards: Int) {
    self.groups = groups
    self.shards = shards
  }

  /// "4,3" for four groups of three shards; nil for other texts.
  package init?(_ text: String) {
    let numbers = text.split(separator: ",", omittingEmptySubsequences: false).map { Int($0) }
    guard numbers.count == 2, let groups = numbers[0], let shards = numbers[1] else { return nil }
    self.init(groups: groups, shards: shards)
  }

  /// The grid of a job of no more than so many virtual ranks: that of its strategy.
  package init(of job: AttentionJob, vranks: Int) {
    self = job.strategy.rule.grid(of: job, atMost: vranks)
  }

  /// - Precondition: neither is more than `Limits.vranksMaximum`.
  package var ranks: Int { groups * shards }

  package var name: String { "\(groups),\(shards)" }
}

/// Which of several grids suits a number of workers.
extension Grid {
  /// The largest part of the work that a worker has, where ranks are placed as evenly as they can be.
  func largestShare(of job: AttentionJob, workers: Int) -> Double {
    let hosted = (ranks + workers - 1) / workers
    let tiles = (job.queryPlaces + shards - 1) / shards
    return Double(hosted * tiles) / Double(groups * job.queryPlaces)
  }

  /// How often K and V pass between workers: once for every worker but one that has ranks of a group.
  package func passes(workers: Int) -> Double {
    let workers = min(workers, ranks)
    let further = (0..<groups).reduce(0) { total, group in
      let first = Plan.host(of: group * shards, vranks: ranks, workers: workers)
      let last = Plan.host(of: (group + 1) * shards - 1, vranks: ranks, workers: workers)
      return total + last - first
    }
    return Double(further) / Double(groups)
  }

  /// Of those with the least largest share, within 3 %, and the fewest bytes the one that has as many ranks
  /// as recovery wants, or hardly more.
  static func best(of grids: [Grid], job: AttentionJob, workers: Int) -> Grid? {
    let workers = max(1, workers)
    let shares = grids.map { $0.largestShare(of: job, workers: workers) }
    let least = shares.min() ?? 0
    let even = zip(grids, shares).filter { $1 <= 1.03 * least }.map(\.0)
    let passes = even.map { $0.passes(workers: workers) }
    let fewest = passes.min() ?? 0
    let cheap = zip(even, passes).filter { $1 <= fewest }.map(\.0)
    let wanted = Plan.defaultVrankCount(workers: workers)
    // Among equals the one with more groups.
    return cheap.filter { $0.ranks >= wanted }.min { ($0.ranks, $1.groups) < ($1.ranks, $0.groups) }
      ?? cheap.max { ($0.ranks, $0.groups) < ($1.ranks, $1.groups) }
  }
}
