import AttentionKernels
import Testing

/// Masks and logit shapes of every kind for a head of any size, dealt in turn.
struct DealtMask: CustomTestStringConvertible {
  let testDescription: String
  let mask: AttentionMask
  var shape = LogitShape.plain

  /// Kinds of masks, by place.
  static let count = 16

  init(_ place: Int, queries: Int, keys: Int, seed: UInt64) {
    var random = SplitMix64(seed: seed)
    let name: String
    switch place % Self.count {
    case 0: (name, mask) = ("full", AttentionMask(queries: queries, keys: keys))
    case 1: (name, mask) = ("causal", AttentionMask(queries: queries, keys: keys, after: 0))
    case 2:
      let before = Int.random(in: 0...max(1, keys / 2), using: &random)
      name = "window of \(before) before"
      mask = AttentionMask(queries: queries, keys: keys, before: before, after: 0)
    case 3:
      let (before, after) = (
        Int.random(in: 0...keys, using: &random), Int.random(in: 0...keys / 2 + 1, using: &random)
      )
      name = "window of \(before) before and \(after) behind"
      mask = AttentionMask(queries: queries, keys: keys, before: before, after: after)
    case 4:
      name = "4 sinks and a window of 40"
      mask = AttentionMask(queries: queries, keys: keys, before: 40, after: 0, sinks: 4)
    case 5:
      let sinks = Int.random(in: 1...300, using: &random)
      name = "\(sinks) sinks and a window of 300"
      mask = AttentionMask(queries: queries, keys: keys, before: 300, after: 2, sinks: sinks)
    case 6:
      name = "documents"
      mask = AttentionMask(
        packed: Self.cuts(queries, 4, &random), keys: Self.cuts(keys, 4, &random))
    case 7:
      name = "causal documents with windows and sinks"
      mask = AttentionMask(
        packed: Self.cuts(queries, 3, &random), keys: Self.cuts(keys, 3, &random), before: 50,
        after: 0, sinks: 3)
    case 8:
      name = "blocks of 64 × 64"
      mask = AttentionMask(
        queries: queries, keys: keys, blocks: Self.blocks(64, 64, queries, keys, &random))
    case 9:
      name = "causal blocks of 48 × 20"
      mask = AttentionMask(
        queries: queries, keys: keys, after: 0,
        blocks: Self.blocks(48, 20, queries, keys, &random))
    case 10:
      (name, mask) = ("causal, softcap", AttentionMask(queries: queries, keys: keys, after: 0))
      shape = LogitShape(softcap: 5)
    case 11:
      (name, mask) = ("causal, ALiBi", AttentionMask(queries: queries, keys: keys, after: 0))
      shape = LogitShape(slope: 0.0625)
    case 12:
      name = "causal documents with ALiBi"
      mask = AttentionMask(
        packed: Self.cuts(queries, 4, &random), keys: Self.cuts(keys, 4, &random), after: 0)
      shape = LogitShape(slope: 0.25)
    case 13:
      name = "all kinds at once"
      mask = AttentionMask(
        packed: Self.cuts(queries, 3, &random), keys: Self.cuts(keys, 3, &random),
        before: Int.random(in: 0...keys, using: &random), after: [nil, 0, 70][keys % 3],
        sinks: Int.random(in: 0...20, using: &random),
        // One row and one column of blocks short: what is beyond the map isn't seen.
        blocks: Self.blocks(48, 20, max(1, queries - 48), max(1, keys - 20), &random))
      shape = LogitShape(softcap: 20, slope: 0.125)
    case 14:
      let offset = Int.random(in: -queries...keys, using: &random)
      name = "shifted by \(offset), no end behind"
      mask = AttentionMask(queries: queries, keys: keys, offset: offset, before: 30)
    default:
      name = "window, sinks, softcap and ALiBi"
      mask = AttentionMask(queries: queries, keys: keys, before: 90, after: 30, sinks: 2)
      shape = LogitShape(softcap: 50, slope: 0.5)
    }
    testDescription = "\(name), \(queries) × \(keys), seed \(seed)"
  }

  private static func cuts(_ count: Int, _ parts: Int, _ random: inout SplitMix64) -> [Int] {
    [0] + (1..<parts).map { _ in Int.random(in: 0...count, using: &random) }.sorted() + [count]
  }

  private static func blocks(
    _ height: Int, _ width: Int, _ queries: Int, _ keys: Int, _ random: inout SplitMix64
  ) -> BlockMap {
    let (rows, columns) = ((queries + height - 1) / height, (keys + width - 1) / width)
    return BlockMap(
      queries: height, keys: width,
      rows: (0..<rows).map { _ in (0..<columns).map { _ in Bool.random(using: &random) } })
  }
}
