package import AttentionMasks

/// How a job is shared out, as its user asks for it. No strategy changes a bit of the result.
package enum Strategy: UInt8, Sendable, CaseIterable, Codable {
  /// Tokens, and heads only where there are fewer query tiles than ranks.
  case auto = 1
  /// All heads of some tokens for each rank: K/V tiles go around.
  case ring = 2
  /// Some heads for each rank, of all tokens as long as there are heads enough (DeepSpeed-Ulysses).
  case ulysses = 3
  /// A grid: groups of heads, and in each a ring (USP).
  case usp = 4

  package var name: String { "\(self)" }

  var rule: any GridRule.Type {
    switch self {
    case .auto: AutomaticGrid.self
    case .ring: RingGrid.self
    case .ulysses: UlyssesGrid.self
    case .usp: USPGrid.self
    }
  }
}

/// What a strategy decides of a job's plan: from the job and a number alone, so that whoever plans it
/// finds the same.
protocol GridRule {
  /// Equal groups into which parts of tiles let the key/value heads be cut: the job's `headCuts`.
  ///
  /// - Parameter blocks: the job's block map, if it has one.
  static func headCuts(of job: AttentionJob, blocks: BlockMap?) -> Int
  /// The grid of no more than so many ranks. Of as many as it has, it is the same again.
  ///
  /// - Parameter vranks: 1 ... `Limits.vranksMaximum`.
  static func grid(of job: AttentionJob, atMost vranks: Int) -> Grid
  /// Virtual ranks where the user doesn't say.
  static func vranks(of job: AttentionJob, workers: Int) -> Int
  /// Why it can't be had of a job whose shapes are legal, with the numbers; nil where it can.
  static func problem(of job: AttentionJob) -> String?
}

extension GridRule {
  static func vranks(of job: AttentionJob, workers: Int) -> Int {
    Plan.defaultVrankCount(workers: workers)
  }

  static func problem(of job: AttentionJob) -> String? {
    job.grid == nil ? nil : "a grid goes with the strategy usp, not with \(job.strategy.name)"
  }
}

extension AttentionJob {
  /// Query tiles, and K/V tiles, of one group of heads.
  var queryPlaces: Int { (queryTokens + Plan.queryTileRows - 1) / Plan.queryTileRows }
  var keyPlaces: Int { (keyTokens + Plan.keyTileKeys - 1) / Plan.keyTileKeys }

  /// Groups of heads that there may be: each has a rank, and a worker's table has the tiles of all.
  var headGroupsMaximum: Int {
    min(Limits.vranksMaximum, max(1, Limits.groupedTilesMaximum / keyPlaces))
  }

  /// The most groups of heads, each as large as the others, that parts of tiles allow.
  func headGroups(atMost most: Int) -> Int {
    Self.divisor(of: headCuts, atMost: min(most, headGroupsMaximum))
  }

  /// The largest divisor of `count` that is no larger than `most`; 1 where `most` is less.
  static func divisor(of count: Int, atMost most: Int) -> Int {
    (1...max(1, min(count, most))).last { count % $0 == 0 } ?? 1
  }

  /// Equal groups into which parts let the heads be cut that are to be dealt whole: enough for a mesh of some
  /// dozens of workers. More would be smaller parts, and parts are messages.
  var dealtHeadCuts: Int {
    let most = min(flatKeyValueHeads, headGroupsMaximum)
    return (min(64, most)...most).first { flatKeyValueHeads % $0 == 0 }
      ?? Self.divisor(of: flatKeyValueHeads, atMost: most)
  }

  /// Cuts the heads as the strategy needs it.
  package mutating func cutHeads(blocks: BlockMap? = nil) {
    headCuts = strategy.rule.headCuts(of: self, blocks: blocks)
  }

  /// Virtual ranks for so many workers: those asked for or, where none are, those that suit the strategy.
  package func vrankCount(workers: Int) -> Int {
    vranks > 0 ? vranks : strategy.rule.vranks(of: self, workers: workers)
  }
}
