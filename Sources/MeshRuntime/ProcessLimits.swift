internal import Foundation

/// What the system lets this process have.
package enum ProcessLimits {
  /// Processors that it may keep busy: those it may run on, or the share of them that its container has.
  package static var processors: Int {
    let machine = ProcessInfo.processInfo.activeProcessorCount
    return max(1, min(machine, ControlGroup().processors ?? machine))
  }

  /// Raises the number of files that may be open to what an administrator allows: a coordinator keeps
  /// two for each result. The usual soft limit of 1,024 is there for programs that use `select`.
  package static func raiseOpenFiles() {
    var limit = rlimit()
    guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return }
    limit.rlim_cur = limit.rlim_max
    setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
  }
}
