internal import Glibc
internal import Synchronization

/// A place in the code where a test makes the process fail: `ATTNMESH_FAILPOINT=name:action:count`
/// does the action when the place is passed for the count-th time. Without the variable a place costs
/// one comparison. `ATTNMESH_FAILPOINT_MARK=path` writes the time to a file first, in nanoseconds of
/// the system's monotonic clock, so that a benchmark knows when it was.
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
  }

  private struct Plan {
    let name: String
    let action: Action
    let count: Int

    init?(_ text: String) {
      let fields = text.split(separator: ":")
      guard fields.count == 3, let action = Action(rawValue: String(fields[1])),
        let count = Int(fields[2]), count > 0
      else { return nil }
      (name, self.action, self.count) = (String(fields[0]), action, count)
    }
  }

  private static let plan = getenv("ATTNMESH_FAILPOINT").flatMap { Plan(String(cString: $0)) }
  private static let passed = Atomic<Int>(0)

  static func pass(_ name: StaticString) {
    guard let plan, plan.name == "\(name)" else { return }
    guard passed.add(1, ordering: .relaxed).newValue == plan.count else { return }
    if let path = getenv("ATTNMESH_FAILPOINT_MARK") { mark(path) }
    switch plan.action {
    case .abort: Glibc.abort()
    case .kill: _ = kill(getpid(), SIGKILL)
    case .stop: raise(SIGSTOP)
    case .hang: while true { pause() }
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
