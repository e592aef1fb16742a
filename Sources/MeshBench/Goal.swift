/// A bound that a measured value is held against. Missing one is told, and fails the command only
/// when that is asked for: a benchmark on a busy machine proves nothing by failing.
package struct Goal: Encodable, Sendable {
  package enum Direction: String, Encodable, Sendable {
    case atLeast = "at_least"
    case atMost = "at_most"
  }

  package let name: String
  package let direction: Direction
  package let bound: Double
  package let measured: Double
  package let isMet: Bool

  package init(_ name: String, _ measured: Double, atLeast bound: Double) {
    self.init(name, measured, .atLeast, bound, isMet: measured >= bound)
  }

  package init(_ name: String, _ measured: Double, atMost bound: Double) {
    self.init(name, measured, .atMost, bound, isMet: measured <= bound)
  }

  private init(
    _ name: String, _ measured: Double, _ direction: Direction, _ bound: Double, isMet: Bool
  ) {
    self.name = name
    self.measured = measured
    self.direction = direction
    self.bound = bound
    self.isMet = isMet
  }
}
