/// Bytes that came with an event: the shell's number of them. The core is told first, and says by an effect
/// what becomes of them.
package struct Payload: Hashable, Sendable {
  package let number: UInt64
  package init(number: UInt64) { self.number = number }
}

/// The bytes that a shell has while the core is told of them, and no longer.
package struct Arrivals<Bytes> {
  private var count: UInt64 = 0
  private var current: Bytes?

  package init() {}

  /// Takes bytes before the core is told, in place of those before.
  package mutating func add(_ bytes: Bytes) -> Payload {
    count += 1
    current = bytes
    return Payload(number: count)
  }

  /// The bytes, if the core is being told of them.
  package subscript(payload: Payload) -> Bytes? { payload.number == count ? current : nil }

  /// The core has been told.
  package mutating func clear() { current = nil }
}
