internal import Glibc

/// What a crash does to this process.
package enum CrashSignals {
  /// Lets a crash end the process at once. Swift's runtime may have put handlers there that gather a
  /// backtrace first: for a second or more the process is neither alive nor gone, its connections stay
  /// open, and its loss is found by its silence instead. A mesh learns more from a quick end than from
  /// a trace: set SWIFT_BACKTRACE (`SWIFT_BACKTRACE=enable=yes`) to get one all the same.
  package static func endAtOnce() {
    guard getenv("SWIFT_BACKTRACE") == nil else { return }
    for number in [SIGABRT, SIGILL, SIGTRAP, SIGSEGV, SIGBUS, SIGFPE] { signal(number, SIG_DFL) }
  }
}
