internal import MeshCore

/// Somebody who sends to a core.
enum Place: Hashable, Sendable {
  case client
  case coordinator
  case store
  case worker(Int)
  /// The compute threads of a worker.
  case compute(Int)
}

/// An event under way to a core.
enum Delivery: Sendable {
  case coordinator(Coordinator.Event)
  case worker(Int, Worker.Event)

  var target: Place {
    switch self {
    case .coordinator: .coordinator
    case .worker(let index, _): .worker(index)
    }
  }
}

/// What is under way. Without a seed everything arrives in the order in which it was sent; with one,
/// only what one place sends to another keeps its order, as over sockets.
struct Network: Sendable {
  /// What one place has sent to another, oldest first.
  private struct Line: Sendable {
    let from: Place
    let to: Place
    /// Passed over this many times in a row, on average, before it delivers.
    let slowness: Int
    var waiting: [Delivery] = []
    var next = 0
  }

  private var lines: [Line] = []
  /// Lines on which something is under way.
  private var busy: [Int] = []
  private var random: SplitMix64?

  init(seed: UInt64?) { random = seed.map(SplitMix64.init) }

  mutating func send(_ delivery: Delivery, from: Place) {
    let index = line(from: from, to: delivery.target)
    if lines[index].waiting.isEmpty { busy.append(index) }
    lines[index].waiting.append(delivery)
  }

  mutating func next() -> Delivery? {
    guard !busy.isEmpty else { return nil }
    let place = choose()
    let index = busy[place]
    let delivery = lines[index].waiting[lines[index].next]
    lines[index].next += 1
    if lines[index].next == lines[index].waiting.count {
      lines[index].waiting = []
      lines[index].next = 0
      busy.swapAt(place, busy.count - 1)
      busy.removeLast()
    }
    return delivery
  }

  private mutating func choose() -> Int {
    guard var random else { return 0 }
    defer { self.random = random }
    while true {
      let place = Int.random(in: 0..<busy.count, using: &random)
      let slowness = lines[busy[place]].slowness
      if Int.random(in: 0..<slowness, using: &random) == 0 { return place }
    }
  }

  private mutating func line(from: Place, to: Place) -> Int {
    guard var random else {
      if lines.isEmpty { lines.append(Line(from: from, to: to, slowness: 1)) }
      return 0
    }
    if let known = lines.firstIndex(where: { $0.from == from && $0.to == to }) { return known }
    // One line in four is slow, so that somebody is always far ahead of somebody.
    let slowness = Int.random(in: 0..<4, using: &random) == 0 ? 64 : 1
    self.random = random
    lines.append(Line(from: from, to: to, slowness: slowness))
    return lines.count - 1
  }
}
