internal import MeshCore

/// The bytes under way in one direction of a connection. Bounded; knows neither sockets nor clocks.
package struct ProxyStream {
  /// Bytes that may be under way. A link that holds more than this is a link that blocks.
  package static let bytesMaximum = 4 << 20

  /// Whether bytes may go out.
  package enum Due: Equatable {
    /// At most so many, now.
    case now(Int)
    case at(Duration)
    /// Not before something else happens.
    case never
  }

  private struct Chunk {
    var bytes: [UInt8]
    var start = 0
    let due: Duration
  }

  /// Where the next bit is flipped, and where the window ends in which one is.
  private struct Window {
    let spacing: Int
    var left: Int
    var untilFlip: Int?
  }

  private var chunks: [Chunk] = []
  private var head = 0
  private var random: SplitMix64
  /// Its own, so that the flipped bits depend on nothing but the seed and the bytes before them.
  private var bitRandom: SplitMix64
  private var window: Window?
  private var lastDue: Duration = .zero
  private var nextWrite: Duration = .zero
  /// Bytes that went out since the faults changed.
  private var passed = 0

  package private(set) var buffered = 0
  package private(set) var bitsFlipped = 0
  /// The sender has sent its last byte.
  package var isEnded = false

  package init(seed: UInt64) {
    random = SplitMix64(seed: seed)
    bitRandom = SplitMix64(seed: ~seed)
  }

  package var room: Int { Self.bytesMaximum - buffered }
  /// Nothing will ever go out again.
  package var isFinished: Bool { isEnded && buffered == 0 }

  /// Other faults are in force from now on.
  package mutating func beginFaults() { passed = 0 }

  /// Takes bytes of the sender.
  package mutating func take(
    _ bytes: ArraySlice<UInt8>, under faults: DirectionFaults, at now: Duration
  ) {
    precondition(bytes.count <= room, "\(bytes.count) bytes, and room for \(room)")
    var taken = Array(bytes)
    if let spacing = faults.corruptionSpacing { corrupt(&taken, spacing: spacing) }
    // In order: what comes later never overtakes.
    lastDue = max(
      lastDue, now + faults.delay + faults.jitter * Double.random(in: 0...1, using: &random))
    buffered += taken.count
    chunks.append(Chunk(bytes: taken, due: lastDue))
  }

  private mutating func corrupt(_ bytes: inout [UInt8], spacing: Int) {
    if window?.spacing != spacing { window = nil }
    var position = 0
    while position < bytes.count {
      var current =
        window
        ?? Window(
          spacing: spacing, left: spacing,
          untilFlip: Int.random(in: 0..<spacing, using: &bitRandom))
      let step = min(current.left, bytes.count - position)
      if let flip = current.untilFlip {
        if flip < step {
          bytes[position + flip] ^= 1 << UInt8.random(in: 0..<8, using: &bitRandom)
          bitsFlipped += 1
        }
        current.untilFlip = flip < step ? nil : flip - step
      }
      position += step
      current.left -= step
      window = current.left == 0 ? nil : current
    }
  }

  /// Whether the receiver may be given bytes.
  package mutating func due(under faults: DirectionFaults, at now: Duration) -> Due {
    guard buffered > 0, !faults.isStalled else { return .never }
    let due = max(chunks[head].due, faults.bytesPerSecond == nil ? .zero : nextWrite)
    guard due <= now else { return .at(due) }
    var count = chunks[head].bytes.count - chunks[head].start
    if let slice = faults.sliceBytesMaximum {
      count = min(count, Int.random(in: 1...slice, using: &random))
    }
    // Pieces of ten milliseconds: smooth, and not a system call a byte.
    if let rate = faults.bytesPerSecond { count = min(count, max(1, rate / 100)) }
    if let limit = faults.bytesUntilClose { count = min(count, limit - passed) }
    return count > 0 ? .now(count) : .never
  }

  /// Gives bytes that are due; `body` returns how many of them went out.
  package mutating func send(
    _ count: Int, under faults: DirectionFaults, at now: Duration,
    _ body: (UnsafeRawBufferPointer) -> Int
  ) -> Int {
    let start = chunks[head].start
    let sent = chunks[head].bytes.withUnsafeBytes {
      body(UnsafeRawBufferPointer(rebasing: $0[start..<start + count]))
    }
    guard sent > 0 else { return sent }
    chunks[head].start += sent
    buffered -= sent
    passed += sent
    if let rate = faults.bytesPerSecond {
      nextWrite = max(nextWrite, now) + .seconds(1) * (Double(sent) / Double(rate))
    }
    if chunks[head].start == chunks[head].bytes.count { dropFirst() }
    return sent
  }

  private mutating func dropFirst() {
    chunks[head].bytes = []
    head += 1
    if head == chunks.count || head > 1_024 {
      chunks.removeFirst(head)
      head = 0
    }
  }

  /// The connection has to end here.
  package func isSpent(under faults: DirectionFaults) -> Bool {
    faults.bytesUntilClose.map { passed >= $0 } ?? false
  }
}
