import MeshCore
import Testing

/// Who may write a job's result.
@Suite struct ResultIntakeTests {
  private func epoch(_ counter: UInt64, term: UInt64 = 1) -> Epoch {
    Epoch(term: term, counter: counter)
  }

  private func intake(_ counters: UInt64...) -> ResultIntake {
    ResultIntake(
      tenures: counters.map { Assignment.Tenure(epoch: epoch($0)) },
      isFinal: counters.map { _ in false })
  }

  @Test("the epoch that was committed for each rank, and no other, however high")
  func epochs() {
    let intake = intake(5, 6)
    let steps: [(UInt64, Int, Bool)] = [
      (5, 0, true), (4, 0, false), (6, 0, false), (.max, 0, false), (5, 0, true), (6, 1, true),
      (5, 1, false),
    ]
    for (counter, vrank, isAdmitted) in steps {
      let admits = intake.admits(epoch(counter), for: VRank(vrank))
      #expect(admits == isAdmitted, "\(counter) for \(vrank)")
    }
    #expect(!intake.admits(epoch(5, term: 2), for: VRank(0)))
  }

  @Test("a fence ends the tenures before it, and never brings one back")
  func fence() {
    var intake = intake(5, 6)
    intake.fence([epoch(8), epoch(2)].map { Assignment.Tenure(epoch: $0) })
    #expect(intake.tenures.map(\.epoch) == [epoch(8), epoch(6)])
    #expect(!intake.admits(epoch(7), for: VRank(0)) && intake.admits(epoch(8), for: VRank(0)))
    intake.fence([])
    intake.fence([epoch(1), epoch(1), epoch(1)].map { Assignment.Tenure(epoch: $0) })
    #expect(intake.tenures.map(\.epoch) == [epoch(8), epoch(6)])
  }

  @Test(
    "in a mesh with keys only the host's key acts for a rank, and nobody's while it has no host")
  func keys() throws {
    let (host, other) = (try key("h"), try key("o"))
    var intake = ResultIntake(
      tenures: [
        Assignment.Tenure(epoch: epoch(5), publicKey: host), Assignment.Tenure(epoch: epoch(6)),
      ], isFinal: [false, false])
    #expect(intake.admits(epoch(5), for: VRank(0), key: host))
    #expect(!intake.admits(epoch(5), for: VRank(0), key: other))
    #expect(!intake.admits(epoch(5), for: VRank(0), key: nil))
    #expect(!intake.admits(epoch(6), for: VRank(1), key: host))
    intake.fence([Assignment.Tenure(epoch: epoch(7), publicKey: other)])
    #expect(intake.admits(epoch(7), for: VRank(0), key: other))
    #expect(!intake.admits(epoch(7), for: VRank(0), key: host))
    #expect(!intake.admits(epoch(5), for: VRank(0), key: host))
  }

  private func key(_ letter: Character) throws -> PublicKey {
    try #require(PublicKey(String(repeating: letter, count: 40)))
  }

  @Test("ranks that aren't in the job are refused")
  func strangers() {
    var intake = intake(5)
    for index in [Int.min, -1, 1, .max] {
      #expect(!intake.admits(epoch(5), for: VRank(index)))
      intake.markFinal(VRank(index))
    }
    #expect(intake.isFinal == [false])
    intake.markFinal(VRank(0))
    #expect(intake.isFinal == [true])
  }
}
