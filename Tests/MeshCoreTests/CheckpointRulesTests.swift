import MeshCore
import Testing

struct CheckpointRulesTests {
  @Test("an epoch is admitted while none above it exists")
  func admission() {
    let epoch = Epoch(term: 2, counter: 5)
    #expect(CheckpointRules.admits(epoch, existing: []))
    #expect(CheckpointRules.admits(epoch, existing: [Epoch(term: 1, counter: 9), epoch]))
    #expect(!CheckpointRules.admits(epoch, existing: [epoch, Epoch(term: 2, counter: 6)]))
    #expect(!CheckpointRules.admits(epoch, existing: [Epoch(term: 3, counter: 0)]))
  }

  @Test("a later epoch is better than a later generation, and nothing is better than itself")
  func order() {
    let (early, late) = (Epoch(term: 1, counter: 9), Epoch(term: 2, counter: 0))
    #expect(CheckpointRules.isBetter((late, 1), than: (early, 50)))
    #expect(!CheckpointRules.isBetter((early, 50), than: (late, 1)))
    #expect(CheckpointRules.isBetter((late, 2), than: (late, 1)))
    #expect(!CheckpointRules.isBetter((late, 2), than: (late, 2)))
  }
}
