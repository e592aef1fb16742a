internal import Glibc
internal import Synchronization

/// Places in the code where a test makes the process fail: `ATTNMESH_FAILPOINT=name:action:count`
/// does the action when the place is passed for the count-th time; several are separated by commas.
/// Without the variable a place costs one comparison. `ATTNMESH_FAILPOINT_MARK=path` writes the time
/// to a file first, in nanoseconds of the system's monotonic clock, so that a benchmark knows when it
/// was.
enum Failpoint {
  private enum Action: String {
    /// As by a failed assertion.
    case abort
    /// As by kill -9.
    case kill
    /// As by a debugger, until SIGCONT.
    case stop
    /// The thread never comes back.
    case hang
    /// The thread comes back after `count` milliseconds, every time.
    case delay
  }

  private final class Plan: Sendable {
    let name: String
    let action: Action
    let count: Int
    let passed = Atomic<Int>(0)

    init?(_ text: Substring) {
      let fields = text.split(separator: ":")
      guard fields.count == 3, let action = Action(rawValue: String(fields[1])),
        let count = Int(fields[2]), count > 0
      else { return nil }
      (name, self.action, self.count) = (String(fields[0]), action, count)
    }
  }

  private static let plans = getenv("ATTNMESH_FAILPOINT").map { text in
    String(cString: text).split(separator: ",").compactMap { Plan($0) }
  }

  static func pass(_ name: StaticString) {
    guard let plans else { return }
    for plan in plans where plan.name == "\(name)" { pass(plan) }
  }

  private static func pass(_ plan: Plan) {
    if plan.action == .delay {
      usleep(UInt32(clamping: plan.count * 1_000))
      return
    }
    guard plan.passed.add(1, ordering: .relaxed).newValue == plan.count else { return }
    if let path = getenv("ATTNMESH_FAILPOINT_MARK") { mark(path) }
    switch plan.action {
    case .abort: Glibc.abort()
    case .kill: _ = kill(getpid(), SIGKILL)
    case .stop: raise(SIGSTOP)
    case .hang: while true { pause() }
    case .delay: break
    }
  }

  private static func mark(_ path: UnsafePointer<CChar>) {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    let file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
    let line = "\(time.tv_sec * 1_000_000_000 + time.tv_nsec)\n"
    _ = line.withCString { write(file, $0, strlen($0)) }
    close(file)
  }
}
