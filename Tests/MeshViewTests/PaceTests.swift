import MeshView
import Testing

/// How long the rest will take.
struct PaceTests {
  @Test("at a steady pace the rest takes as long in proportion")
  func steady() throws {
    var pace = Pace()
    for second in 0..<2 {
      #expect(pace.remaining(done: second * 10, total: 1_000, at: Double(second)) == nil)
    }
    #expect(pace.remaining(done: 100, total: 1_000, at: 10) == 90)
    #expect(pace.remaining(done: 1_000, total: 1_000, at: 100) == nil)
  }

  @Test(
    "what counts is the last half minute, and nothing is said of what stands still or goes back")
  func lately() throws {
    var pace = Pace()
    var last: Double?
    // Ten a second for a minute, then one a second for a minute.
    for half in 0...240 {
      let seconds = Double(half) / 2
      let done = seconds <= 60 ? 10 * seconds : 600 + (seconds - 60)
      last = pace.remaining(done: Int(done), total: 1_000, at: seconds)
    }
    #expect(abs(try #require(last) - 340) < 20)
    #expect(pace.remaining(done: 10, total: 1_000, at: 121) == nil)
    var still = Pace()
    for second in 0..<60 { #expect(still.remaining(done: 5, total: 10, at: Double(second)) == nil) }
  }
}
