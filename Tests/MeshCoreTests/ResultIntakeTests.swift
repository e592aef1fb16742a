import MeshCore
import Testing

/// Who may write a job's result.
@Suite struct ResultIntakeTests {
  private func epoch(_ counter: UInt64, term: UInt64 = 1) -> Epoch {
    Epoch(term: term, counter: counter)
  }

  @Test("the highest epoch seen of each rank is remembered, and lower ones are refused for ever")
  func epochs() {
    var intake = ResultIntake(epochs: [epoch(5), epoch(6)], isFinal: [false, false])
    let steps: [(UInt64, Int, Bool)] = [
      (5, 0, true), (4, 0, false), (9, 0, true), (5, 0, false), (8, 0, false), (9, 0, true),
      (6, 1, true), (5, 1, false),
    ]
    for (counter, vrank, isAdmitted) in steps {
      let admits = intake.admits(epoch(counter), for: VRank(vrank))
      #expect(admits == isAdmitted, "\(counter) for \(vrank)")
    }
    let nextTerm = intake.admits(epoch(1, term: 2), for: VRank(0))
    let oldTerm = intake.admits(epoch(99), for: VRank(0))
    #expect(nextTerm && !oldTerm)
  }

  @Test("a fence refuses what is lower before anything of the new host arrives, and never lowers")
  func fence() {
    var intake = ResultIntake(epochs: [epoch(5), epoch(6)], isFinal: [false, false])
    intake.fence([epoch(8), epoch(2)])
    #expect(intake.epochs == [epoch(8), epoch(6)])
    let old = intake.admits(epoch(7), for: VRank(0))
    let new = intake.admits(epoch(8), for: VRank(0))
    #expect(!old && new)
    intake.fence([])
    intake.fence([epoch(1), epoch(1), epoch(1)])
    #expect(intake.epochs == [epoch(8), epoch(6)])
  }

  @Test("ranks that aren't in the job are refused")
  func strangers() {
    var intake = ResultIntake(epochs: [epoch(5)], isFinal: [false])
    for index in [Int.min, -1, 1, .max] {
      let admits = intake.admits(epoch(9), for: VRank(index))
      #expect(!admits)
      intake.markFinal(VRank(index))
    }
    #expect(intake.isFinal == [false] && intake.epochs == [epoch(5)])
    intake.markFinal(VRank(0))
    #expect(intake.isFinal == [true])
  }
}
