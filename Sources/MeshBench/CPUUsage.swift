internal import Glibc

/// Processor time over a stretch of a run, to tell whether a benchmark of models was limited by the
/// cores after all, and how much of them others took.
package struct CPUUsage: Encodable, Sendable {
  /// Seconds of processor time of this process and of the children it waited for.
  package let ownSeconds: Double
  /// Shares of all cores: ours, and everything's on this machine.
  package let ownShare: Double
  package let machineShare: Double

  /// A point from which to measure.
  struct Mark {
    private let wall = seconds(of: CLOCK_MONOTONIC)
    private let own = processorSeconds
    private let machine = machineTicks

    /// What was used since; children count once they have ended.
    var usage: CPUUsage {
      let wall = max(seconds(of: CLOCK_MONOTONIC) - wall, 1e-9)
      let own = processorSeconds - own
      let (busy, all) = machineTicks
      return CPUUsage(
        ownSeconds: own, ownShare: own / wall / Double(sysconf(Int32(_SC_NPROCESSORS_ONLN))),
        machineShare: Double(busy - machine.busy) / Double(max(1, all - machine.all)))
    }
  }
}

func seconds(of clock: clockid_t) -> Double {
  var time = timespec()
  clock_gettime(clock, &time)
  return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
}

/// CPU time of this process and of those that it has waited for.
var processorSeconds: Double {
  [RUSAGE_SELF, RUSAGE_CHILDREN].reduce(0) { total, who in
    var usage = rusage()
    getrusage(__rusage_who_t(who.rawValue), &usage)
    return [usage.ru_utime, usage.ru_stime].reduce(total) {
      $0 + Double($1.tv_sec) + Double($1.tv_usec) * 1e-6
    }
  }
}

/// The first line of /proc/stat: user, nice, system, idle, iowait, irq, softirq, steal.
private var machineTicks: (busy: Int, all: Int) {
  let file = open("/proc/stat", O_RDONLY | O_CLOEXEC)
  guard file >= 0 else { return (0, 0) }
  defer { close(file) }
  var buffer = [UInt8](repeating: 0, count: 512)
  let count = read(file, &buffer, buffer.count)
  let line = String(decoding: buffer.prefix(max(0, count)), as: UTF8.self).prefix { $0 != "\n" }
  let fields = line.split(separator: " ").dropFirst().prefix(8).compactMap { Int($0) }
  guard fields.count == 8 else { return (0, 0) }
  let all = fields.reduce(0, +)
  return (all - fields[3] - fields[4], all)
}
