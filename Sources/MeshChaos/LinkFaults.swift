/// What one direction of a link does to the bytes that pass.
package struct DirectionFaults: Hashable, Sendable, CustomStringConvertible {
  /// Nothing passes, not even the news that a side is gone; what was sent waits.
  package var isStalled = false
  /// Bytes pass so much later, and up to `jitter` more, in order.
  package var delay: Duration = .zero
  package var jitter: Duration = .zero
  package var bytesPerSecond: Int?
  /// Bytes go out in pieces of one to so many.
  package var sliceBytesMaximum: Int?
  /// One bit of every so many bytes is flipped, at a random place.
  package var corruptionSpacing: Int?
  /// A connection ends when so many more bytes have passed, in the middle of whatever they are.
  package var bytesUntilClose: Int?

  package init() {}

  package var description: String {
    let parts = [
      isStalled ? "nothing passes" : nil,
      delay > .zero || jitter > .zero ? "\(delay) to \(delay + jitter) late" : nil,
      bytesPerSecond.map { "\($0) bytes a second" },
      sliceBytesMaximum.map { "pieces of up to \($0) bytes" },
      corruptionSpacing.map { "one bit in \($0) bytes flips" },
      bytesUntilClose.map { "ends after \($0) bytes" },
    ].compactMap(\.self)
    return parts.isEmpty ? "passes" : parts.joined(separator: ", ")
  }
}

/// What a link does: nothing unusual, unless told.
package struct LinkFaults: Hashable, Sendable, CustomStringConvertible {
  /// From those who connect to those they connect to, and back.
  package var toTarget = DirectionFaults()
  package var toSource = DirectionFaults()
  /// Whether new connections are turned away, as where nobody listens.
  package var isRefusing = false

  package init() {}

  /// A link without faults.
  package static let pass = LinkFaults()

  /// Connections stay open and new ones are taken, and nothing passes.
  package static let blackHole = LinkFaults { $0.isStalled = true }

  package static let refuse: LinkFaults = {
    var faults = LinkFaults()
    faults.isRefusing = true
    return faults
  }()

  /// The same in both directions.
  package init(both change: (inout DirectionFaults) -> Void) {
    change(&toTarget)
    change(&toSource)
  }

  package static func delay(_ delay: Duration, jitter: Duration = .zero) -> LinkFaults {
    LinkFaults {
      $0.delay = delay
      $0.jitter = jitter
    }
  }

  package static func bandwidth(bytesPerSecond: Int) -> LinkFaults {
    LinkFaults { $0.bytesPerSecond = bytesPerSecond }
  }

  package static func slice(bytesMaximum: Int) -> LinkFaults {
    LinkFaults { $0.sliceBytesMaximum = bytesMaximum }
  }

  package static func corrupt(oneBitIn bytes: Int) -> LinkFaults {
    LinkFaults { $0.corruptionSpacing = bytes }
  }

  package static func close(after bytes: Int) -> LinkFaults {
    LinkFaults { $0.bytesUntilClose = bytes }
  }

  /// A one-way partition.
  package static let stallToTarget: LinkFaults = {
    var faults = LinkFaults()
    faults.toTarget.isStalled = true
    return faults
  }()

  package static let stallToSource: LinkFaults = {
    var faults = LinkFaults()
    faults.toSource.isStalled = true
    return faults
  }()

  package var description: String {
    if isRefusing { return "refuses connections" }
    return toTarget == toSource ? "\(toTarget)" : "\(toTarget); back: \(toSource)"
  }

  /// Nothing passes in either direction.
  var isBlackHole: Bool { toTarget.isStalled && toSource.isStalled }
}
