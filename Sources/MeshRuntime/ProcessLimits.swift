internal import CSystem
internal import Glibc

/// What the system lets this process have.
package enum ProcessLimits {
  /// Processors that it may keep busy: those it may run on, or the share of them that its container has.
  package static var processors: Int {
    let allowed = allowedProcessors
    return max(1, min(allowed, ControlGroup().processors ?? allowed))
  }

  /// Processors on which the calling thread may run: what `taskset` and control groups leave of those
  /// of the machine.
  private static var allowedProcessors: Int {
    // Larger than `cpu_set_t`, whose 1,024 processors are not all that a kernel may have.
    var mask = [UInt64](repeating: 0, count: 1_024)
    let status = mask.withUnsafeMutableBytes { bytes in
      bytes.withMemoryRebound(to: cpu_set_t.self) { sets in
        sets.baseAddress.map { sched_getaffinity(0, bytes.count, $0) } ?? -1
      }
    }
    guard status == 0 else { return max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN))) }
    return mask.reduce(0) { $0 + $1.nonzeroBitCount }
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
