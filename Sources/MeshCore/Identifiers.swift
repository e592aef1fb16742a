/// A job, unique for all time: 128 random bits chosen when the job is submitted.
package struct JobID: Hashable, Comparable, Sendable, Codable, CustomStringConvertible {
  package let high: UInt64
  package let low: UInt64

  package init(high: UInt64, low: UInt64) {
    self.high = high
    self.low = low
  }

  /// The id written as 32 hexadecimal digits; nil for anything else.
  package init?(_ text: String) {
    guard text.utf8.count == 32, text.utf8.allSatisfy({ $0 != UInt8(ascii: "+") }),
      let high = UInt64(text.prefix(16), radix: 16), let low = UInt64(text.suffix(16), radix: 16)
    else { return nil }
    self.init(high: high, low: low)
  }

  package var description: String { hexadecimal(high) + hexadecimal(low) }

  package static func < (left: JobID, right: JobID) -> Bool {
    (left.high, left.low) < (right.high, right.low)
  }
}

/// A worker process. Drawn at random at each start, so a restarted worker is a new worker: this is
/// its incarnation. Never an address: ports get reused.
package struct WorkerID: Hashable, Comparable, Sendable, Codable, CustomStringConvertible {
  package let incarnation: UInt64

  package init(incarnation: UInt64) { self.incarnation = incarnation }

  package var description: String { hexadecimal(incarnation) }

  package static func < (left: WorkerID, right: WorkerID) -> Bool {
    left.incarnation < right.incarnation
  }
}

/// A virtual rank of a job's plan: 0 ..< plan.vrankCount. The plan never changes; which worker hosts
/// a virtual rank may.
package struct VRank: Hashable, Comparable, Sendable, Codable, CustomStringConvertible {
  package let index: Int

  package init(_ index: Int) { self.index = index }

  package var description: String { "\(index)" }

  package static func < (left: VRank, right: VRank) -> Bool { left.index < right.index }
}

/// One assignment of one virtual rank: (coordinator term, counter), strictly increasing.
/// Every resource refuses what carries a lower epoch than the highest it saw.
package struct Epoch: Hashable, Comparable, Sendable, Codable, CustomStringConvertible {
  package let term: UInt64
  package let counter: UInt64

  package init(term: UInt64, counter: UInt64) {
    self.term = term
    self.counter = counter
  }

  /// Below every epoch that is ever minted.
  package static let lowest = Epoch(term: 0, counter: 0)

  package var description: String { "\(term).\(counter)" }

  package static func < (left: Epoch, right: Epoch) -> Bool {
    (left.term, left.counter) < (right.term, right.counter)
  }
}

/// What a tile is a part of: a tensor of the job's inputs, which the store has, or one that ranks compute,
/// tile by tile, and publish.
package enum TileTensor: UInt8, Sendable, CaseIterable {
  /// Query rows of `Plan.queryTileRows` tokens, all query heads.
  case query = 1
  /// Keys and values of `Plan.keyTileKeys` tokens, all key/value heads.
  case keyValue = 2
  /// What the rows of a layer have become, for the next one. Kept as long as the job lives.
  case hidden = 3
  /// An accumulator on its way from rank to rank. Dropped once it is in the next one's copies: whoever
  /// needs it again computes it again, from the tiles that its step reads and nothing else.
  case partial = 4
  /// dK and dV of a K/V tile, once all ranks have added to them. Kept until they are handed in.
  case gradient = 5

  /// Those of which the store has the tiles.
  package static let stored: [TileTensor] = [.query, .keyValue]

  package var isStored: Bool { self == .query || self == .keyValue }
}

/// An immutable tile. Any holder may serve it.
package struct TileID: Hashable, Comparable, Sendable, CustomStringConvertible {
  package let tensor: TileTensor
  package let index: Int

  package init(_ tensor: TileTensor, _ index: Int) {
    self.tensor = tensor
    self.index = index
  }

  package static func query(_ index: Int) -> TileID { TileID(.query, index) }
  package static func keyValue(_ index: Int) -> TileID { TileID(.keyValue, index) }
  package static func gradient(_ index: Int) -> TileID { TileID(.gradient, index) }

  package var description: String {
    switch tensor {
    case .query: "Q tile \(index)"
    case .keyValue: "K/V tile \(index)"
    case .hidden: "hidden tile \(index)"
    case .partial: "partial \(index)"
    case .gradient: "dK/dV tile \(index)"
    }
  }

  package static func < (left: TileID, right: TileID) -> Bool {
    (left.tensor.rawValue, left.index) < (right.tensor.rawValue, right.index)
  }
}

/// Chosen by the caller of a method, reused when it retries: the same id is the same request.
package struct RequestID: Hashable, Sendable, Codable, CustomStringConvertible {
  package let high: UInt64
  package let low: UInt64

  package init(high: UInt64, low: UInt64) {
    self.high = high
    self.low = low
  }

  package var description: String { hexadecimal(high) + hexadecimal(low) }
}

/// 16 lower-case hexadecimal digits.
func hexadecimal(_ value: UInt64) -> String {
  let digits = String(value, radix: 16)
  return String(repeating: "0", count: 16 - digits.count) + digits
}
