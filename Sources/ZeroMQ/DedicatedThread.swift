internal import CZeroMQ
internal import Glibc
internal import Synchronization

/// A thread of its own, for a loop that owns sockets or for long computations.
package final class DedicatedThread: Sendable {
  /// Which signals a thread takes.
  package enum Signals: Sendable {
    /// Those that its creator takes.
    case inherited
    /// None but those of its own faults, so that the main thread gets them.
    case blocked
  }

  private let thread: Mutex<pthread_t?>

  /// Starts a thread.
  ///
  /// - Parameters:
  ///   - name: as shown by `top -H`, at most 15 bytes.
  ///   - nice: added to the creator's niceness, 0 to 19; higher yields to others.
  ///   - signals: which signals it takes.
  ///   - body: what it does; the thread ends with it.
  /// - Throws: `EAGAIN` at the system's limit of threads.
  package init(
    name: String, nice: Int = 0, signals: Signals = .blocked, body: @escaping @Sendable () -> Void
  ) throws(ZeroMQError) {
    precondition(name.utf8.count <= 15, "the kernel keeps 15 bytes of a thread's name")
    precondition((0...19).contains(nice), "lowering one's niceness takes privileges")
    let start = ThreadStart(name: name, nice: Int32(nice), body: body)
    let argument = Unmanaged.passRetained(start).toOpaque()
    var thread = pthread_t()
    var previous = sigset_t()
    // A thread starts with its creator's mask: set there, no signal can come in between.
    if signals == .blocked { Self.blockSignals(previous: &previous) }
    // pthread_create: 0, or EAGAIN, EINVAL, EPERM.
    let status = pthread_create(
      &thread, nil,
      { argument in
        if let argument {
          Unmanaged<ThreadStart>.fromOpaque(argument).takeRetainedValue().run()
        }
        return nil
      }, argument)
    if signals == .blocked { pthread_sigmask(SIG_SETMASK, &previous, nil) }
    guard status == 0 else {
      Unmanaged<ThreadStart>.fromOpaque(argument).release()
      throw ZeroMQError(code: status, operation: "pthread_create")
    }
    self.thread = Mutex(thread)
  }

  deinit {
    // Not joined: the thread goes on and cleans up after itself.
    thread.withLock { thread in
      if let thread { _ = pthread_detach(thread) }
    }
  }

  /// Waits until the body has returned; at once if that was seen before.
  package func join() {
    thread.withLock { thread in
      guard let joined = thread.take() else { return }
      // pthread_join: 0, or EDEADLK from the thread itself, EINVAL, ESRCH.
      let status = pthread_join(joined, nil)
      precondition(status == 0, "a thread cannot join itself")
    }
  }

  /// Blocks every signal but those that a thread's own faults raise.
  private static func blockSignals(previous: inout sigset_t) {
    var mask = sigset_t()
    sigfillset(&mask)
    // Blocked faults would kill the process without a backtrace.
    for fault in [SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP, SIGABRT, SIGSYS] {
      sigdelset(&mask, fault)
    }
    pthread_sigmask(SIG_SETMASK, &mask, &previous)
  }
}

/// What a new thread finds.
private final class ThreadStart: Sendable {
  private let name: String
  private let nice: Int32
  private let body: @Sendable () -> Void

  init(name: String, nice: Int32, body: @escaping @Sendable () -> Void) {
    self.name = name
    self.nice = nice
    self.body = body
  }

  func run() {
    // pthread_setname_np: 0, or ERANGE for a name beyond 15 bytes.
    _ = pthread_setname_np(pthread_self(), name)
    // setpriority: 0, or -1 with EACCES when niceness would fall.
    if nice > 0 { _ = mesh_thread_set_priority(mesh_thread_priority() + nice) }
    body()
  }
}
