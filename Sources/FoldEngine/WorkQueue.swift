/// Work as independent items: threads take them in any order, and the bits are the same. It keeps alive
/// what it reads and writes.
package protocol ItemisedWork: Sendable {
  var itemCount: Int { get }
  /// Does one item, with the scratch memory of the thread.
  func perform(_ item: Int, scratch: FoldScratch)
}

/// Who does work: one piece after the other, in the order in which they are given.
package protocol WorkQueue {
  /// Gives work, to be done now or later.
  func submit(_ work: some ItemisedWork)

  /// Waits until no more than `count` of the pieces given are unfinished.
  ///
  /// - Returns: how many are.
  @discardableResult
  func wait(unfinished count: Int) -> Int

  /// Skips what hasn't begun, and waits for what has: nothing is left running.
  func cancel()
}

extension WorkQueue {
  /// Does work, after what was given before.
  package func perform(_ work: some ItemisedWork) {
    submit(work)
    wait(unfinished: 0)
  }
}

/// The thread that gives the work does it, at once.
package struct CallingThread: WorkQueue, Sendable {
  private let scratch: FoldScratch

  package init(scratch: FoldScratch = FoldScratch()) { self.scratch = scratch }

  package func submit(_ work: some ItemisedWork) {
    for item in 0..<work.itemCount { work.perform(item, scratch: scratch) }
  }

  @discardableResult
  package func wait(unfinished count: Int) -> Int { 0 }

  package func cancel() {}
}
