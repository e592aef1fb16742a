internal import Dispatch
internal import Glibc

/// Seconds on the wall clock until `work` has been done for 0 ..< `count`, each on a thread of its own.
func wallSeconds(_ count: Int, _ work: (Int) -> Void) -> Double {
  let start = seconds(of: CLOCK_MONOTONIC)
  if count == 1 {
    work(0)
  } else {
    withoutActuallyEscaping(work) { work in
      // The queue has returned before this one does.
      nonisolated(unsafe) let work = work
      DispatchQueue.concurrentPerform(iterations: count) { work($0) }
    }
  }
  return max(seconds(of: CLOCK_MONOTONIC) - start, 1e-9)
}

/// Processor time that some work takes on this thread: what others take of the core doesn't count.
func seconds(_ work: () -> Void) -> Double {
  let start = seconds(of: CLOCK_THREAD_CPUTIME_ID)
  work()
  return max(seconds(of: CLOCK_THREAD_CPUTIME_ID) - start, 1e-9)
}
