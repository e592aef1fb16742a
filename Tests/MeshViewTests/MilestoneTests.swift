import MeshView
import Testing

/// Which progress is worth a line.
struct MilestoneTests {
  private func told(seconds: Int, total: Int, done: (Int) -> Int) -> [(Int, Int)] {
    var milestones = Milestones()
    return (0...seconds).compactMap { second in
      milestones.percent(done: done(second), total: total, at: Double(second)).map { (second, $0) }
    }
  }

  @Test("a line at each tenth, and none sooner than ten seconds after the last")
  func tenths() {
    let slow = told(seconds: 1_000, total: 1_000) { $0 }
    #expect(slow.map(\.0) == (1...9).map { 100 * $0 })
    #expect(slow.map(\.1) == (1...9).map { 10 * $0 })
    let fast = told(seconds: 40, total: 40) { $0 }
    #expect(fast.map(\.0) == [10, 20, 30] && fast.map(\.1) == [20, 50, 70])
  }

  @Test("nothing of what is short, stands still, or is over")
  func silence() {
    #expect(told(seconds: 9, total: 9) { $0 }.isEmpty)
    #expect(told(seconds: 500, total: 0) { _ in 0 }.isEmpty)
    #expect(told(seconds: 500, total: 10) { min($0, 3) }.map(\.1) == [30])
  }

  @Test("another whole begins anew")
  func phases() {
    var milestones = Milestones()
    #expect(milestones.percent(done: 0, total: 10, at: 0) == nil)
    #expect(milestones.percent(done: 9, total: 10, at: 20) == 90)
    #expect(milestones.percent(done: 1, total: 5, at: 25) == nil)
    #expect(milestones.percent(done: 2, total: 5, at: 31) == 40)
  }
}
