internal import Glibc
internal import MeshRuntime
internal import Synchronization
internal import ZeroMQ

/// How late this machine wakes a thread that sleeps a millisecond at a time: what no failure detector
/// can be faster than, measured while one is.
struct WakeUpProbe {
  private final class Record: Sendable {
    let isOver = Atomic<Bool>(false)
    let seconds = Mutex<[Double]>([])
  }

  private let record = Record()
  private let thread: DedicatedThread

  /// About an hour's worth.
  private static let samplesMaximum = 4 << 20

  init() throws(MeshError) {
    thread = try startThread("probe") { [record] in
      while !record.isOver.load(ordering: .relaxed) {
        let start = seconds(of: CLOCK_MONOTONIC)
        rest(seconds: 0.001)
        let late = seconds(of: CLOCK_MONOTONIC) - start - 0.001
        record.seconds.withLock { if $0.count < Self.samplesMaximum { $0.append(late) } }
      }
    }
  }

  /// Ends the thread; how late it was, in seconds.
  func stop() -> Percentiles {
    record.isOver.store(true, ordering: .relaxed)
    thread.join()
    return Percentiles(record.seconds.withLock { $0 })
  }
}

/// Threads that do nothing but take processor time, at the niceness of this process: a machine with
/// more work than cores.
struct Spinners {
  private final class Flag: Sendable {
    let isOver = Atomic<Bool>(false)
  }

  private let flag = Flag()
  private let threads: [DedicatedThread]

  var count: Int { threads.count }

  /// - Parameter perCore: threads for each core.
  init(perCore: Int) throws(MeshError) {
    var threads: [DedicatedThread] = []
    for _ in 0..<perCore * ProcessLimits.processors {
      threads.append(
        try startThread("spin") { [flag] in
          while !flag.isOver.load(ordering: .relaxed) {}
        })
    }
    self.threads = threads
  }

  func stop() {
    flag.isOver.store(true, ordering: .relaxed)
    for thread in threads { thread.join() }
  }
}

private func startThread(
  _ name: String, _ body: @escaping @Sendable () -> Void
) throws(MeshError) -> DedicatedThread {
  do throws(ZeroMQError) {
    return try DedicatedThread(name: name, body: body)
  } catch {
    throw MeshError(.jobFailed, "no thread: \(error.description)")
  }
}

/// Sleeps, also when a signal comes.
func rest(seconds: Double) {
  var time = timespec(
    tv_sec: Int(seconds), tv_nsec: Int((seconds - seconds.rounded(.down)) * 1e9))
  var left = timespec()
  while nanosleep(&time, &left) != 0, errno == EINTR { time = left }
}
