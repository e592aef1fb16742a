/// Producers that wait until ranks here are copied.
struct PassWaiters: Sendable {
  private var list: [Waiter] = []

  private struct Waiter: Sendable {
    let vrank: VRank
    let steps: Int
    let link: Worker.Link
  }

  /// A producer asks, perhaps again. Of too many the first is forgotten, and asks again.
  mutating func add(_ question: PassQuestion, from link: Worker.Link) {
    list.removeAll { $0.link == link && $0.vrank == question.vrank }
    if list.count >= Limits.passWaitersMaximum { list.removeFirst() }
    list.append(Waiter(vrank: question.vrank, steps: question.steps, link: link))
  }

  mutating func forget(_ link: Worker.Link) { list.removeAll { $0.link == link } }

  /// Answers those for whom it is so, and forgets those that wait for a rank that is gone.
  ///
  /// - Parameter passed: how far what would outlive this worker is, of a rank here.
  mutating func answer(
    _ job: JobID, into effects: inout Effects, passed: (VRank) -> (epoch: Epoch, steps: Int)?
  ) {
    guard !list.isEmpty else { return }
    var waiting: [Waiter] = []
    for waiter in list {
      guard let (epoch, steps) = passed(waiter.vrank) else { continue }
      if steps >= waiter.steps {
        effects.append(
          .answerPass(
            PassAnswer(job: job, vrank: waiter.vrank, epoch: epoch, steps: steps),
            to: waiter.link))
      } else {
        waiting.append(waiter)
      }
    }
    list = waiting
  }
}
