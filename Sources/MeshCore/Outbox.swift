/// What a virtual rank has published for others to pass on, and how far those are that read it.
///
/// A travelling accumulator is kept until its reader has done the step that reads it in a copy that would
/// outlive the reader's worker; so whoever is lost finds again what it needs, unless its holder was lost as
/// well. A rank with as many tiles as there may be publishes no further ones until the first is passed, and
/// asks the readers of it to copy now: however rarely they would, nobody waits for the interval of copies.
struct Outbox: Sendable {
  /// Published and not let go, ascending by step.
  private(set) var tiles: [Published] = []
  /// Steps of each reader's last copy, as it told.
  private var passed: [VRank: Int] = [:]
  private var asked: [VRank: (steps: Int, at: Duration)] = [:]

  struct Published: Sendable {
    let step: Int
    let tile: TileID
  }

  func contains(_ tile: TileID) -> Bool { tiles.contains { $0.tile == tile } }

  /// Takes a tile, also one that is published again, or was restored.
  mutating func add(_ tile: TileID, step: Int) {
    guard !contains(tile) else { return }
    let place = tiles.firstIndex { step < $0.step } ?? tiles.endIndex
    tiles.insert(Published(step: step, tile: tile), at: place)
  }

  /// The step before which nothing is kept: tiles go in the order in which they were published.
  func released(by next: Int) -> Int { tiles.first?.step ?? next }

  mutating func removeFirst() { tiles.removeFirst() }

  /// A reader told how far its copies are.
  mutating func pass(_ reader: VRank, _ steps: Int) {
    passed[reader] = max(steps, passed[reader] ?? 0)
    if let question = asked[reader], question.steps <= steps { asked[reader] = nil }
  }

  func hasPassed(_ reader: Reader) -> Bool { passed[reader.vrank] ?? 0 >= reader.steps }

  /// Whether to ask a reader now, who is asked again after a while. Notes that it is.
  mutating func asks(_ reader: Reader, at now: Duration) -> Bool {
    if let question = asked[reader.vrank], question.steps >= reader.steps,
      now - question.at < Limits.passInterval
    {
      return false
    }
    asked[reader.vrank] = (reader.steps, now)
    return true
  }
}

/// A rank that reads what another published, and the steps after which it has.
struct Reader: Hashable, Sendable {
  let vrank: VRank
  let steps: Int
}

extension Plan {
  /// Who reads a tile that `producer` publishes, but itself: of what travels the next rank alone.
  func readers(of tile: TileID, by producer: VRank) -> [Reader] {
    let next = steps(of: producer).reader(of: tile)
    return (next.map { [$0] } ?? vranks).compactMap { vrank in
      guard vrank != producer, let last = steps(of: vrank).steps(reading: tile).last else {
        return nil
      }
      return Reader(vrank: vrank, steps: last + 1)
    }
  }

  /// Who reads anything that `producer` publishes, and when it has read the last of it.
  func readers(of producer: VRank) -> [Reader] {
    guard publishes else { return [] }
    var last: [VRank: Int] = [:]
    let programs = vranks.map { steps(of: $0) }
    let own = programs[producer.index]
    for step in 0..<own.count {
      guard let tile = own.publishes(step) else { continue }
      for vrank in own.reader(of: tile).map({ [$0] }) ?? vranks where vrank != producer {
        guard let read = programs[vrank.index].steps(reading: tile).last else { continue }
        last[vrank] = max(read + 1, last[vrank] ?? 0)
      }
    }
    return last.map { Reader(vrank: $0.key, steps: $0.value) }.sorted { $0.vrank < $1.vrank }
  }
}
