internal import FoldEngine
internal import MeshCore
internal import Synchronization

/// The arithmetic of rehearsals: words that are mixed so that whatever is left out, done twice or done in
/// another order shows.
final class RehearsalEngine: SimulatedEngine {
  private let plan: Plan
  private var ranks: [VRank: Rank] = [:]
  private var tiles: [TileID: [UInt64]] = [:]
  /// Where the seeded defect of other bytes is, they depend on who publishes.
  private let salt: UInt64

  /// A rank's state: of each message a word of rows and one of sums.
  ///
  /// Unchecked because pieces of work, of which one touches it at a time, are in the order of a queue.
  private final class Rank: @unchecked Sendable {
    var words: [(rows: UInt64, sums: UInt64)]

    init(messageCount: Int) { words = Array(repeating: (0, 0), count: messageCount) }
  }

  init(plan: Plan, salt: UInt64 = 0) {
    self.plan = plan
    self.salt = salt
  }

  func host(_ vrank: VRank) { ranks[vrank] = Rank(messageCount: plan.messageCount(of: vrank)) }
  func retire(_ vrank: VRank) { ranks[vrank] = nil }

  @discardableResult
  func unpack(_ tile: TileID) -> (any Sendable)? { tiles.removeValue(forKey: tile) }

  func pack(_ tile: TileID, _ parts: [[UInt8]]) {
    for (part, payload) in parts.enumerated() {
      payload.withUnsafeBytes { pack(tile, part: part, payload: $0) }
    }
  }

  func pack(_ tile: TileID, part: Int, payload: UnsafeRawBufferPointer) {
    // Rows take part by where they are.
    guard tile.tensor != .query else { return }
    if part == 0 { tiles[tile] = [] }
    tiles[tile, default: []].append(Self.word(payload))
  }

  func run(_ steps: Range<Int>, of vrank: VRank) -> @Sendable () -> [SimulatedTile] {
    let publish = publish(steps, of: vrank)
    return { publish().map(SimulatedTile.init) }
  }

  private func publish(
    _ steps: Range<Int>, of vrank: VRank
  ) -> @Sendable () -> [Publication] {
    guard let rank = ranks[vrank] else { preconditionFailure("rank \(vrank) isn't hosted") }
    let program = plan.steps(of: vrank)
    let reads = steps.map { program.reads($0).map(words) }
    return { [salt] in
      zip(steps, reads).compactMap { step, reads in
        // The first step begins the state anew.
        if step == 0 { for message in rank.words.indices { rank.words[message] = (0, 0) } }
        return Self.perform(step, of: program, rank, reads, vrank, salt: salt)
      }
    }
  }

  private func words(_ tile: TileID) -> [UInt64] {
    guard let words = tiles[tile] else { preconditionFailure("\(tile) isn't packed") }
    return words
  }

  private static func perform(
    _ step: Int, of program: RankSteps, _ rank: Rank, _ reads: [[UInt64]], _ vrank: VRank,
    salt: UInt64
  ) -> Publication? {
    switch program.operation(step) {
    case .fold:
      for message in rank.words.indices {
        rank.words[message].rows = reads[0].reduce(
          mix(rank.words[message].rows, UInt64(message)), mix)
      }
      return nil
    case .publish:
      let rows = rank.words.reduce(salt) { mix($0, $1.rows) }
      return program.publishes(step).map { tile in
        Publication(
          tile: tile,
          copying: (0..<Plan.rehearsedParts).map { bytes(mix(rows, UInt64(tile.index * 2 + $0))) })
      }
    case .pass:
      let sum = passed(reads, vrank)
      for message in rank.words.indices {
        rank.words[message].sums = sum.reduce(rank.words[message].sums, mix)
      }
      return program.publishes(step).map { Publication(tile: $0, copying: sum.map(bytes)) }
    case .differentiate: preconditionFailure("a rehearsal has no gradients")
    }
  }

  /// An accumulator with a rank's share added: of the tile, and of what the rank before handed on, if there
  /// is one.
  private static func passed(_ reads: [[UInt64]], _ vrank: VRank) -> [UInt64] {
    let before = reads.count > 1 ? reads[1] : [UInt64](repeating: 0, count: reads[0].count)
    return zip(before, reads[0]).map { mix(mix($0, $1), UInt64(vrank.index)) }
  }

  func replay(_ tile: TileID) -> @Sendable () -> [SimulatedTile] {
    let vrank = plan.owner(of: tile)
    let program = plan.steps(of: vrank)
    guard let step = program.step(publishing: tile) else {
      preconditionFailure("nobody publishes \(tile)")
    }
    let reads = program.reads(step).map(words)
    return {
      let parts = Self.passed(reads, vrank).map(Self.bytes)
      return [SimulatedTile(Publication(tile: tile, copying: parts))]
    }
  }

  func finish(_ vrank: VRank, kept: [[UInt8]]) -> SimulatedResult {
    guard let rank = ranks[vrank] else { preconditionFailure("rank \(vrank) isn't hosted") }
    return SimulatedResult(
      messageCount: rank.words.count, compute: {}, payload: { Self.payload(rank.words[$0]) })
  }

  func state(of vrank: VRank) -> SimulatedState? {
    ranks[vrank].map { rank in
      SimulatedState(
        messageCount: rank.words.count, read: { Self.payload(rank.words[$0]) },
        write: { message, payload in
          rank.words[message] = (Self.word(payload[..<8]), Self.word(payload[8...]))
        })
    }
  }

  // MARK: Words

  private static func payload(_ words: (rows: UInt64, sums: UInt64)) -> [UInt8] {
    bytes(words.rows) + bytes(words.sums)
  }

  private static func bytes(_ word: UInt64) -> [UInt8] {
    withUnsafeBytes(of: word.littleEndian) { Array($0) }
  }

  /// Any bytes as a word.
  private static func word(_ bytes: some BidirectionalCollection<UInt8>) -> UInt64 {
    guard bytes.count == 8 else { return bytes.reduce(0) { mix($0, UInt64($1)) } }
    return bytes.reversed().reduce(0) { $0 << 8 | UInt64($1) }
  }

  /// Neither commutes nor associates.
  private static func mix(_ left: UInt64, _ right: UInt64) -> UInt64 {
    var word = (left ^ (left >> 31)) &* 0x9E37_79B9_7F4A_7C15 &+ right
    word = (word ^ (word >> 29)) &* 0xBF58_476D_1CE4_E5B9
    return word ^ (word >> 32)
  }
}

extension RehearsalEngine: ProgramEngine {
  /// One step, in one item.
  final class Work: StepWork {
    private let run: @Sendable () -> [Publication]
    private let published = Mutex<[Publication]>([])

    init(_ run: @escaping @Sendable () -> [Publication]) { self.run = run }

    var itemCount: Int { 1 }
    var publications: [Publication] { published.withLock { $0 } }
    var visiblePairs: Int { 0 }

    func perform(_ item: Int, scratch: FoldScratch) {
      let publications = run()
      published.withLock { $0 = publications }
    }
  }

  func work(of vrank: VRank, steps: Range<Int>) -> Work { Work(publish(steps, of: vrank)) }
}
