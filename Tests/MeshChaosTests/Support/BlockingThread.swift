import ZeroMQ

/// A thread for what blocks.
struct BlockingThread {
  private let thread: DedicatedThread?

  init(_ body: @escaping @Sendable () -> Void) {
    thread = try? DedicatedThread(name: "blocking", body: body)
  }

  func join() { thread?.join() }
}
